/** Each rule on real kernels: the module with the bug and its fixed twin, recorded in a guest of samples/lab. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, type TestContext, test } from 'vitest';
import { type Finding, reportSchema } from '../model/report.ts';
import { tailLineSchema } from '../model/tail-lines.ts';
import { type Boot, boot, buildGuest, type Recorder } from '../testing/lab.ts';
import { runCli } from '../testing/run-cli.ts';

interface Expected {
  readonly rule: Finding['rule'];
  readonly module: string;
  /** At least. */
  readonly certainty: Finding['certainty'];
  readonly severity: Finding['severity'];
}

const error = (rule: Finding['rule'], module: string): Expected => ({
  rule,
  module,
  certainty: 'observed',
  severity: 'error',
});
const warning = (rule: Finding['rule'], module: string): Expected => ({
  rule,
  module,
  certainty: 'predicted',
  severity: 'warning',
});

/** What each says when it has its bug; the guest survives. */
const harmless: Readonly<Record<string, readonly Expected[]>> = {
  'ref-leak': [error('ref-leak', 'teach_ref_leak')],
  'put-without-get': [error('put-without-get', 'teach_extra_put')],
  'put-after-failed-get': [error('put-after-failed-get', 'teach_backend')],
  'unprotected-get': [warning('unprotected-get', 'teach_own_get')],
  'free-in-softirq': [error('free-in-interrupt', 'teach_irq_free')],
  'free-in-hardirq': [error('free-in-interrupt', 'teach_irq_free')],
  'stuck-unload': [error('stuck-unload', 'teach_stuck')],
  'hardirq-completion': [error('ref-leak', 'teach_request')],
  'cross-module-put': [{ ...warning('ref-leak', 'teach_server'), certainty: 'possible' }],
  'busy-unload': [{ rule: 'busy-unload', module: 'teach_device', certainty: 'possible', severity: 'note' }],
  'trace-gap': [{ rule: 'trace-gap', module: '*', certainty: 'observed', severity: 'note' }],
  'release-after-exit:lucky': [warning('release-after-exit', 'teach_kobject')],
  'text-in-use-rcu:lucky': [{ ...warning('text-in-use', 'teach_rcu'), certainty: 'possible' }],
  // The last: what the file that is still open points to is gone, so the guest may not live long.
  'forced-unload': [error('forced-unload', 'teach_device')],
};

/** Those whose guest does not survive, or is not to be trusted afterwards. */
const crashing: Readonly<Record<string, readonly Expected[]>> = {
  'early-put': [error('early-put', 'teach_thread_put'), error('text-in-use', 'teach_thread_put')],
  'release-after-exit': [error('release-after-exit', 'teach_kobject')],
  'text-in-use-timer': [error('text-in-use', 'teach_timer')],
  'text-in-use-work': [error('text-in-use', 'teach_work')],
  'text-in-use-kthread': [error('text-in-use', 'teach_kthread')],
  'text-in-use-rcu': [error('text-in-use', 'teach_rcu')],
  'no-owner': [error('text-in-use', 'teach_no_owner')],
};

/** Where the race did not fire and the guest lives on, it is predicted. */
const lucky: Readonly<Record<string, readonly Expected[]>> = {
  'text-in-use-rcu': [warning('text-in-use', 'teach_rcu')],
};

/** Those that are told without a probe on a function of the module: each takes bpftrace half a minute to begin. */
const withEventsAlone = ['put-without-get', 'put-after-failed-get'];

/** Those that need probes on the module, set while it is loaded, and their order with the rest of the trace. */
const withProbes = ['ref-leak', 'free-in-softirq', 'release-after-exit:lucky'];

/** What looks like a bug and is none. */
const lookAlikes = ['failed-init', 'transient-holders', 'forced-unload:idle', 'trace-gap:lucky'];

const clean = [
  ...lookAlikes,
  ...[...Object.keys(harmless), ...Object.keys(crashing)]
    .filter((job) => !job.includes(':'))
    .map((job) => `${job}:fixed`),
];

const certainties: readonly Finding['certainty'][] = ['possible', 'predicted', 'observed'];

/** Modlife itself in the guest, where this checkout has the commands; a shell's recording otherwise. */
const hasCapture = existsSync('src/cli/commands/capture.ts');
const recorder: Recorder = hasCapture ? 'capture' : 'tracefs';

const kernel = inject('kernel');

describe(`Linux ${kernel}`, () => {
  const because = buildGuest(kernel);
  if (because !== undefined) console.warn(`skipped: ${because}`);

  describe.skipIf(because !== undefined)(`recorded with ${recorder}`, () => {
    let together: Boot;
    beforeAll(() => {
      // The fixed ones first: some of the others stay loaded for ever.
      together = boot(kernel, recorder, [...clean, ...Object.keys(harmless)]);
    });
    afterAll(() => together?.remove());

    /** Its recording; when the test is tried again, a new one. */
    function recordingOf(job: string, { task, onTestFinished }: TestContext): Boot {
      if ((task.result?.retryCount ?? 0) === 0) return together;
      const again = boot(kernel, recorder, [job]);
      onTestFinished(again.remove);
      return again;
    }

    test.for(clean)('%s is clean', async (job, context) => {
      const findings = await expectFindings(recordingOf(job, context), job, [], context.skip);
      // What its scenario is about is not even a note.
      const scenario = job.split(':')[0]!;
      const about = (harmless[scenario] ?? crashing[scenario] ?? []).map(({ rule }) => rule);
      expect(findings.filter(({ rule }) => about.includes(rule)).map(summary)).toEqual([]);
    });

    test.for(Object.entries(harmless))('%s is found', async ([job, expected], context) => {
      await expectFindings(recordingOf(job, context), job, expected, context.skip);
    });

    test.for(Object.entries(crashing))('%s is found', async ([job, expected], { skip }) => {
      const alone = boot(kernel, recorder, [job], true);
      const survived = existsSync(join(alone.folder(job), 'dmesg.txt'));
      await expectFindings(alone, job, (survived ? lucky[job] : undefined) ?? expected, skip);
      alone.remove();
    });
  });

  test.skipIf(because !== undefined || !hasCapture)('bpftrace records what they need', async ({ skip }) => {
    const together = boot(kernel, 'bpftrace', withEventsAlone);
    for (const job of withEventsAlone) await expectFindings(together, job, harmless[job]!, skip);
    together.remove();
  });

  test.skipIf(because !== undefined)('README leads a shell to the holder', async ({ skip }) => {
    const job = 'busy-unload:held';
    const recorded = boot(kernel, 'readme', [job]);
    const reason = recorded.skipped(job);
    if (reason !== undefined) skip(reason);
    const { stdout } = await runCli(['why-busy', 'teach_device', ...recorded.captures(job)]);
    expect(stdout).toMatch(/^ +held by misc_open: an open file, by sh\/\d+ at /m);
    recorded.remove();
  });

  test.skipIf(because !== undefined || !hasCapture)('trace-cmd records what they need', async ({ skip }) => {
    const together = boot(kernel, 'trace-cmd', ['ref-leak:fixed', ...withProbes]);
    await expectFindings(together, 'ref-leak:fixed', [], skip);
    for (const job of withProbes) {
      await expectFindings(together, job, harmless[job]!, skip);
      expect(readdirSync(join(together.folder(job), 'capture'))).toContain('trace.dat');
    }
    together.remove();
  });

  test.skipIf(because !== undefined || !hasCapture)(
    'nor does trace-cmd leave anything behind',
    async ({ skip }) => {
      const job = 'ref-leak:fixed';
      const recorded = boot(kernel, 'leftovers-trace-cmd', [job]);
      const reason = recorded.skipped(job);
      if (reason !== undefined) skip(reason);
      expect(readFileSync(join(recorded.folder(job), 'left.txt'), 'utf8')).toMatch(
        /^success: 0\nfailure: 0\nINT: 0\nKILL: [1-9]\d*\ncleanup: 0\nrecorder: 0\nboth: 0\n$/,
      );
      // It came to its end without modlife.
      const { stdout } = await runCli(['analyze', '--json', join(recorded.folder(job), 'KILL')]);
      const { inputs, modules } = reportSchema.parse(JSON.parse(stdout));
      expect(inputs[0]).toMatchObject({ format: 'trace-dat', lost: 0 });
      expect(modules.map(({ module }) => module)).toContain('teach_ref_leak');
      recorded.remove();
    },
  );

  test.skipIf(because !== undefined || !hasCapture)('nothing is left behind in tracefs', ({ skip }) => {
    const job = 'ref-leak:fixed';
    const recorded = boot(kernel, 'leftovers', [job]);
    const reason = recorded.skipped(job);
    if (reason !== undefined) skip(reason);
    const left = readFileSync(join(recorded.folder(job), 'left.txt'), 'utf8');
    // What was killed could not clear up, which shows that there is something to clear up.
    expect(left).toMatch(/^success: 0\nfailure: 0\nINT: 0\nKILL: [1-9]\d*\ncleanup: 0\n$/);
    recorded.remove();
  });

  test.skipIf(because !== undefined || !hasCapture)('ci tells the bug from its cure', ({ skip }) => {
    const both = boot(kernel, 'ci', ['ref-leak:fixed', 'ref-leak']);
    const reason = both.skipped('ref-leak');
    if (reason !== undefined) skip(reason);
    expect(readFileSync(join(both.folder('ref-leak:fixed'), 'status'), 'utf8')).toBe('0\n');
    expect(readFileSync(join(both.folder('ref-leak'), 'status'), 'utf8')).toBe('1\n');
    const verdict = readFileSync(join(both.folder('ref-leak'), 'verdict.txt'), 'utf8');
    expect(verdict).toMatch(/^error +ref-leak +observed +teach_ref_leak_write/m);
    both.remove();
  });

  test.skipIf(because !== undefined || !hasCapture)(
    'tail --live tells while it happens',
    async ({ skip }) => {
      const watched = boot(kernel, 'live', ['ref-leak', 'release-after-exit:lucky']);
      const reason = watched.skipped('ref-leak');
      if (reason !== undefined) skip(reason);
      const leak = toldIn(watched, 'ref-leak');
      const kept = join(watched.folder('ref-leak'), 'kept');
      const [moment, ...more] = readdirSync(kept);
      expect(more).toEqual([]);
      const { stdout } = await runCli(['analyze', '--json', join(kept, moment!)]);
      expect(reportSchema.parse(JSON.parse(stdout)).findings.map(({ rule }) => rule)).toContain('ref-leak');
      expect(leak.map(summary)).toEqual([
        expect.stringMatching(/^warning possible ref-leak in teach_ref_leak: /),
        expect.stringMatching(/^error observed ref-leak in teach_ref_leak: /),
      ]);
      const race = toldIn(watched, 'release-after-exit:lucky');
      expect(race.map(summary)).toEqual([
        expect.stringMatching(/^warning predicted release-after-exit in teach_kobject: /),
      ]);
      watched.remove();
    },
  );
});

/** The findings that were told, provisional or not, notes left out, before the summary at the end. */
function toldIn(from: Boot, job: string): Finding[] {
  return readFileSync(join(from.folder(job), 'live.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => tailLineSchema.parse(JSON.parse(line)))
    .flatMap((line) => (line.type === 'finding' && line.finding.severity !== 'note' ? [line.finding] : []));
}

/** Each of `expected` is there, and at warning or above nothing but these rules.
 *  @returns all there is */
async function expectFindings(
  from: Boot,
  job: string,
  expected: readonly Expected[],
  skip: (reason: string) => never,
): Promise<Finding[]> {
  const reason = from.skipped(job);
  if (reason !== undefined) skip(reason);
  const { stdout, stderr } = await runCli(['analyze', '--json', ...from.captures(job)]);
  expect(stderr).toBe('');
  const { findings } = reportSchema.parse(JSON.parse(stdout));
  const grave = findings.filter(({ severity }) => severity !== 'note');
  for (const { rule, module, severity, certainty } of expected) {
    const finding = findings.find((one) => one.rule === rule && one.module === module);
    expect(finding, `${rule} in ${module}; there is: ${grave.map(summary).join(', ')}`).toBeDefined();
    expect(finding!.severity, summary(finding!)).toBe(severity);
    expect(certainties.indexOf(finding!.certainty), summary(finding!)).toBeGreaterThanOrEqual(
      certainties.indexOf(certainty),
    );
  }
  // A crash may be told once more, from the kernel log.
  const others = grave.filter(
    (one) => !expected.some(({ rule, module }) => one.rule === rule && one.module === module),
  );
  expect(others.map(summary)).toEqual([]);
  return findings;
}

function summary({ severity, certainty, rule, module, title }: Finding): string {
  return `${severity} ${certainty} ${rule} in ${module}: ${title}`;
}
