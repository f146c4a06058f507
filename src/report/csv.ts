import type { QueryAnswer } from '../model/answers.ts';
import type { Cell, Table } from '../model/table.ts';
import { printable } from './printable.ts';

/** RFC 4180, save that a line ends as Unix ends it. Control characters are made visible, and what a spreadsheet
 *  would take for a formula gets an apostrophe before it; --json has them exact. */
export function toCsv({ columns, rows }: QueryAnswer): string {
  return [columns, ...rows].map(line).join('');
}

/** The same for a table of any length. */
export function* csvLines({ columns, rows }: Table): Generator<string> {
  yield line(columns.map(({ name }) => name));
  for (const row of rows) yield line(row);
}

function line(row: readonly Cell[]): string {
  return `${row.map(field).join(',')}\n`;
}

function field(cell: Cell): string {
  if (cell === null) return '';
  if (typeof cell === 'number') return String(cell);
  const text = printable(/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell);
  return /[",]|^ | $/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
