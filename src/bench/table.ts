/** Results for people: on the terminal, and in BENCHMARKS.md. */
import type { Bar } from './bars/index.ts';
import { isMet, type Row } from './bench.ts';

/** What the figures were taken on. */
export interface Machine {
  readonly kernel: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly node: string;
  /** Runnable processes in the last minute, before and after. */
  readonly load: readonly [number, number];
}

export interface Results {
  readonly date: string;
  readonly machine: Machine;
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly missing: readonly string[];
  readonly rows: readonly Row[];
  /** Bars that could not be measured, and why. */
  readonly failed: readonly { readonly bar: string; readonly because: string }[];
}

const HEAD = ['bar', 'compared', 'size', 'median', 'spread', 'wanted', 'met'];

function cells(row: Row): string[] {
  const { bar, compared, size, measured, unit, limit, wanted } = row;
  const show = (value: number) => `${digits(value)}${unit === '×' ? '×' : ` ${unit}`}`;
  const met = isMet(row);
  return [
    bar,
    compared,
    size,
    measured === undefined ? (row.note ?? '-') : show(measured.median),
    measured === undefined || measured.least === measured.most
      ? ''
      : `${digits(measured.least)} to ${digits(measured.most)}`,
    limit === undefined ? '' : `${wanted === 'at least' ? '≥' : '≤'} ${show(limit)}`,
    met === undefined ? '-' : met ? 'yes' : 'no',
  ];
}

function digits(value: number): string {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

export function toText(results: Results): string {
  const lines = [HEAD, ...results.rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  const table = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return [...table, '', ...remarks(results), ''].join('\n');
}

export function toMarkdown(results: Results, bars: readonly Bar[]): string {
  return [
    ...markdownTable([HEAD, ...results.rows.map(cells)]),
    '',
    ...remarks(results).map((remark) => `- ${remark}`),
    '',
    'What was promised:',
    '',
    ...markdownTable([['#', 'what', 'bar'], ...bars.map(({ id, what, promise }) => [id, what, promise])]),
    '',
  ].join('\n');
}

/** @param rows the first is the head */
function markdownTable(rows: readonly (readonly string[])[]): string[] {
  const [head, ...rest] = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head!.map((_, column) => Math.max(3, ...[head!, ...rest].map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`;
  return [line(head!), line(widths.map((width) => '-'.repeat(width))), ...rest.map(line)];
}

function remarks({ date, machine, rounds, missing, rows, failed }: Results): string[] {
  const { kernel, cpu, cpus, node, load } = machine;
  return [
    `${date}, Linux ${kernel}, ${cpus}× ${cpu}, Node ${node}, load ${load.map((l) => l.toFixed(1)).join(' to ')}; ${rounds} paired runs.`,
    missing.length === 0 ? 'No peer was missing.' : `Missing here: ${missing.join('; ')}.`,
    ...rows.flatMap(({ bar, compared, note, measured }) =>
      note === undefined || measured === undefined ? [] : [`${bar}, ${compared}: ${note}.`],
    ),
    ...failed.map(({ bar, because }) => `${bar} could not be measured: ${because}.`),
  ];
}
