import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { Report } from '../model/report.ts';
import { analyze } from './analyze.ts';

const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sample = (name: string) => join('samples', name);
const said = ({ findings }: Report) =>
  findings.map(({ rule, module, certainty }) => `${rule} in ${module} ${certainty}`).sort();
const reportOf = async (...paths: string[]) => (await analyze(paths)).report;

describe('two recordings of one run', () => {
  test.each([
    // ftrace's local clock and perf's.
    ['tracefs/6.1-get-leak.txt', 'perf-script/6.1-get-leak.txt', 1.788],
    // Two bpftraces: the second sees an event later, by what the first takes for it.
    ['bpftrace/6.1-leak.txt', 'bpftrace/6.1-leak.json', 0],
    ['bpftrace/6.12-fixed.txt', 'bpftrace/6.12-fixed.json', 0],
    ['bpftrace/7.2-leak.txt', 'bpftrace/7.2-leak.json', 0],
    ['trace-dat/3.1.6-v6.dat', 'trace-dat/3.1.6-report_t.txt', 0],
    ['tracefs/6.1-options/sym-before-unload.txt', 'tracefs/6.1-options/sym-after-unload.txt', 0],
  ])('%s and %s say together what the first says', async (a, b, seconds) => {
    const [alone, together] = [await reportOf(sample(a)), await reportOf(sample(a), sample(b))];
    const counts = ({ modules }: Report) =>
      modules.map(({ module, incarnations, gets, puts }) => ({ module, incarnations, gets, puts }));
    expect(counts(together)).toEqual(counts(alone));
    expect(said(together)).toEqual(said(alone));
    const offset = together.inputs[1]!.reading?.offset;
    expect((offset?.ns ?? 0) / 1e9).toBeCloseTo(seconds, 2);
    expect(offset?.uncertainty_ns ?? 0).toBeLessThan(2e6);
    expect(together.inputs.reduce((sum, { reading }) => sum + (reading?.repeated ?? 0), 0)).toBeGreaterThan(
      0,
    );
  });

  test('the same file three times is told once', async () => {
    const path = sample('tracefs/6.1-stuck-unload.txt');
    const [alone, together] = [await reportOf(path), await reportOf(path, path, path)];
    expect(together.findings.map(({ fingerprint }) => fingerprint)).toEqual(
      alone.findings.map(({ fingerprint }) => fingerprint),
    );
    expect(together.inputs.map(({ reading }) => reading?.repeated ?? 0)).toEqual([
      0,
      alone.inputs[0]!.events,
      alone.inputs[0]!.events,
    ]);
  });

  test('and however often a task did the same', async () => {
    const lines = Array.from(
      { length: 100 },
      (_, at) =>
        `            bash-20      [000] .....   100.${String(at).padStart(6, '0')}: module_get: m call_site=f refcnt=2\n`,
    );
    const path = join(folder, 'often.txt');
    writeFileSync(path, lines.join(''));
    expect((await reportOf(path, path)).inputs.map(({ reading }) => reading)).toEqual([
      undefined,
      { repeated: 100 },
    ]);
  });

  test('a store answers as they did', async () => {
    const paths = ['tracefs/6.1-get-leak.txt', 'perf-script/6.1-get-leak.txt'].map(sample);
    const db = join(folder, 'both.db');
    const { report } = await analyze(paths, { db });
    expect((await analyze([db])).report).toEqual(report);
  });
});

describe('captures of two boots', () => {
  test('are refused where both cover a time and share nothing of it', async () => {
    await expect(
      reportOf(sample('tracefs/6.1-get-leak.txt'), sample('tracefs/6.1-release-after-exit.txt')),
    ).rejects.toThrow(
      /no events in common, although both cover 20\.1 to 113\.5 s: two boots, or two clocks\?/,
    );
  });

  test('are refused where they name two kernels', async () => {
    await expect(
      reportOf(sample('bpftrace/6.1-leak.txt'), sample('kernel-log/6.12-text-in-use-rcu-console.txt')),
    ).rejects.toThrow(/\(Linux 6\.1\.\S+\) with .* \(Linux 6\.12\.\S+\): two kernels/);
  });

  test('are told of where nothing shows it: a log that names no task of the trace', async () => {
    const unchecked = async (trace: string) =>
      (await reportOf(sample(trace), sample('kernel-log/6.1-stuck-unload-dmesg.txt'))).inputs.map(
        ({ reading }) => reading?.unchecked,
      );
    expect(await unchecked('tracefs/6.1-stuck-unload.txt')).toEqual([undefined, undefined]);
    expect(await unchecked('tracefs/6.1-get-leak.txt')).toEqual([undefined, true]);
  });

  /** Invented. */
  // Invented, as the next ones: every twentieth of a second one task takes a reference.
  const record = (at: number) =>
    `            bash-20      [000] .....   ${(100 + at / 20).toFixed(6)}: module_get: m call_site=f refcnt=2\n`;

  test('are not seen where one has but a tenth of the other', async () => {
    const whole = Array.from({ length: 60 }, (_, at) => record(at));
    const tenth = whole.filter((_, at) => at % 10 === 5);
    const [all, few] = [join(folder, 'whole.txt'), join(folder, 'tenth.txt')];
    writeFileSync(all, whole.join(''));
    writeFileSync(few, tenth.join(''));
    const { inputs } = await reportOf(all, few);
    expect(inputs[1]!.reading?.repeated).toBe(tenth.length);
  });

  test('are seen where few share a time by chance, unless events were lost', async () => {
    const lost = 'CPU:0 [LOST 9 EVENTS]\n';
    const [one, other] = [join(folder, 'one.txt'), join(folder, 'other.txt')];
    writeFileSync(one, Array.from({ length: 40 }, (_, at) => record(at)).join(''));
    const between = [record(3), ...Array.from({ length: 30 }, (_, at) => record(at + 3.5))];
    writeFileSync(other, between.join(''));
    await expect(reportOf(one, other)).rejects.toThrow('two boots');
    writeFileSync(other, [between[0], lost, ...between.slice(1)].join(''));
    await expect(reportOf(one, other)).resolves.toBeDefined();
  });

  test('are not seen in captures that left out something else each', async () => {
    const file = (name: string, lines: readonly string[]) => {
      const path = join(folder, name);
      writeFileSync(path, lines.join(''));
      return path;
    };
    const gets = (from: number, cpu: number, pid: number, module: string) =>
      Array.from(
        { length: 20 },
        (_, at) =>
          `            bash-${pid}      [00${cpu}] .....   ${(from + at).toFixed(6)}: module_get: ${module} call_site=f refcnt=2\n`,
      );
    const one = file('one.txt', gets(100, 0, 20, 'a'));
    for (const [name, lines] of Object.entries({
      cpu: gets(100.5, 1, 20, 'a'),
      task: gets(100.5, 0, 21, 'a'),
      module: gets(100.5, 0, 20, 'b'),
      time: gets(130, 0, 20, 'a'),
    }))
      await expect(reportOf(one, file(`${name}.txt`, lines)), name).resolves.toBeDefined();
  });
});

/** Invented. */
describe('clocks that differ', () => {
  const record = (seconds: number, pid: number, what: string) =>
    `            bash-${String(pid).padEnd(7)} [000] .....  ${seconds.toFixed(6)}: ${what}\n`;
  const loads = (offset: number, speed = 1) =>
    [1, 2, 3, 4].map((at) => record(offset + at * speed, 20 + at, `module_load: m${at} OE`)).join('');
  let files = 0;
  const file = (text: string) => {
    const path = join(folder, `${files++}.txt`);
    writeFileSync(path, text);
    return path;
  };

  test('are told apart by the tasks that loaded and freed the same modules', async () => {
    const { inputs } = await reportOf(
      file(loads(100)),
      file(`${loads(500)}${record(505, 30, 'module_free: m1')}`),
    );
    expect(inputs[0]!.reading).toBeUndefined();
    expect(inputs[1]).toMatchObject({
      first: 101e9,
      last: 105e9,
      reading: { offset: { ns: -400e9, uncertainty_ns: 1000, anchors: 4, to: 0 }, repeated: 4 },
    });
  });

  test('also from one capture to the next', async () => {
    const { inputs } = await reportOf(
      file(loads(100)),
      file(record(701, 40, 'module_load: x OE') + record(702, 41, 'module_load: y OE')),
      file(`${loads(500)}${record(506, 40, 'module_load: x OE')}${record(507, 41, 'module_load: y OE')}`),
    );
    expect(inputs[1]!.reading?.offset).toEqual({ ns: -595e9, uncertainty_ns: 2000, anchors: 2, to: 2 });
  });

  test('are refused when one task must do', async () => {
    const one = record(501, 21, 'module_load: m1 OE');
    await expect(reportOf(file(loads(100)), file(one))).rejects.toThrow('no two tasks');
  });

  test('are not seen in what a shell does again and again', async () => {
    const shell = (offset: number) =>
      [1, 2].map((at) => record(offset + at, 9, `module_get: m call_site=f${at} refcnt=2`)).join('');
    const { inputs } = await reportOf(file(shell(100)), file(shell(500)));
    expect(inputs.map(({ first, reading }) => [first, reading])).toEqual([
      [101e9, { unchecked: true }],
      [501e9, { unchecked: true }],
    ]);
  });

  test('are refused when one runs faster', async () => {
    await expect(reportOf(file(loads(100)), file(loads(500, 1.01)))).rejects.toThrow(
      /their clocks -400\.040000 s to -400\.010000 s apart/,
    );
  });

  test('that nothing shows to be the same are said to be taken so', async () => {
    const { inputs } = await reportOf(file(loads(100)), file(record(102, 50, 'module_load: other OE')));
    expect(inputs.map(({ reading }) => reading)).toEqual([{ unchecked: true }, { unchecked: true }]);
  });
});
