/** Lines that could not be read, quoted with the place where they stopped making sense. */
import type { Bad } from '../model/collector.ts';
import { grouped } from '../model/grouped.ts';
import type { InputSummary } from '../model/report.ts';
import { printable } from './printable.ts';

const QUOTED = 3;
const INDENT = '      ';

/** @param width of the terminal
 *  @param strict whether --strict was given, where there is such an option
 *  @returns '' when every line could be read */
export function badLines(
  inputs: readonly InputSummary[],
  bad: readonly (readonly Bad[])[],
  width: number,
  strict: boolean | undefined,
): string {
  const count = inputs.reduce((sum, input) => sum + input.bad, 0);
  if (count === 0) return '';
  const lines = inputs.reduce((sum, input) => sum + input.lines, 0);
  const quotes = inputs.flatMap((input, index) => (bad[index] ?? []).map((line) => ({ input, line })));
  const told = quotes.slice(0, QUOTED).map(({ input, line }) => quote(input, line, width));
  const total = `modlife: ${grouped(count)} of ${grouped(lines)} lines could not be read${strict === false ? ' (--strict makes this fatal)' : ''}\n`;
  return told.join('') + total;
}

function quote({ path }: InputSummary, { line, column, message, text }: Bad, width: number): string {
  const where = `${path === '-' ? 'stdin' : printable(path)}:${line}:${column}`;
  // A record that was torn over two lines is quoted up to the tear.
  const raw = text.split('\n', 1)[0]!;
  // A character takes four bytes at most, and a line may have millions of them.
  const near = 4 * width;
  const before = visible(raw.slice(Math.max(0, column - 1 - near), column - 1));
  const after = visible(raw.slice(column - 1, column - 1 + near));
  const room = width - INDENT.length;
  // Most of the room for what could not be read, the rest for what leads to it.
  const tail = after.length <= room / 2 ? after : `${after.slice(0, Math.max(8, Math.floor(room / 2)) - 1)}…`;
  const head =
    before.length + tail.length <= room
      ? before
      : `…${before.slice(before.length - (room - tail.length - 1))}`;
  return `modlife: ${where}: ${printable(message)}\n${INDENT}${head}${tail}\n${INDENT}${' '.repeat(head.length)}${'~'.repeat(Math.max(1, tail.length))}\n`;
}

/** The line comes as bytes, one character each, since the column counts bytes. */
function visible(latin1: string): string {
  const text = /[^\u0000-\u00ff]/.test(latin1) ? latin1 : Buffer.from(latin1, 'latin1').toString('utf8');
  return printable(text.replaceAll('\t', ' '));
}
