/** One run, recorded by everything at once: each source says what the others say, as far as it can tell of it. */
import { describe, expect, test } from 'vitest';
import { analyze } from './analyze.ts';

interface Source {
  readonly file: string;
  /** What it does not say, and why. */
  readonly without: Readonly<Record<string, string>>;
  /** Rules that it has no events for in this run. */
  readonly notRun: readonly string[];
}

const LEAK = 'ref-leak in ml_getleak, observed: ml_getleak_open by bash';
const UNPROTECTED = 'unprotected-get in ml_getleak, predicted: ml_getleak_open by cat';

const sources: readonly Source[] = [
  { file: 'trace.txt', without: {}, notRun: ['forced-unload'] },
  { file: 'trace_pipe.txt', without: {}, notRun: ['forced-unload'] },
  // rmmod saw that the module is in use and made no system call; the others saw those of earlier modules.
  { file: 'bpftrace.txt', without: {}, notRun: ['stuck-unload', 'forced-unload', 'busy-unload'] },
  { file: 'trace.dat.xz', without: {}, notRun: ['stuck-unload', 'forced-unload', 'busy-unload'] },
  {
    file: 'report.txt.xz',
    without: {
      [UNPROTECTED]: 'trace-cmd prints where a probe was as an address, so the caller is not known',
    },
    notRun: ['free-in-interrupt', 'stuck-unload', 'forced-unload', 'busy-unload'],
  },
  {
    file: 'perf.txt.xz',
    without: {},
    notRun: ['free-in-interrupt', 'stuck-unload', 'forced-unload', 'busy-unload'],
  },
];

const pathOf = (file: string) => `samples/one-run/6.1-get-leak-${file}`;

async function said(...paths: readonly string[]) {
  const { report } = await analyze(paths);
  return {
    report,
    findings: report.findings
      .filter(({ severity }) => severity !== 'note')
      .map(
        ({ rule, module, certainty, culprit }) =>
          `${rule} in ${module}, ${certainty}: ${culprit.symbol} by ${culprit.task?.comm}`,
      ),
    notRun: report.passes.filter(({ ran }) => !ran).map(({ rule }) => rule),
  };
}

describe('read from', () => {
  test.each(sources.map((source) => [source.file, source] as const))(
    '%s',
    async (file, { without, notRun }) => {
      const one = await said(pathOf(file));
      expect(one.findings).toEqual([LEAK, UNPROTECTED].filter((finding) => without[finding] === undefined));
      expect(one.notRun).toEqual(notRun);
      // Four opens, one of which never gives back what it took; and the loader's own put.
      const own = one.report.modules.find(({ module }) => module === 'ml_getleak')!;
      expect(own).toMatchObject({ held: 1, state: 'live', maxRefcnt: 3 });
    },
  );

  test('all six together, on three clocks', async () => {
    const all = await said(...sources.map(({ file }) => pathOf(file)));
    expect(all.findings.map((finding) => finding.split(',')[0])).toEqual([
      'ref-leak in ml_getleak',
      'unprotected-get in ml_getleak',
    ]);
    expect(all.report.modules).toMatchObject([{ module: 'ml_getleak', incarnations: 1, held: 1 }]);
    const offsets = all.report.inputs.map(({ reading }) => reading?.offset?.ns);
    expect(offsets.map((ns) => ns !== undefined)).toEqual([false, false, true, false, false, true]);
  });
});

/** Another run, in which delete_module was called. */
describe('a put after a failed get, read from', () => {
  const paths = [
    'samples/perf-script/6.1-put-after-failed-get.txt',
    'samples/one-run/6.1-put-after-failed-get-trace.dat.xz',
    'samples/one-run/6.1-put-after-failed-get-report.txt.xz',
  ];
  const finding = 'put-after-failed-get in ml_backend, observed: ml_reg_use by cat';

  test.each(paths)('%s', async (path) => {
    expect((await said(path)).findings).toEqual([finding]);
  });

  test('all three together', async () => {
    expect((await said(...paths)).findings).toEqual([finding]);
  });
});
