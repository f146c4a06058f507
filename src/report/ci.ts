/** The verdict of `ci`: a screenful of a log that others read as well. */
import type { CiAnswer } from '../model/answers.ts';
import { isEmptySilence } from '../model/bar.ts';
import { grouped } from '../model/grouped.ts';
import { clip, plural, type Style, span } from './layout.ts';
import { emptySilence } from './silence.ts';

/** Lines in all: a head, the findings, how many more, what was not asked, where the capture is. */
const LINES = 15;
const OTHERS = 4;

export function renderCi(
  { command, status, signal, elapsed, directory, report }: CiAnswer,
  style: Style,
): string {
  const { findings, inputs, passes, summary } = report;
  const lost = inputs.reduce((sum, input) => sum + input.lost, 0);
  const events = inputs.reduce((sum, input) => sum + input.events, 0);
  const idle = passes.filter(({ ran }) => !ran).map(({ rule }) => rule);
  const loud = findings.filter(({ severity }) => severity !== 'note');
  const shown = loud.slice(0, LINES - OTHERS);
  const counts = (['error', 'warning', 'note'] as const)
    .filter((severity) => summary[severity] > 0)
    .map((severity) => plural(summary[severity], severity));
  return `${[
    `modlife: ${counts.length > 0 ? counts.join(', ') : isEmptySilence(report) ? 'no answer' : 'nothing found'}; ${command[0]} ended with ${signal ?? status} after ${span(elapsed)}; ${plural(events, 'event')}, ${lost === 0 ? 'none' : grouped(lost)} lost`,
    ...(isEmptySilence(report) ? [emptySilence(report)] : []),
    ...shown.map(({ severity, rule, certainty, title }) => `${severity}  ${rule}  ${certainty}  ${title}`),
    ...(loud.length > shown.length ? [`and ${loud.length - shown.length} more`] : []),
    ...(idle.length === 0 ? [] : [`not asked: ${idle.join(', ')}`]),
    ...(directory === undefined ? [] : [`modlife analyze ${directory}`]),
  ]
    .map((line) => clip(line, Math.max(style.width, WIDE)))
    .join('\n')}\n`;
}

/** A log is wider than a terminal. */
const WIDE = 160;
