/** Why finding nothing in a capture does not mean that there is nothing. */
import { isDamagedInput, wasAsked } from '../model/bar.ts';
import type { InputSummary, Report } from '../model/report.ts';
import { plural } from './layout.ts';
import { cutOff, nameOf } from './reading-notes.ts';

/** @param report of which `isEmptySilence` is true */
export function emptySilence(report: Report): string {
  return wasAsked(report)
    ? `Nothing ${report.findings.length === 0 ? '' : 'worse '}found, but this capture is too damaged to tell: ${damage(report)}`
    : 'Nothing could be asked: no rule found its events in this capture';
}

function damage({ inputs }: Report): string {
  return inputs
    .filter(isDamagedInput)
    .map((input) => `${inputs.length === 1 ? '' : `${nameOf(input.path)}: `}${damageOf(input)}`)
    .join('; ');
}

function damageOf(input: InputSummary): string {
  const { events, lost, bad } = input;
  const harm = [
    ...cutOff(input),
    ...(lost === 0 ? [] : [`${plural(lost, 'event')} lost`]),
    ...(bad === 0 ? [] : [`${plural(bad, 'line')} unreadable`]),
  ];
  return `${harm.join(' and ')}, beside ${plural(events, 'event')} read`;
}
