import type { QueryAnswer } from '../model/answers.ts';
import { printable } from './printable.ts';

/** RFC 4180, save that a line ends as Unix ends it. Control characters are made visible; --json has them exact. */
export function toCsv({ columns, rows }: QueryAnswer): string {
  return [columns, ...rows].map((row) => `${row.map(field).join(',')}\n`).join('');
}

function field(cell: string | number | null): string {
  if (cell === null) return '';
  const text = printable(String(cell));
  return /[",]|^ | $/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
