/** Findings as rows: for a spreadsheet, or for a program that reads line by line. */
import type { QueryAnswer } from '../model/answers.ts';
import type { Finding, Report } from '../model/report.ts';
import { toCsv } from './csv.ts';
import { toJsonLine } from './json.ts';

type Cell = QueryAnswer['rows'][number][number];

const COLUMNS: Readonly<Record<string, (finding: Finding, report: Report) => Cell | undefined>> = {
  severity: ({ severity }) => severity,
  certainty: ({ certainty }) => certainty,
  rule: ({ rule }) => rule,
  module: ({ module }) => module,
  incarnation: ({ incarnation }) => incarnation,
  title: ({ title }) => title,
  detail: ({ detail }) => detail,
  because: ({ because }) => because,
  culprit: ({ culprit }) => culprit.symbol,
  comm: ({ culprit }) => culprit.task?.comm,
  pid: ({ culprit }) => culprit.task?.pid,
  context: ({ culprit }) => culprit.context,
  input: ({ at }, { inputs }) => inputs[at.input]?.path,
  line: ({ at }) => at.line,
  ns: ({ at }) => at.ns,
  fix: ({ fix }) => fix.text,
  fingerprint: ({ fingerprint }) => fingerprint,
  baseline: ({ baseline }) => baseline,
  suppressed: ({ suppressed }) => suppressed?.reason,
};

export function toFindingsCsv(report: Report): string {
  return toCsv({
    columns: Object.keys(COLUMNS),
    rows: report.findings.map((finding) =>
      Object.values(COLUMNS).map((cell) => cell(finding, report) ?? null),
    ),
  });
}

/** An object a line: the finding as --json has it, and the path of the capture, which there stands in `inputs`. */
export function toFindingsNdjson({ findings, inputs }: Report): string {
  return findings.map((finding) => toJsonLine({ path: inputs[finding.at.input]?.path, ...finding })).join('');
}
