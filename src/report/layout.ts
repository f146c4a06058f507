/** Text for a terminal: wrapping, columns, colour. Widths count characters, which is right for what kernels print. */
import { tellsTime } from '../model/clock.ts';
import type { InputSummary } from '../model/report.ts';
import { printable } from './printable.ts';

export { plural } from '../model/grouped.ts';

export interface Style {
  readonly width: number;
  /** ANSI colour: only on a terminal, and not under NO_COLOR. */
  readonly color: boolean;
}

type Ink = 'red' | 'yellow' | 'dim' | 'bold' | 'reverse';

const CODES: Readonly<Record<Ink, string>> = {
  red: '31',
  yellow: '33',
  dim: '2',
  bold: '1',
  reverse: '7',
};

export function paint(text: string, ink: Ink, style: Style): string {
  return style.color ? `\u001b[${CODES[ink]}m${text}\u001b[0m` : text;
}

/** Breaks at spaces, but not between a number and its unit, and within a word that no line can hold; `indent`
 *  precedes every line, `first` the first one instead. */
export function wrap(text: string, style: Style, indent: string, first = indent): string {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  const next = () => {
    lines.push(line.trimEnd());
    line = indent;
    empty = true;
  };
  for (let word of printable(text).split(BREAKS)) {
    if (!empty && line.length + 1 + word.length > style.width) next();
    if (empty && line.length > indent.length && line.length + word.length > style.width) next();
    while (line.length + word.length > style.width && style.width - indent.length >= NARROW) {
      const room = style.width - line.length;
      line += word.slice(0, room);
      word = word.slice(room);
      next();
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  lines.push(line.trimEnd());
  return lines.join('\n');
}

const BREAKS = / (?!(?<=\d )(?:[mµn]?s|[KM]iB|CPUs?)(?![\w]))/;

/** In fewer columns than this nothing is broken to fit. */
const NARROW = 8;

/** `lead`, dimmed, and text that wraps to the right of it. */
export function beside(lead: string, text: string, style: Style): string {
  const clean = printable(lead);
  // A lead that leaves no room puts its text on lines of its own.
  const indent = ' '.repeat(clean.length <= style.width - Math.min(24, style.width / 2) ? clean.length : 6);
  const lines = wrap(text, style, indent);
  return clean.length === indent.length
    ? paint(clean, 'dim', style) + lines.slice(indent.length)
    : `${paint(clean.trimEnd(), 'dim', style)}\n${lines}`;
}

/** A word in the left margin and what it labels: `  fix   Move the release …`. */
export function labelled(label: string, text: string, style: Style, margin = 8): string {
  return beside(`  ${label}`.padEnd(margin), text, style);
}

/** Cuts to `width` characters, marking the cut. */
export function clip(text: string, width: number): string {
  const clean = printable(text);
  return clean.length <= width ? clean : `${clean.slice(0, Math.max(0, width - 1))}…`;
}

/** Keeps the end, which tells paths apart. */
export function clipStart(text: string, width: number): string {
  const clean = printable(text);
  return clean.length <= width ? clean : `…${clean.slice(clean.length - Math.max(0, width - 1))}`;
}

type Cell = string | number | null;

/**
 * Columns as wide as their widest cell, numbers to the right and never cut. Texts give way when it gets too wide;
 * where that is not enough, each row becomes a block of lines.
 */
export function table(header: readonly string[], rows: readonly (readonly Cell[])[], style: Style): string {
  const cells = rows.map((row) => row.map((cell) => (cell === null ? '-' : printable(String(cell)))));
  const right = header.map((_, column) =>
    rows.every((row) => row[column] === null || typeof row[column] === 'number'),
  );
  const names = header.map(printable);
  const widths = names.map((name, column) =>
    cells.reduce((widest, row) => Math.max(widest, row[column]!.length), name.length),
  );
  for (;;) {
    const excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - style.width;
    if (excess <= 0) break;
    let widest: number | undefined;
    for (const [column, width] of widths.entries()) {
      const least = Math.max(NARROW_TEXT, names[column]!.length);
      if (right[column] === false && width > least && (widest === undefined || width > widths[widest]!))
        widest = column;
    }
    if (widest === undefined) return blocks(names, cells, style);
    widths[widest]!--;
  }
  const render = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const width = widths[column]!;
        return right[column] === true ? cell.padStart(width) : clip(cell, width).padEnd(width);
      })
      .join(GAP)
      .trimEnd();
  return [paint(render(names), 'dim', style), ...cells.map(render)].join('\n');
}

const GAP = '  ';
/** A text column gives way down to this. */
const NARROW_TEXT = 16;

function blocks(header: readonly string[], rows: readonly (readonly string[])[], style: Style): string {
  const margin = Math.min(24, Math.max(...header.map((name) => name.length))) + GAP.length;
  return rows
    .map((row) =>
      row.map((cell, column) => beside(clip(header[column]!, 24).padEnd(margin), cell, style)).join('\n'),
    )
    .join('\n\n');
}

/** `162.424581`, or the bare number on a clock that is no time. */
export function clockTime(ns: number, clock: InputSummary['clock']): string {
  if (!tellsTime(clock)) return String(ns);
  const micro = Math.floor(ns / 1000);
  return `${Math.floor(micro / 1e6)}.${String(micro % 1e6).padStart(6, '0')}`;
}

/** `0.62 ms`, `12 s`. */
export function span(ns: number): string {
  if (Math.abs(ns) >= 1e9) return `${Number((ns / 1e9).toPrecision(3))} s`;
  if (Math.abs(ns) >= 1e6) return `${Number((ns / 1e6).toPrecision(3))} ms`;
  return `${Number((ns / 1e3).toPrecision(3))} µs`;
}
