import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  createWriteStream,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TailLine, tailLineSchema } from '../model/tail-lines.ts';
import { analyze } from '../pipeline/analyze.ts';
import type { Listener } from '../tail/source.ts';
import { type Tail, tail } from '../tail/tail.ts';
import { keepIn } from './keep-in.ts';
import { runTail } from './run-tail.ts';

const race = 'samples/tracefs/6.1-release-after-exit.txt';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function following(path: string, onlyNew = false) {
  const lines: TailLine[] = [];
  const started: Tail = tail({ path, format: 'tracefs', onlyNew, tell: (line) => lines.push(line) });
  return { lines, ...started };
}

async function until(what: () => boolean): Promise<void> {
  for (let left = 400; !what(); left--) {
    if (left === 0) throw new Error('it did not come');
    await sleep(10);
  }
}

function record(seconds: number, event: string): string {
  return `             cat-42      [000] .....  ${seconds.toFixed(6).padStart(11)}: ${event}\n`;
}

const gets = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => record(from + at, 'module_get: m call_site=a refcnt=2')).join('');

describe('a growing file', () => {
  test.each([
    'tracefs/6.1-release-after-exit.txt',
    'tracefs/6.1-put-after-failed-get.txt',
    'tracefs/6.12-get-leak.txt',
    'perf-script/6.1-ns.txt',
    'trace-cmd/3.1.6-report.txt',
    'bpftrace/6.12-leak.json',
    'bpftrace/6.1-release-after-exit.txt',
  ])('ends as analyze does: %s', async (name) => {
    const path = join(folder, 'grow');
    const bytes = readFileSync(join('samples', name));
    writeFileSync(path, '');
    const { stop, ended } = tail({ path, tell: () => {} });
    for (let at = 0; at < bytes.length; at += 5003) {
      appendFileSync(path, bytes.subarray(at, at + 5003));
      await sleep(1);
    }
    stop();
    expect(await ended).toEqual((await analyze([path])).report);
  });

  test('may come from elsewhere than a file, and is stopped with the rest', async () => {
    const bytes = readFileSync('samples/tracefs/6.1-get-leak.txt');
    let stopped = 0;
    const { stop, ended } = tail({
      path: 'live',
      tell: () => {},
      follow(listener) {
        setImmediate(() => listener.data(bytes));
        return { flush() {}, stop: () => stopped++ };
      },
    });
    await sleep(20);
    stop();
    const report = await ended;
    expect(report.inputs[0]).toMatchObject({ path: 'live', format: 'tracefs', events: 330 });
    expect(report.findings.map(({ rule }) => rule)).toContain('ref-leak');
    expect(stopped).toBe(1);
  });

  test.each([
    ['little', 1, 3],
    ['steadily', 20, 100],
  ])('that grew %s is read on when it is truncated or replaced, with a gap told', async (_, times, count) => {
    const path = join(folder, 'grow');
    writeFileSync(path, '');
    const { reader, lines, stop, ended } = following(path);
    const events = () => reader.inputs.map(({ events }) => events);
    const all = times * count;
    for (let told = 0; told < all; told += count) {
      appendFileSync(path, gets(1 + told, count));
      await sleep(5);
    }
    await until(() => events()[0] === all);
    truncateSync(path, 0);
    appendFileSync(path, gets(all + 1, 2));
    await until(() => events()[1] === 2);
    renameSync(path, `${path}.1`);
    writeFileSync(path, gets(all + 3, 1));
    await until(() => events()[2] === 1);
    stop();
    const report = await ended;
    const gaps = lines.flatMap((line) => (line.type === 'gap' ? [line.reason] : []));
    expect(gaps).toEqual(['truncated', 'replaced']);
    expect(report.modules).toMatchObject([{ module: 'm', gets: all + 3 }]);
  });

  test('is read on when it comes back, and to its end when stopped', async () => {
    const path = join(folder, 'grow');
    writeFileSync(path, gets(1, 1));
    const { reader, stop, ended } = following(path);
    await until(() => reader.inputs.length > 0);
    rmSync(path);
    await sleep(150);
    writeFileSync(path, gets(2, 1));
    await until(() => reader.inputs.length === 2);
    appendFileSync(path, gets(3, 1));
    stop();
    expect((await ended).modules).toMatchObject([{ gets: 3 }]);
  });

  test('with --new is judged from now on, with its lines counted from its start', async () => {
    const path = join(folder, 'grow');
    writeFileSync(path, gets(1, 5));
    const { reader, stop, ended } = following(path, true);
    await sleep(50);
    appendFileSync(path, gets(6, 2));
    await until(() => reader.inputs[0]?.events === 2);
    stop();
    const { inputs, modules } = await ended;
    expect(inputs).toMatchObject([{ events: 2, lines: 7 }]);
    expect(modules).toMatchObject([{ gets: 2 }]);
  });

  test('tells a finding while it grows', async () => {
    const path = join(folder, 'grow');
    writeFileSync(path, '');
    const { lines, stop, ended } = following(path);
    appendFileSync(path, readFileSync(race));
    await until(() => lines.some(({ type }) => type === 'finding'));
    stop();
    await ended;
  });
});

test('a FIFO is followed until its writer has gone', async () => {
  const path = join(folder, 'fifo');
  execFileSync('mkfifo', [path]);
  const { ended } = tail({ path, tell: () => {} });
  await sleep(20);
  createWriteStream(path).end(readFileSync(race));
  const { findings } = await ended;
  expect(findings).toEqual((await analyze([race])).report.findings);
});

test('a FIFO that nobody writes to can be left', async () => {
  const path = join(folder, 'fifo');
  execFileSync('mkfifo', [path]);
  const { stop, ended } = tail({ path, tell: () => {} });
  await sleep(20);
  stop();
  expect((await ended).inputs).toEqual([]);
});

test.each([
  ['samples/none.txt', 'no such file'],
  ['samples', 'is a directory'],
  ['/dev/null', 'cannot be followed'],
])('%s cannot be followed: %s', async (path, why) => {
  await expect(tail({ path, tell: () => {} }).ended).rejects.toThrow(why);
});

/** The command on a file that does not grow, stopped as soon as it ends by itself or after a moment. */
/** ms, for a source that ends before anybody has to end it. */
const ITS_OWN_END = 60_000;

async function said(options: Partial<Parameters<typeof runTail>[0]>, path: string, patience = 1000) {
  let stdout = '';
  let stderr = '';
  const output = (add: (text: string) => void) => ({
    isTTY: false,
    write: (text: string, done?: () => void) => {
      add(text);
      done?.();
    },
  });
  const timer = setTimeout(() => process.emit('SIGINT'), patience);
  const status = await runTail(
    {
      path,
      format: undefined,
      onlyNew: false,
      verbose: false,
      failOn: undefined,
      triage: { baseline: undefined, suppressions: undefined, today: () => '2026-11-20' },
      exec: undefined,
      shape: 'json',
      ...options,
    },
    {
      stdout: output((text) => {
        stdout += text;
      }),
      stderr: output((text) => {
        stderr += text;
      }),
      stdin: {},
      env: {},
      now: () => 0,
      today: () => '2026-11-20',
    },
  );
  clearTimeout(timer);
  return { stdout, stderr, status };
}

test('^C is the normal end, with the summary that analyze gives', async () => {
  const { stdout, stderr, status } = await said({}, race);
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => tailLineSchema.parse(JSON.parse(line)));
  expect(lines.at(-1)).toEqual({ type: 'summary', report: (await analyze([race])).report });
  expect(stderr).toBe('');
  expect(status).toBe(1);
});

test('a line of text for each event of interest, with --verbose for each reference, too', async () => {
  const { stdout } = await said({ shape: 'plain' }, race);
  const events = stdout.slice(0, stdout.indexOf(race)).split('\n');
  expect(events).toEqual([
    '155.538414  ml_ref: coming, insmod/668',
    '155.540821  ml_ref: live, insmod/668',
    '155.976685  ml_relexit: coming, insmod/679',
    '155.977545  ml_relexit: live, insmod/679',
    '162.424581  ml_relexit: going, rmmod/714',
    '162.811794  ml_relexit: freed, rmmod/714',
    '163.331730  error  release-after-exit  in ml_relexit, observed: ml_relexit_release() was still running in kworker/u4:0/9 when rmmod/714 freed ml_relexit',
    '163.331730  the kernel: the trace is dumped to the console, kworker/u4:0/9',
    '',
  ]);
  const verbose = (await said({ shape: 'plain', verbose: true }, race)).stdout;
  expect(verbose).toMatch(/ml_ref: taken by jump_label_text_reserved, insmod\/668, \d held\n/);
});

test.each([
  [
    'suppressed',
    { suppressions: [{ rule: 'release-after-exit', reason: 'x', path: 's', line: 1 }] as const },
  ],
  ['known', { baseline: (await analyze([race])).report.findings }],
])('a finding that is %s is told as such, and neither ends it nor runs a program', async (word, triage) => {
  const options = { baseline: undefined, suppressions: undefined, today: () => '2026-11-20', ...triage };
  const exec = [process.execPath, '-e', 'process.exit(3)'];
  const { stdout, stderr, status } = await said(
    { failOn: 'error', exec, triage: options, shape: 'plain' },
    race,
  );
  expect(stdout).toMatch(new RegExp(`error {2}release-after-exit {2}in ml_relexit, observed, ${word}: `));
  expect(stdout).toContain('Nothing found (1 not counted).');
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

describe('--fail-on', () => {
  test('ends at the first finding as grave, and tells nothing after it', async () => {
    const { stdout, status } = await said({ failOn: 'error' }, race, 10_000);
    const types = stdout.trimEnd().split('\n').slice(-2);
    expect(types.map((line) => JSON.parse(line).type)).toEqual(['finding', 'summary']);
    expect(status).toBe(1);
  });

  test('does not end for less', async () => {
    const { status } = await said({ failOn: 'error' }, 'samples/tracefs/6.1-clean.txt');
    expect(status).toBe(0);
  });
});

describe('--exec', () => {
  const script = (text: string) => {
    const path = join(folder, 'script.mjs');
    writeFileSync(path, text);
    return [process.execPath, path];
  };

  test('gets each finding as JSON, and its arguments as they are', async () => {
    const out = join(folder, 'out');
    const exec = [
      ...script(
        `import { appendFileSync, readFileSync } from 'node:fs';
         appendFileSync(process.argv[2], readFileSync(0, 'utf8') + process.argv[3]);`,
      ),
      out,
      '$(touch x); `y`',
    ];
    const { stderr } = await said({ exec }, race);
    const [finding, argument] = readFileSync(out, 'utf8').split('\n');
    expect(JSON.parse(finding!)).toMatchObject({ rule: 'release-after-exit' });
    expect(argument).toBe('$(touch x); `y`');
    expect(stderr).toBe('');
  });

  test('failing is told and changes nothing', async () => {
    const whole = await said({}, race);
    const exec = script(`process.stderr.write('no mail today\\n'); process.exit(3)`);
    const failing = await said({ exec }, race);
    expect(failing.stderr).toBe(`modlife: --exec ${process.execPath}: ended with 3: no mail today\n`);
    const none = await said({ exec: ['/no/such/program'] }, race);
    expect(none.stderr).toBe('modlife: --exec /no/such/program: no such program\n');
    expect([failing.stdout, failing.status]).toEqual([whole.stdout, whole.status]);
    expect(none.stdout).toBe(whole.stdout);
  });
});

test('--keep writes what came last when something goes wrong, and says so', async () => {
  const out = join(folder, 'out');
  const { stderr } = await said({ keep: { seconds: 60, save: keepIn(out) } }, race);
  const [name, ...more] = readdirSync(out);
  expect(more).toEqual([]);
  expect(name).toMatch(/^\d{8}-\d{6}\.\d{3}-release-after-exit\.txt$/);
  expect(stderr).toBe(`modlife: kept ${join(out, name!)}\n`);
  expect(readFileSync(join(out, name!))).toEqual(readFileSync(race));
});

test('--db of a machine goes on after a gap, and is of one boot', async () => {
  const db = join(folder, 'live.db');
  const live = (boot: string) => ({
    db,
    boot,
    format: 'tracefs',
    shape: 'plain' as const,
    follow(listener: Listener) {
      setImmediate(() => {
        listener.data(readFileSync(race));
        listener.end();
      });
      return { flush() {}, stop() {} };
    },
  });
  expect((await said(live('a'), 'live', ITS_OWN_END)).stdout).not.toContain('gap: ');
  const { stdout } = await said(live('a'), 'live', ITS_OWN_END);
  expect(stdout).toMatch(/^gap: what came since the store was last written is lost\n/);
  const { inputs } = (await analyze([db])).report;
  expect(inputs.map(({ path, events, lost }) => ({ path, events, lost }))).toEqual([
    { path: 'live', events: 357, lost: 0 },
    { path: 'live', events: 357, lost: 1 },
  ]);
  await expect(said(live('b'), 'live', ITS_OWN_END)).rejects.toThrow('live.db is of this machine, boot a');
});
