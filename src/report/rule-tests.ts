/** The rules as tests that passed, failed or were skipped, which is what test reports can tell. */
import { type Bar, isFailure, provesNothing } from '../model/bar.ts';
import type { Finding, Report } from '../model/report.ts';
import { emptySilence } from './silence.ts';

export interface RuleTest {
  readonly name: string;
  /** `error`: it could not be told. */
  readonly result: 'passed' | 'failed' | 'skipped' | 'error';
  /** Why it was skipped or could not be told. */
  readonly because?: string;
  /** At or above the bar. */
  readonly failures: readonly Finding[];
  /** Below it, or not counted. */
  readonly remarks: readonly Finding[];
}

/** The capture itself comes first: where it proves nothing, neither do rules that pass. */
export function ruleTests(report: Report, bar: Bar): readonly RuleTest[] {
  return [captureTest(report, bar), ...report.passes.map((pass) => ruleTest(pass, report, bar))];
}

function captureTest(report: Report, bar: Bar): RuleTest {
  const name = 'capture';
  if (!provesNothing(report, bar)) return { name, result: 'passed', failures: [], remarks: [] };
  return { name, result: 'error', because: emptySilence(report), failures: [], remarks: [] };
}

function ruleTest({ rule, ran, because }: Report['passes'][number], report: Report, bar: Bar): RuleTest {
  const findings = report.findings.filter((finding) => finding.rule === rule);
  const failures = findings.filter((finding) => isFailure(finding, bar));
  const remarks = findings.filter((finding) => !failures.includes(finding));
  if (failures.length > 0) return { name: rule, result: 'failed', failures, remarks };
  if (ran) return { name: rule, result: 'passed', failures, remarks };
  return { name: rule, result: 'skipped', because: because ?? 'its events are absent', failures, remarks };
}
