import type { Table } from '../model/table.ts';

/** The very object, for programs. It may end up in a terminal all the same, so what could act there is escaped,
 *  which JSON can and its readers undo. */
export function toJson(value: object): string {
  return written(value, 1);
}

/** The same in one line. */
export function toJsonLine(value: object): string {
  return written(value, undefined);
}

/** A table, a row a line. */
export function* jsonLines({ columns, rows }: Table): Generator<string> {
  for (const row of rows)
    yield toJsonLine(Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
}

function written(value: object, indent: number | undefined): string {
  const exact = JSON.stringify(value, undefined, indent);
  // Half a surrogate pair is written as an escape, which strict readers refuse.
  const whole = HALF.test(exact) ? JSON.stringify(value, wellFormed, indent) : exact;
  const text = whole.replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${text}\n`;
}

const HALF = /\\ud[89a-f]/;

function wellFormed(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/\p{Surrogate}/gu, '\ufffd') : value;
}
