/** --baseline and --suppress, wherever --fail-on is. */
import type { Command } from 'commander';
import { UserError } from '../model/errors.ts';
import type { Report } from '../model/report.ts';
import type { TriageOptions } from '../questions/triage.ts';
import { printable } from '../report/printable.ts';
import type { Io } from './io.ts';

export interface TriageFiles {
  readonly baseline?: string;
  readonly suppress?: string;
}

export function addTriageOptions(command: Command): Command {
  return command
    .option('--baseline <file>', 'do not count what this earlier run found: analyze --json, store or capture')
    .option(
      '--suppress <file>',
      'do not count what this file names, with a reason (modlife schema suppressions)',
    );
}

/** @param inputs what else is read: stdin can be read once only */
export async function readTriage(
  { baseline, suppress }: TriageFiles,
  inputs: readonly string[],
  io: Io,
): Promise<TriageOptions> {
  if (baseline === '-' && inputs.includes('-'))
    throw new UserError('usage', '- is given twice', 'stdin can be read once only');
  const [findings, suppressions] = await Promise.all([
    baseline === undefined
      ? undefined
      : import('./read-findings.ts').then(({ readFindings }) => readFindings(baseline, io)),
    suppress === undefined
      ? undefined
      : import('./read-suppressions.ts').then(({ readSuppressions }) => readSuppressions(suppress)),
  ]);
  return { baseline: findings?.findings, suppressions, today: io.today };
}

/** What of the file is no longer needed, for stderr; '' when all of it is. */
export function idleSuppressions({ suppressions = [] }: Report): string {
  return suppressions
    .flatMap(({ path, line, reason, expires, state }) => {
      if (state === 'expired') return [`${path}:${line}: suppression expired on ${expires}: ${reason}`];
      if (state === 'unused') return [`${path}:${line}: suppression is not used: ${reason}`];
      return [];
    })
    .map((text) => `modlife: ${printable(text)}\n`)
    .join('');
}
