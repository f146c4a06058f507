import { existsSync } from 'node:fs';
import type { CommanderError } from 'commander';
import { type Bar, isFailure, provesNothing } from '../model/bar.ts';
import { UserError } from '../model/errors.ts';
import type { Report } from '../model/report.ts';
import { printable } from '../report/printable.ts';

export const EXIT = { clean: 0, findings: 1, cannot: 2, damaged: 3, bug: 70 } as const;

/** In the order of the manual page. */
export const EXIT_MEANS: Readonly<Record<keyof typeof EXIT, string>> = {
  clean: 'nothing was found at or above --fail-on (default error), or what was asked is answered',
  findings: 'analyze, tail, diff and ci: findings at or above --fail-on',
  cannot: 'it could not do the job: usage, input that cannot be read, output that cannot be written',
  damaged:
    'nothing was found, and that proves nothing: no rule could be asked, or the capture is too damaged',
  bug: 'a bug in modlife, told with its stack',
};

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

export function statusOf(report: Report, bar: Bar): number {
  if (report.findings.some((finding) => isFailure(finding, bar))) return EXIT.findings;
  return provesNothing(report, bar) ? EXIT.damaged : EXIT.clean;
}
