import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { reportSchema } from '../model/report.ts';
import { runCli } from '../testing/run-cli.ts';

const leak = 'samples/tracefs/6.1-get-leak.txt';
const clean = 'samples/tracefs/6.1-clean.txt';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function capture(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

describe('exit status', () => {
  test('0 for a clean capture, 1 for a finding at --fail-on', async () => {
    expect((await runCli(['analyze', clean])).status).toBe(0);
    const { stdout, status } = await runCli(['analyze', '--json', leak]);
    const report = reportSchema.parse(JSON.parse(stdout));
    expect(status).toBe(report.summary.error > 0 ? 1 : 0);
    expect((await runCli(['analyze', '--fail-on', 'warning', leak])).status).toBe(1);
    expect((await runCli(['analyze', '--fail-on', 'note', clean])).status).toBe(0);
  });

  test('2 for what cannot be done, in one line', async () => {
    for (const args of [
      ['analyze', '--fail-on', 'fatal', leak],
      ['analyze', join(folder, 'none')],
      ['analyze', '--format', 'morse', leak],
      ['analyze', '-o', join(folder, 'no/such/folder'), leak],
      ['nonsense'],
    ]) {
      const { stdout, stderr, status } = await runCli(args);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^modlife: [^\n]+\n$/);
      expect(status).toBe(2);
    }
  });

  describe('3, where no rule could be asked', () => {
    const header = '# tracer: nop';
    // Invented: what a tracer prints that was told to record something else.
    const wakeups: string[] = Array(8).fill(
      '  <idle>-0       [000] d..2.   162.424581: sched_wakeup: comm=a pid=1 prio=120 target_cpu=000',
    );

    test.each([
      ['a header alone', [header, '#']],
      ['other events', [header, ...wakeups]],
      ['other events, in the format that was named', [header, ...wakeups], '--format', 'tracefs'],
    ] as const)('%s', async (_, lines, ...options: readonly string[]) => {
      const path = capture('unasked', lines);
      const { stdout, status } = await runCli(['analyze', ...options, path]);
      expect(status).toBe(3);
      expect(stdout).not.toContain('Nothing found');
      expect(stdout).toMatch(/^Nothing could be asked: .* Exit status 3;\n {2}--allow-gaps/m);
      expect((await runCli(['analyze', '--allow-gaps', path])).status).toBe(0);
      expect((await runCli(['analyze', '--to', 'ktap', path])).stdout).toMatch(
        /^ {2}not ok 1 capture # ERROR Nothing could be asked/m,
      );
      expect((await runCli(['analyze', '--to', 'junit', path])).stdout).toContain(
        '<error message="Nothing could',
      );
      const sarif = JSON.parse((await runCli(['analyze', '--to', 'sarif', path])).stdout);
      expect(sarif.runs[0].invocations[0].executionSuccessful).toBe(false);
      expect(sarif.runs[0].invocations[0].toolExecutionNotifications[0]).toMatchObject({ level: 'error' });
    });

    test('symbols alone, and a store of them', async () => {
      const symbols = 'samples/kallsyms/6.1-get-leak.txt';
      const db = join(folder, 'symbols.db');
      expect((await runCli(['analyze', '--db', db, symbols])).status).toBe(3);
      expect((await runCli(['analyze', db])).status).toBe(3);
    });

    test('but 2 where a format was named that the capture is not in', async () => {
      const { stdout, stderr, status } = await runCli(['analyze', '--format', 'perf-script', leak]);
      expect(stdout).toBe('');
      expect(stderr).toBe(
        `modlife: no perf-script record in ${leak} (leave out --format to have it recognised)\n`,
      );
      expect(status).toBe(2);
    });
  });

  test('3 is explained where it comes from damage', async () => {
    const { stdout, status } = await runCli(['analyze', 'samples/tracefs/6.1-lost-events.txt']);
    expect(status).toBe(3);
    expect(stdout.replaceAll('\n  ', ' ')).toContain(
      'Nothing worse found, but this capture is too damaged to tell: 6,426 events lost, beside 324 events read. Exit status 3; --allow-gaps takes this for an answer.',
    );
  });

  test('3 for a packed file that is cut off, whose fix is to fetch it again', async () => {
    const path = join(folder, 'cut.gz');
    writeFileSync(path, gzipSync(readFileSync(leak)).subarray(0, 3000));
    const { stdout, status } = await runCli(['analyze', path]);
    expect(status).toBe(3);
    expect(stdout.replaceAll('\n  ', ' ')).toMatch(/too damaged to tell: cut off after line 2\d\d/);
    expect(stdout).not.toContain('lost');
    expect((await runCli(['analyze', '--to', 'ktap', path])).stdout).toMatch(
      /not ok 1 capture # ERROR .*cut off after/,
    );
    const db = join(folder, 'cut.db');
    expect((await runCli(['analyze', '--db', db, path])).status).toBe(3);
    expect((await runCli(['analyze', db])).stdout).toContain('the file is cut off after line');
    const doctor = (await runCli(['doctor', path])).stdout;
    expect(doctor).toContain('fetch it again');
    expect(doctor).not.toContain('buffer');
  });

  test('2, with an example, when nothing is piped in and no capture is named', async () => {
    const { stderr, status } = await runCli(['analyze'], { isTTY: true });
    expect(stderr).toBe(
      'modlife: no capture given (modlife analyze boot.trace, or sudo cat /sys/kernel/tracing/trace | modlife analyze)\n',
    );
    expect(status).toBe(2);
  });
});

describe('lines that cannot be read', () => {
  const good =
    '           cat-42      [000] .....     1.000000: module_get: dm_mod call_site=dm_open refcnt=2';
  const torn = '           cat-42      [000] .....     1.000001: module_put: dm_mod call_site=';

  test('are quoted with the place where they stop making sense', async () => {
    const path = capture('boot.txt', ['# tracer: nop', '#', good, torn]);
    const { stderr, status } = await runCli(['analyze', path]);
    const [what, quote, mark, count] = stderr.split('\n');
    const [, column] = /^modlife: .*boot\.txt:4:(\d+): expected /.exec(what!)!;
    expect(quote).toHaveLength(80);
    expect(torn.endsWith(quote!.trimStart().slice(1))).toBe(true);
    // Under the very character that the column counts to.
    const left = quote!.length - mark!.indexOf('~');
    expect(left).toBe(torn.length - (Number(column) - 1));
    expect(count).toBe('modlife: 1 of 4 lines could not be read (--strict makes this fatal)');
    expect(status).toBe(0);
  });

  test('three are quoted, all are counted, and --strict makes them fatal after the report', async () => {
    const path = capture('boot.txt', ['# tracer: nop', '#', ...Array(9).fill(good), ...Array(5).fill(torn)]);
    const { stdout, stderr, status } = await runCli(['analyze', '--strict', path]);
    expect(stderr.split('\n').filter((line) => /^ *~+$/.test(line))).toHaveLength(3);
    expect(stderr).toContain('modlife: 5 of 16 lines could not be read\n');
    expect(stdout).toMatch(/5 lines\s+unreadable/);
    expect(status).toBe(2);
  });
});

describe('-o', () => {
  test('writes the same text aside and renames it into place', async () => {
    const path = join(folder, 'report.json');
    writeFileSync(path, 'old');
    const { stdout, status } = await runCli(['analyze', '--json', '-o', path, clean]);
    expect(stdout).toBe('');
    expect(status).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe((await runCli(['analyze', '--json', clean])).stdout);
    expect(readdirSync(folder)).toEqual(['report.json']);
  });

  test('keeps a symbolic link and never replaces the capture itself', async () => {
    const path = capture('a.txt', ['x']);
    symlinkSync(path, join(folder, 'link'));
    await runCli(['analyze', '-o', join(folder, 'link'), clean]);
    expect(readFileSync(path, 'utf8')).toContain('events');
    const again = capture('b.txt', readFileSync(clean, 'utf8').split('\n'));
    const { stderr, status } = await runCli(['analyze', '-o', again, again]);
    expect(stderr).toContain('is a capture to be read');
    expect(status).toBe(2);
  });

  test('- is stdout', async () => {
    expect((await runCli(['analyze', '-o', '-', clean])).stdout).toContain('events');
    expect(existsSync('-')).toBe(false);
  });
});

test('--db keeps a store that gives the same answers', async () => {
  const db = join(folder, 'a.db');
  const { findings } = JSON.parse((await runCli(['analyze', '--json', '--db', db, leak])).stdout);
  expect(JSON.parse((await runCli(['analyze', '--json', db])).stdout).findings).toEqual(findings);
  for (const question of [['holders'], ['why-busy'], ['holders', '--at', '111.72']]) {
    const ask = (of: string) => runCli([...question, 'ml_getleak', '--json', of]);
    expect(await ask(db)).toEqual(await ask(leak));
  }
  const rows = (await runCli(['query', 'modules', db])).stdout;
  expect(rows).toBe((await runCli(['query', 'modules', leak])).stdout);
});

describe('progress', () => {
  test('is shown on a terminal when reading takes long, and erased at the end', async () => {
    const { stderr } = await runCli(['analyze', clean], { isTTY: true, tick: 5000 });
    expect(stderr).toMatch(/^\rread [\d.]+ MB of [\d.]+ MB, \d+ %, [\d.]+ MB\/s, [\d,]+ events, .* left/);
    expect(stderr.endsWith('\r\u001b[K')).toBe(true);
  });

  test('is not shown for short work or to a pipe', async () => {
    expect((await runCli(['analyze', clean], { isTTY: true, tick: 1 })).stderr).toBe('');
    expect((await runCli(['analyze', clean], { tick: 5000 })).stderr).toBe('');
  });
});

test('schema is the JSON Schema of what analyze --json prints', async () => {
  const schema = JSON.parse((await runCli(['schema'])).stdout);
  expect(schema.$schema).toContain('json-schema.org');
  expect(schema.required).toEqual(expect.arrayContaining(['findings', 'inputs', 'schema', 'summary']));
});

describe('who holds it', () => {
  test('is asked as the text says, where something is held', async () => {
    const path = join(folder, "it's held.txt");
    writeFileSync(path, readFileSync('samples/tracefs/6.1-lasting-holder.txt'));
    const { stdout } = await runCli(['analyze', path]);
    const quoted = `'${path.replace("'", "'\\''")}'`;
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
      `1 held, taken 39 times who holds it: modlife why-busy widget_drv ${quoted}`.replaceAll(/\s+/g, ' '),
    );
    const idle = 'samples/tracefs/6.1-lost-events.txt';
    expect((await runCli(['analyze', idle])).stdout).not.toContain('why-busy');
  });

  test('is in the note of a refusal', async () => {
    const { stdout } = await runCli(['analyze', 'samples/tracefs/6.12-lasting-holder-refused.txt']);
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/busy-unload: .* Held by \S+ through misc_open for /);
  });
});

test('a moment after the end is no moment of the capture, also of a query', async () => {
  const { status, stderr } = await runCli([
    'query',
    'holders',
    '-p',
    'module=ml_getleak',
    '-p',
    'at=99999000000000',
    leak,
  ]);
  expect(stderr).toMatch(/^modlife: at=99999000000000 lies after the last event, at \d+\.\d{6} s\n$/);
  expect(status).toBe(2);
});
