import { UserError } from '../model/errors.ts';
import type { Report, Severity } from '../model/report.ts';
import { printable } from '../report/printable.ts';

export const EXIT = { clean: 0, findings: 1, cannot: 2, damaged: 3, bug: 70 } as const;

/** One line for what the user can mend; the stack for what is our own bug. */
export function exitWith(error: unknown): void {
  if (error instanceof UserError) {
    process.stderr.write(
      `modlife: ${printable(error.message)}${error.hint === undefined ? '' : ` (${printable(error.hint)})`}\n`,
    );
    process.exitCode = EXIT.cannot;
    return;
  }
  process.stderr.write(
    `modlife: this is a bug in modlife, please report it\n${error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exitCode = EXIT.bug;
}

const RANK: Readonly<Record<Severity, number>> = { error: 2, warning: 1, note: 0 };

/** A capture of which more lines are broken than read, or more events lost than kept, proves nothing by silence. */
export function statusOf(report: Report, failOn: Severity, allowGaps: boolean): number {
  if (report.findings.some(({ severity }) => RANK[severity] >= RANK[failOn])) return EXIT.findings;
  const damaged = report.inputs.some(({ events, bad, lost }) => bad + lost > events && bad + lost > 0);
  return damaged && !allowGaps && report.findings.every(({ severity }) => severity === 'note')
    ? EXIT.damaged
    : EXIT.clean;
}
