/** Why finding nothing in a capture does not mean that there is nothing. */
import { wasAsked } from '../model/bar.ts';
import type { Report } from '../model/report.ts';
import { plural } from './layout.ts';

/** @param report of which `isEmptySilence` is true */
export function emptySilence(report: Report): string {
  return wasAsked(report)
    ? `Nothing ${report.findings.length === 0 ? '' : 'worse '}found, but this capture is too damaged to tell: ${damage(report)}`
    : 'Nothing could be asked: no rule found its events in this capture';
}

function damage({ inputs }: Report): string {
  const total = (what: 'bad' | 'lost' | 'events') => inputs.reduce((sum, input) => sum + input[what], 0);
  const [lost, bad] = [total('lost'), total('bad')];
  const harm = [
    ...(lost === 0 ? [] : [`${plural(lost, 'event')} lost`]),
    ...(bad === 0 ? [] : [`${plural(bad, 'line')} unreadable`]),
  ];
  return `${harm.join(' and ')}, beside ${plural(total('events'), 'event')} read`;
}
