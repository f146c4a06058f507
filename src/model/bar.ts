/** What makes a run fail. */
import type { Finding, InputSummary, Report, Severity } from './report.ts';

export interface Bar {
  /** The least severity of a finding that does. */
  readonly failOn: Severity;
  /** Silence is taken for an answer where it is none: the capture is damaged, or no rule could be asked of it. */
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

/** A capture that is cut off, or of which more was lost or broken than read, proves nothing by silence. */
export function isDamagedInput({ events, bad, lost, reading }: InputSummary): boolean {
  return reading?.cut !== undefined || bad + lost > events;
}

export function isDamaged({ inputs }: Report): boolean {
  return inputs.some(isDamagedInput);
}

/** Some rule found its events, or what was recorded is known, so that they would have been there: else silence says
 *  nothing of a module. */
export function wasAsked({ passes, inputs }: Report): boolean {
  return passes.some(({ ran }) => ran) || inputs.some(({ capture }) => capture !== undefined);
}

/** Nothing worse than a note was found, and that is no answer. */
export function isEmptySilence(report: Report): boolean {
  return (
    (isDamaged(report) || !wasAsked(report)) && report.findings.every(({ severity }) => severity === 'note')
  );
}

export function provesNothing(report: Report, { allowGaps }: Bar): boolean {
  return !allowGaps && isEmptySilence(report);
}
