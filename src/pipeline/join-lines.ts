/** Puts together again what a mailer broke at its margin, where there is no doubt that it did. */
import type { Collector } from '../model/collector.ts';
import { resemblesRecord } from './wrapping.ts';

export interface LineJoiner {
  /** @param source the line as it stands in the file, which is what was broken */
  line(text: string, line: number, source: string): void;
  /** What is held back will not go on. */
  flush(): void;
}

export interface Joined {
  /** @param lines that were put together, 1 for most
   *  @param source of the first of them */
  line(text: string, line: number, source: string, lines: number): void;
}

/** Mailers break at 72 to 78 columns, at the last blank before; so the first half is not much shorter. */
const SHORTEST = 40;
const WIDEST = 80;
/** No margin is narrower. */
const NARROWEST = 60;
/** Pieces a record is broken into. */
const MOST_PIECES = 4;
const MOST_HEADER = 16;
/** `refcnt=2 ret=0x0`, which prose is not. */
const FIELDS = /^\w+=\S*(?: \w+=\S*)*$/;
/** What a line of its own begins with. */
const FRESH = /^(?:\s*$| *=> |#|\s*[-*_=]{3,})/;

/** What may be one line: one of the file, or those put together so far. */
interface Piece {
  readonly text: string;
  readonly line: number;
  /** The first line as it stands in the file, and the last. */
  readonly source: string;
  readonly end: string;
  readonly lines: number;
}

/** @param collector that can tell what is whole; without one nothing is joined */
export function createLineJoiner(collector: Collector | undefined, out: Joined): LineJoiner {
  /** A record that may go on below, and what could be its rest. */
  let held: Piece[] = [];
  /** Lines from the collector's own header, without which it may not know the layout. */
  const header: string[] = [];
  /** The margin is at least this wide, and less than that, as far as is known. */
  let least = NARROWEST;
  let below = Number.POSITIVE_INFINITY;

  function read(by: Collector, lines: readonly string[]): { readonly events: number; readonly bad: number } {
    const found = { events: 0, bad: 0 };
    const parser = by.createParser({
      event: () => found.events++,
      bad: () => found.bad++,
      lost: () => {},
      facts: () => {},
    });
    for (const line of [...header, ...lines]) {
      const bytes = Buffer.from(line, 'latin1');
      parser.line(bytes, 0, bytes.length, 1);
    }
    parser.end();
    return found;
  }

  /** Was the line broken here, because the next word would not have fitted? */
  function isAtMargin(piece: Piece, next: Piece): boolean {
    const width = widthOf(piece);
    return width <= WIDEST && Math.max(width, least) < Math.min(needed(piece, next), below);
  }

  function join(pieces: readonly Piece[]): Piece {
    const [first, ...rest] = pieces;
    for (const [index, piece] of rest.entries()) {
      least = Math.max(least, widthOf(pieces[index]!));
      below = Math.min(below, needed(pieces[index]!, piece));
    }
    return { ...first!, text: whole(pieces), end: pieces.at(-1)!.end, lines: first!.lines + rest.length };
  }

  /** Not readable before, but now; or readable before, and these can only be its fields. */
  function isCertain(by: Collector, pieces: readonly Piece[]): boolean {
    const after = read(by, [whole(pieces)]);
    if (after.events !== 1 || after.bad > 0) return false;
    // A comm or a string argument may hold a newline, which collectors know.
    const before = read(
      by,
      pieces.map(({ text }) => text),
    );
    return before.bad > 0 || before.events === 0 || FIELDS.test(whole(pieces.slice(1)));
  }

  function give({ text, line, source, lines }: Piece): void {
    if (text.startsWith('#') && header.length < MOST_HEADER) header.push(text);
    out.line(text, line, source, lines);
  }

  function flush(): void {
    for (const piece of held) give(piece);
    held = [];
  }

  return {
    flush,
    line(text, line, source) {
      const piece: Piece = { text, line, source, end: source, lines: 1 };
      const last = held.at(-1);
      if (collector !== undefined && last !== undefined) {
        if (!FRESH.test(text) && !resemblesRecord(text) && isAtMargin(last, piece)) {
          const pieces = [...held, piece];
          if (isCertain(collector, pieces)) {
            held = [join(pieces)];
            return;
          }
          if (pieces.length < MOST_PIECES) {
            held = pieces;
            return;
          }
        }
        flush();
      }
      const width = widthOf(piece);
      const mayGoOn =
        collector !== undefined && width >= SHORTEST && width <= WIDEST && resemblesRecord(text);
      if (mayGoOn) held = [piece];
      else give(piece);
    },
  };
}

function widthOf({ end }: Piece): number {
  return end.trimEnd().length;
}

/** Columns that the line would have had with one more word. */
function needed(piece: Piece, next: Piece): number {
  return widthOf(piece) + 1 + next.text.trim().split(' ', 1)[0]!.length;
}

function whole(pieces: readonly Piece[]): string {
  return pieces.map(({ text }, index) => (index === 0 ? text.trimEnd() : text.trim())).join(' ');
}
