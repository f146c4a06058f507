/** Fed in any way, `tail` ends with what `analyze` says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../model/errors.ts';
import type { Report } from '../model/report.ts';
import { type TailLine, tailLineSchema } from '../model/tail-lines.ts';
import { analyze } from '../pipeline/analyze.ts';
import { createTailReader, type TailReader } from './reader.ts';

const folder = 'samples';
const samples = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(txt|json)$/.test(name) && !name.endsWith('.expected.txt'))
  .sort();

type Feed = (reader: TailReader, bytes: Buffer) => void;

/** Milliseconds between two lines: nobody waits for them here. */
const feeds: Readonly<Record<string, Feed>> = {
  whole: (reader, bytes) => reader.push(bytes, 0),
  'line by line': (reader, bytes) => {
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      reader.push(bytes.subarray(start, end + 1), 0);
      start = end + 1;
    }
    reader.push(bytes.subarray(start), 0);
  },
  'in 7-byte chunks': (reader, bytes) => {
    for (let at = 0; at < bytes.length; at += 7) reader.push(bytes.subarray(at, at + 7), 0);
  },
  // A stack is written with its event: what comes a second later is another record.
  'a record a second': (reader, bytes) => {
    let now = 0;
    for (const record of bytes.toString('latin1').split(/(?<=\n)(?! =>|\t|\n| {4}\S|[^\n]*<stack trace>)/)) {
      reader.push(Buffer.from(record, 'latin1'), now);
      now += 1000;
      while (reader.tick(now) !== undefined) now += 100;
    }
  },
};

function feedLines(lines: readonly string[]): { lines: TailLine[]; report: Report } {
  const told: TailLine[] = [];
  const reader = createTailReader({ path: 'x', format: 'tracefs', tell: (line) => told.push(line) });
  for (const line of lines) {
    reader.push(Buffer.from(`${line}\n`), 0);
    reader.tick(1000);
  }
  return { lines: told, report: reader.end(false) };
}

/** A line as tracefs prints it. */
function record(seconds: number, event: string, task = '             cat-42     '): string {
  return `${task} [000] .....  ${seconds.toFixed(6).padStart(11)}: ${event}`;
}

function told(path: string, feed: Feed, format?: string): { report: Report; lines: TailLine[] } {
  const lines: TailLine[] = [];
  const reader = createTailReader({ path, format, tell: (line) => lines.push(line) });
  feed(reader, readFileSync(path));
  return { report: reader.end(false), lines };
}

/** What a report says, or why there is none. */
async function orRefusal<T>(work: () => T | Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message;
  }
}

describe.each(samples)('%s', (name) => {
  const path = join(folder, name);

  test('ends with the same report, however it comes', async () => {
    const whole = await orRefusal(async () => (await analyze([path])).report);
    for (const [how, feed] of Object.entries(feeds)) {
      // What is refused for its later lines is not, when few come at a time.
      if (typeof whole === 'string' && how === 'a record a second') continue;
      expect(await orRefusal(() => told(path, feed).report), how).toEqual(whole);
    }
  });
});

test('every line is of the schema, and every finding of the report is told once', () => {
  for (const name of samples) {
    let lines: TailLine[];
    let report: Report;
    try {
      ({ lines, report } = told(join(folder, name), feeds['line by line']!));
    } catch {
      continue;
    }
    for (const line of lines) expect(tailLineSchema.parse(line)).toEqual(line);
    const findings = lines.flatMap((line) =>
      line.type === 'finding' && line.provisional !== true ? [line.finding] : [],
    );
    expect(findings).toHaveLength(report.findings.length);
    expect(new Set(findings)).toEqual(new Set(report.findings));
  }
});

describe('a reference that should have been given back by now', () => {
  const open = (at: number) => [
    record(at, 'm_open: (m_open+0x0/0x10 [m])'),
    record(at + 0.01, 'module_get: m call_site=m_open [m] refcnt=2'),
    record(at + 0.02, 'm_open_ret: (vfs+0x0/0x10 <- m_open)'),
  ];
  const close = (at: number, put: boolean) => [
    record(at, 'm_close: (m_close+0x0/0x10 [m])'),
    ...(put ? [record(at + 0.01, 'module_put: m call_site=m_close [m] refcnt=1')] : []),
    record(at + 0.02, 'm_close_ret: (vfs+0x0/0x10 <- m_close)'),
  ];
  const before = [
    record(1, 'module_load: m '),
    record(1.1, 'module_put: m call_site=do_init_module refcnt=1'),
    ...open(2),
    ...close(3, true),
    ...open(4),
    ...close(5, false),
  ];
  /** The module takes it for itself, which another rule speaks of. */
  const said = (lines: readonly TailLine[]) =>
    lines.flatMap((line) => {
      if (line.type === 'withdrawn') return ['withdrawn'];
      if (line.type !== 'finding' || line.finding.rule !== 'ref-leak') return [];
      return [`${line.provisional === true ? 'provisional ' : ''}${line.finding.rule}`];
    });

  test('is told at once, with the fingerprint that the verdict will have', () => {
    const { lines } = feedLines(before);
    expect(said(lines)).toEqual(['provisional ref-leak', 'ref-leak']);
    const [first, last] = lines.flatMap((line) =>
      line.type === 'finding' && line.finding.rule === 'ref-leak' ? [line.finding] : [],
    );
    expect(first!.fingerprint).toBe(last!.fingerprint);
  });

  test('is taken back when the put comes after all', () => {
    const { lines, report } = feedLines([...before, ...close(6, true)]);
    expect(said(lines)).toEqual(['provisional ref-leak', 'withdrawn']);
    expect(report.findings.map(({ rule }) => rule)).not.toContain('ref-leak');
  });
});

describe('states', () => {
  const { lines } = told('samples/tracefs/6.1-release-after-exit.txt', feeds.whole!);
  const states = lines.flatMap((line) => (line.type === 'state' ? [`${line.module} ${line.state}`] : []));

  test('are told as they change, and the finding when it is certain', () => {
    expect(states).toEqual([
      'ml_ref coming',
      'ml_ref live',
      'ml_relexit coming',
      'ml_relexit live',
      'ml_relexit going',
      'ml_relexit freed',
    ]);
    expect(lines.slice(-2)).toMatchObject([
      { type: 'finding', finding: { rule: 'release-after-exit' } },
      { type: 'fault', what: 'dump' },
    ]);
  });

  test('of an unload that was refused', () => {
    const { lines } = feedLines([
      record(1, 'module_load: m '),
      record(2, 'sys_delete_module(name_user: 7ffd, flags: 800)'),
      record(3, 'sys_delete_module -> 0xfffffffffffffff5'),
    ]);
    expect(lines.filter(({ type }) => type === 'state').at(-1)).toMatchObject({ state: 'refused', ret: -11 });
  });
});

test('a source that begins anew is another input, with a gap between that the engine knows of', () => {
  const lines: TailLine[] = [];
  const reader = createTailReader({ path: 'x', format: 'tracefs', tell: (line) => lines.push(line) });
  reader.push(Buffer.from(`${record(1, 'module_load: m ')}\n`), 0);
  reader.restart('replaced');
  reader.push(Buffer.from(`${record(2, 'module_get: m call_site=a refcnt=2')}\n`), 0);
  const report = reader.end(false);
  expect(lines.filter(({ type }) => type === 'gap')).toEqual([
    { type: 'gap', reason: 'replaced', lost: null, input: 1, line: 1 },
  ]);
  expect(report.inputs.map(({ events, lost, lines }) => ({ events, lost, lines }))).toEqual([
    { events: 1, lost: 0, lines: 1 },
    { events: 1, lost: 1, lines: 1 },
  ]);
  expect(report.findings.map(({ rule, title }) => `${rule}: ${title}`)).toEqual([
    'trace-gap: events were lost: before line 1',
  ]);
});

test('what is packed or binary is refused', () => {
  for (const name of ['samples/trace-dat/3.1.6-v6.dat', 'samples/trace-dat/3.1.6-v7-zstd.dat'])
    expect(() => told(name, feeds.whole!)).toThrow('cannot be followed');
  for (const magic of ['1f8b0800', '28b52ffd', 'fd377a585a00']) {
    const reader = createTailReader({ path: 'x', tell: () => {} });
    reader.push(Buffer.from(magic, 'hex'), 0);
    expect(() => reader.end(false)).toThrow('is packed');
  }
});

describe("the kernel's log beside a trace", () => {
  test.each([
    ['tracefs/6.1-stuck-unload.txt', 'kernel-log/6.1-stuck-unload-dmesg.txt'],
    ['tracefs/6.1-put-after-failed-get.txt', 'kernel-log/6.1-put-after-failed-get-dmesg.txt'],
    ['tracefs/6.1-kthread-outlives.txt', 'kernel-log/6.1-kthread-outlives-console.txt'],
  ])('%s is judged with it as analyze does', async (trace, log) => {
    const [tracePath, logPath] = [join(folder, trace), join(folder, log)];
    const lines: TailLine[] = [];
    const reader = createTailReader({ path: tracePath, tell: (line) => lines.push(line) });
    reader.push(readFileSync(tracePath), 0);
    reader.tick(1000);
    for (const line of readFileSync(logPath, 'latin1').split(/(?<=\n)/))
      reader.pushLog(Buffer.from(line, 'latin1'));
    const { findings, inputs } = reader.end(false);
    const whole = (await analyze([tracePath, logPath])).report;
    expect(inputs.map(({ events, lines }) => ({ events, lines }))).toEqual(
      whole.inputs.map(({ events, lines }) => ({ events, lines })),
    );
    const said = (all: Report['findings']) =>
      all.map(({ rule, certainty, title }) => ({ rule, certainty, title }));
    expect(said(findings)).toEqual(said(whole.findings));
  });

  test('a warning that the traced console tells, too, is told once', () => {
    const { lines, reader } = following(undefined);
    const log = 'samples/kernel-log/6.1-put-after-failed-get-dmesg.txt';
    const warning = /WARNING: .*/.exec(readFileSync(log, 'latin1'))![0];
    const pid = /PID: (\d+)/.exec(warning)![1];
    // Invented: the trace of that run has no console event.
    const task = `             cat-${pid}`.padEnd(23);
    const said = () => lines.filter(({ type }) => type === 'fault').length;
    for (const times of [1, 2]) {
      reader.push(Buffer.from(`${record(times, `console: [   ${times}.000000] ${warning}`, task)}\n`), 0);
      reader.tick(1000);
      expect(said()).toBe(times);
      reader.pushLog(readFileSync(log));
      expect(said()).toBe(times);
    }
    reader.pushLog(readFileSync(log));
    expect(said()).toBe(3);
  });

  test('a warning is told when it is whole, though the trace has said nothing yet', () => {
    const { lines, reader } = following('samples/kernel-log/6.1-put-after-failed-get-dmesg.txt');
    expect(lines).toMatchObject([{ type: 'fault', what: 'warn', input: 0 }]);
    reader.push(readFileSync('samples/tracefs/6.1-clean.txt'), 0);
    expect(reader.end(false).inputs.map(({ path, format }) => `${path}: ${format}`)).toEqual([
      'kernel log: kernel-log',
      'x: tracefs',
    ]);
  });
});

function following(log: string | undefined): { lines: TailLine[]; reader: TailReader } {
  const lines: TailLine[] = [];
  const reader = createTailReader({ path: 'x', format: 'tracefs', tell: (line) => lines.push(line) });
  if (log !== undefined) reader.pushLog(readFileSync(log));
  return { lines, reader };
}
