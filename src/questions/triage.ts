/** Which findings count: not those of a baseline, not those that somebody suppressed. */
import { counts } from '../model/bar.ts';
import type { Finding, Report, Severity } from '../model/report.ts';
import type { Suppression } from '../model/suppressions.ts';
import { createMatcher } from './fingerprints.ts';

export interface TriageOptions {
  /** Of an earlier run. */
  readonly baseline: readonly Finding[] | undefined;
  readonly suppressions: readonly PlacedSuppression[] | undefined;
  /** YYYY-MM-DD, asked for only where something expires. */
  readonly today: () => string;
}

export interface PlacedSuppression extends Suppression {
  readonly path: string;
  readonly line: number;
}

/** Marks findings one after the other: each takes its like out of the baseline, unless it may yet be withdrawn. */
export type Mark = (finding: Finding, provisional?: boolean) => Finding;

export function createMark({ baseline, suppressions = [], today }: TriageOptions): Mark {
  const before = baseline === undefined ? undefined : createMatcher(baseline);
  const inForce = suppressions.filter((suppression) => !isExpired(suppression, today));
  return (finding, provisional = false) => {
    const known = before?.take(finding, provisional ? 'leave' : undefined) !== undefined;
    const suppression = inForce.find((candidate) => isAbout(candidate, finding));
    return {
      ...finding,
      ...(before === undefined ? {} : { baseline: known ? 'known' : 'new' }),
      ...(suppression === undefined ? {} : { suppressed: reasonOf(suppression) }),
    };
  };
}

export function triage(report: Report, options: TriageOptions): Report {
  const { baseline, suppressions } = options;
  if (baseline === undefined && suppressions === undefined) return report;
  const mark = createMark(options);
  const findings = report.findings.map((finding) => mark(finding));
  const counted = findings.filter(counts);
  const count = (severity: Severity) => counted.filter((finding) => finding.severity === severity).length;
  const known = findings.filter((finding) => finding.baseline === 'known');
  const suppressed = findings.filter((finding) => finding.suppressed !== undefined);
  return {
    ...report,
    findings,
    ...(suppressions === undefined
      ? {}
      : {
          suppressions: suppressions.map((suppression) => ({
            path: suppression.path,
            line: suppression.line,
            ...reasonOf(suppression),
            state: stateOf(suppression, report, options.today),
          })),
        }),
    summary: {
      error: count('error'),
      warning: count('warning'),
      note: count('note'),
      ...(baseline === undefined ? {} : { known: known.length }),
      ...(suppressions === undefined ? {} : { suppressed: suppressed.length }),
    },
  };
}

function reasonOf({ reason, expires }: Suppression): NonNullable<Finding['suppressed']> {
  return { reason, ...(expires === undefined ? {} : { expires }) };
}

function isExpired({ expires }: Suppression, today: () => string): boolean {
  // ISO days sort as text.
  return expires !== undefined && expires < today();
}

function isAbout(suppression: Suppression, { fingerprint, rule, module, culprit }: Finding): boolean {
  const agrees = (wanted: string | undefined, is: string | undefined) =>
    wanted === undefined || wanted === is;
  return (
    agrees(suppression.fingerprint, fingerprint) &&
    agrees(suppression.rule, rule) &&
    // The kernel knows a module by underscores, its file may be spelt with dashes.
    agrees(suppression.module?.replaceAll('-', '_'), module) &&
    agrees(suppression.symbol, culprit.symbol)
  );
}

function stateOf(
  suppression: Suppression,
  { findings, passes }: Report,
  today: () => string,
): NonNullable<Report['suppressions']>[number]['state'] {
  if (isExpired(suppression, today)) return 'expired';
  if (findings.some((finding) => isAbout(suppression, finding))) return 'used';
  const pass = passes.find(({ rule }) => rule === suppression.rule);
  return pass?.ran === false ? 'not-run' : 'unused';
}
