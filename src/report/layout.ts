/** Text for a terminal: wrapping, columns, colour. Widths count characters, which is right for what kernels print. */
import { printable } from './printable.ts';

export interface Style {
  readonly width: number;
  /** ANSI colour: only on a terminal, and not under NO_COLOR. */
  readonly color: boolean;
}

type Ink = 'red' | 'yellow' | 'dim' | 'bold';

const CODES: Readonly<Record<Ink, string>> = { red: '31', yellow: '33', dim: '2', bold: '1' };

export function paint(text: string, ink: Ink, style: Style): string {
  return style.color ? `\u001b[${CODES[ink]}m${text}\u001b[0m` : text;
}

/** Breaks at spaces; `indent` precedes every line, `first` the first one instead. */
export function wrap(text: string, style: Style, indent: string, first = indent): string {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of printable(text).split(' ')) {
    if (!empty && line.length + 1 + word.length > style.width) {
      lines.push(line);
      line = indent;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line);
  return lines.join('\n');
}

/** Cuts to `width` characters, marking the cut. */
export function clip(text: string, width: number): string {
  const clean = printable(text);
  return clean.length <= width ? clean : `${clean.slice(0, Math.max(0, width - 1))}…`;
}

/** Columns as wide as their widest cell; numbers to the right; the last column takes what is left. */
export function table(
  header: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
  style: Style,
): string {
  const cells = rows.map((row) => row.map((cell) => (cell === null ? '-' : printable(String(cell)))));
  const right = header.map((_, column) =>
    rows.every((row) => row[column] === null || typeof row[column] === 'number'),
  );
  const widths = header.map((name, column) =>
    Math.max(name.length, ...cells.map((row) => row[column]!.length)),
  );
  const render = (row: readonly string[]) => {
    let line = '';
    for (const [column, cell] of row.entries()) {
      const isLast = column === row.length - 1;
      const room = isLast ? Math.max(8, style.width - line.length) : widths[column]!;
      const cut = clip(cell, room);
      line +=
        right[column] === true
          ? cut.padStart(Math.min(widths[column]!, room))
          : isLast
            ? cut
            : cut.padEnd(room);
      if (!isLast) line += '  ';
    }
    return line.trimEnd();
  };
  return [paint(render(header), 'dim', style), ...cells.map(render)].join('\n');
}

/** `162.424581`, or the bare number on a clock that is no time. */
export function clockTime(ns: number, clock: string): string {
  if (clock === 'ticks' || clock === 'none') return String(ns);
  const micro = Math.floor(ns / 1000);
  return `${Math.floor(micro / 1e6)}.${String(micro % 1e6).padStart(6, '0')}`;
}

/** `0.62 ms`, `12 s`. */
export function span(ns: number): string {
  if (Math.abs(ns) >= 1e9) return `${Number((ns / 1e9).toPrecision(3))} s`;
  if (Math.abs(ns) >= 1e6) return `${Number((ns / 1e6).toPrecision(3))} ms`;
  return `${Number((ns / 1e3).toPrecision(3))} µs`;
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
