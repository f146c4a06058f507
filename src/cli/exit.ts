import { existsSync } from 'node:fs';
import type { CommanderError } from 'commander';
import { UserError } from '../model/errors.ts';
import type { Report, Severity } from '../model/report.ts';
import { printable } from '../report/printable.ts';

export const EXIT = { clean: 0, findings: 1, cannot: 2, damaged: 3, bug: 70 } as const;

/** What to say about an error, and the status to end with: one line for what the user can mend, the stack for
 *  what is our own bug. */
export function describeError(error: unknown): { text: string; status: number } {
  if (error instanceof UserError) {
    const hint = error.hint === undefined ? '' : ` (${printable(error.hint)})`;
    return { text: `modlife: ${printable(error.message)}${hint}\n`, status: EXIT.cannot };
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  // A message may quote the capture; the lines of the stack are ours to keep.
  const lines = stack.split('\n').map(printable).join('\n');
  return { text: `modlife: this is a bug in modlife, please report it\n${lines}\n`, status: EXIT.bug };
}

/** What commander says, in one line; nothing where it has shown the help instead. */
export function describeUsage({ code, message }: CommanderError, command: string | undefined): string {
  if (code === 'commander.help') return '';
  const text = printable(message.replace(/^error: /, '').replaceAll('\n', ' '));
  if (code === 'commander.unknownCommand' && command !== undefined && existsSync(command))
    return `modlife: ${text} (modlife analyze ${printable(command)}?)\n`;
  return `modlife: ${text.endsWith('?)') ? text : `${text} (modlife --help tells more)`}\n`;
}

const RANK: Readonly<Record<Severity, number>> = { error: 2, warning: 1, note: 0 };

export function isAsGrave(severity: Severity, as: Severity): boolean {
  return RANK[severity] >= RANK[as];
}

/** A capture of which more lines are broken than read, or more events lost than kept, proves nothing by silence. */
export function statusOf(report: Report, failOn: Severity, allowGaps: boolean): number {
  if (report.findings.some(({ severity }) => isAsGrave(severity, failOn))) return EXIT.findings;
  const damaged = report.inputs.some(({ events, bad, lost }) => bad + lost > events && bad + lost > 0);
  return damaged && !allowGaps && report.findings.every(({ severity }) => severity === 'note')
    ? EXIT.damaged
    : EXIT.clean;
}
