/** Two runs compared by the fingerprints of their findings. */
import { counts, isDamaged } from '../model/bar.ts';
import type { DiffAnswer } from '../model/diff.ts';
import { plural } from '../model/grouped.ts';
import type { Finding, Report } from '../model/report.ts';
import { DIFF_SCHEMA } from '../model/schema-id.ts';
import { createMatcher } from './fingerprints.ts';

export interface Side {
  readonly path: string;
  readonly report: Report;
}

/** @param a the run before, @param b the one after */
export function diff(a: Side, b: Side): DiffAnswer {
  const before = createMatcher(a.report.findings);
  const fresh: Finding[] = [];
  const unchanged: DiffAnswer['unchanged'][number][] = [];
  // What B was compared to before is not what it is compared to now.
  for (const { baseline: _, ...finding } of b.report.findings) {
    const was = before.take(finding);
    if (was === undefined) fresh.push(finding);
    else if (was.severity === finding.severity && was.certainty === finding.certainty)
      unchanged.push({ finding });
    else unchanged.push({ finding, was: { severity: was.severity, certainty: was.certainty } });
  }
  const gone = new Set(before.rest());
  const fixed: Finding[] = [];
  const undecided: DiffAnswer['undecided'][number][] = [];
  for (const finding of a.report.findings) {
    if (!gone.has(finding)) continue;
    const because = whyUndecided(finding, b.report);
    if (because === undefined) fixed.push(finding);
    else undecided.push({ finding, because });
  }
  return {
    schema: DIFF_SCHEMA,
    type: 'diff',
    tool: b.report.tool,
    a: sideOf(a),
    b: sideOf(b),
    new: fresh,
    fixed,
    unchanged,
    undecided,
    warnings: warnings(a.report, b.report, fresh),
    summary: {
      new: {
        error: count(fresh, 'error'),
        warning: count(fresh, 'warning'),
        note: count(fresh, 'note'),
      },
      fixed: fixed.length,
      unchanged: unchanged.length,
      undecided: undecided.length,
    },
  };
}

function sideOf({ path, report: { inputs, summary } }: Side): DiffAnswer['a'] {
  return { path, inputs, summary };
}

function count(findings: readonly Finding[], severity: Finding['severity']): number {
  return findings.filter((finding) => counts(finding) && finding.severity === severity).length;
}

/** Why its absence from `report` does not mean that it is fixed. */
function whyUndecided({ rule, module }: Finding, report: Report): string | undefined {
  const why = whyNotRun(rule, report);
  if (why !== undefined) return `${rule} did not run in B: ${why}`;
  if (isDamaged(report)) return 'B is too damaged to tell';
  if (module !== '*' && !report.modules.some((summary) => summary.module === module))
    return `B does not mention ${module}`;
  return undefined;
}

function whyNotRun(rule: Finding['rule'], { passes }: Report): string | undefined {
  const pass = passes.find((candidate) => candidate.rule === rule);
  if (pass === undefined) return 'it does not know that rule';
  return pass.ran ? undefined : (pass.because ?? 'its events are absent');
}

function warnings(a: Report, b: Report, fresh: readonly Finding[]): string[] {
  const rules = [...new Set([...a.passes, ...b.passes].map(({ rule }) => rule))];
  const notRun = rules.flatMap((rule) => {
    const [inA, inB] = [whyNotRun(rule, a), whyNotRun(rule, b)];
    if (inA === undefined && inB !== undefined) return [`B did not run ${rule}, which A ran (${inB})`];
    if (inA !== undefined && fresh.some((finding) => finding.rule === rule))
      return [`A did not run ${rule}, which B ran: what it found may be old`];
    return [];
  });
  const lost = b.inputs.reduce((sum, input) => sum + input.lost, 0);
  return lost === 0
    ? notRun
    : [...notRun, `B lost ${plural(lost, 'event')}: what is fixed may only be unseen`];
}
