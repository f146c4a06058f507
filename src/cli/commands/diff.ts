import type { Command } from 'commander';
import type { Severity } from '../../model/report.ts';
import type { Run } from '../program.ts';

interface Options {
  json?: boolean;
  failOn: Severity;
  allowGaps?: boolean;
}

export function registerDiff(command: Command, run: Run): void {
  command
    .option('--json', 'the same as JSON (modlife schema diff describes it)')
    .addOption(
      command
        .createOption('--fail-on <severity>', 'exit 1 at new findings of this severity or above')
        .choices(['error', 'warning', 'note'])
        .default('error'),
    )
    .option('--allow-gaps', 'exit 0, not 3, when the second shows nothing new, which proves nothing')
    .addHelpText(
      'after',
      `
A finding is not called fixed when the second run could not have shown it: the
rule did not run, or the module never appeared. It is not decided then.

Example: modlife diff yesterday.json today.trace`,
    )
    .action(async (before: string, after: string, options: Options) => {
      const { io } = run;
      const [{ readFindings }, { diff }, { print }, { statusOf }, { UserError }] = await Promise.all([
        import('../read-findings.ts'),
        import('../../questions/diff.ts'),
        import('../print.ts'),
        import('../exit.ts'),
        import('../../model/errors.ts'),
      ]);
      if (before === '-' && after === '-')
        throw new UserError('usage', '- is given twice', 'stdin can be read once only');
      const a = { path: before, report: await readFindings(before, io) };
      const b = { path: after, report: await readFindings(after, io) };
      const answer = diff(a, b);
      await print(answer, options, io);
      const { failOn, allowGaps } = options;
      run.status = statusOf({ ...b.report, findings: answer.new }, { failOn, allowGaps: allowGaps === true });
    });
}
