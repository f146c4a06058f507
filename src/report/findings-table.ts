/** Findings as rows: for a spreadsheet, or for a program that reads line by line. */
import type { Finding, Report } from '../model/report.ts';
import type { Cell, Table } from '../model/table.ts';
import { csvLines } from './csv.ts';
import { toJsonLine } from './json.ts';

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

const INTEGERS = new Set(['incarnation', 'pid', 'line', 'ns']);

export function findingsTable(report: Report): Table {
  return {
    columns: Object.keys(COLUMNS).map((name) => ({ name, type: INTEGERS.has(name) ? 'integer' : 'text' })),
    rows: report.findings.map((finding) =>
      Object.values(COLUMNS).map((cell) => cell(finding, report) ?? null),
    ),
  };
}

export function toFindingsCsv(report: Report): string {
  return [...csvLines(findingsTable(report))].join('');
}

/** An object a line: the finding as --json has it, and the path of the capture, which there stands in `inputs`. */
export function toFindingsNdjson({ findings, inputs }: Report): string {
  return findings.map((finding) => toJsonLine({ path: inputs[finding.at.input]?.path, ...finding })).join('');
}
