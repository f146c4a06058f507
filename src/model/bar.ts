/** What makes a run fail. */
import type { Finding, Report, Severity } from './report.ts';

export interface Bar {
  /** The least severity of a finding that does. */
  readonly failOn: Severity;
  /** Silence of a damaged capture is taken for an answer. */
  readonly allowGaps: boolean;
}

const RANK: Readonly<Record<Severity, number>> = { error: 2, warning: 1, note: 0 };

function isAsGrave(severity: Severity, as: Severity): boolean {
  return RANK[severity] >= RANK[as];
}

/** Neither suppressed nor known from a baseline. */
export function counts({ suppressed, baseline }: Finding): boolean {
  return suppressed === undefined && baseline !== 'known';
}

export function isFailure(finding: Finding, { failOn }: Pick<Bar, 'failOn'>): boolean {
  return counts(finding) && isAsGrave(finding.severity, failOn);
}

/** A capture of which more lines are broken than read, or more events lost than kept, proves nothing by silence. */
export function isDamaged({ inputs }: Report): boolean {
  return inputs.some(({ events, bad, lost }) => bad + lost > events && bad + lost > 0);
}

export function provesNothing(report: Report, { allowGaps }: Bar): boolean {
  return isDamaged(report) && !allowGaps && report.findings.every(({ severity }) => severity === 'note');
}
