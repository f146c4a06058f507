import type { QueryAnswer } from '../model/answers.ts';
import { printable } from './printable.ts';

/** RFC 4180, save that a line ends as Unix ends it. Control characters are made visible, and what a spreadsheet
 *  would take for a formula gets an apostrophe before it; --json has them exact. */
export function toCsv({ columns, rows }: Pick<QueryAnswer, 'columns' | 'rows'>): string {
  return [columns, ...rows].map(toCsvLine).join('');
}

export function toCsvLine(row: QueryAnswer['rows'][number]): string {
  return `${row.map(field).join(',')}\n`;
}

function field(cell: string | number | null): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  const text = printable(/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell);
  return /[",]|^ | $/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
