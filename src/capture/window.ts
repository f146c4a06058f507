/** The latest stretch of a stream of text: so long, and no more than so many bytes. */

export interface Window {
  /** @param bytes copied @param now milliseconds */
  add(bytes: Buffer, now: number): void;
  clear(): void;
  /** From its first whole line on. @returns where in the stream that begins, too */
  read(): { readonly start: number; readonly pieces: readonly Buffer[] };
}

interface Segment {
  readonly since: number;
  readonly start: number;
  readonly bytes: Buffer;
  used: number;
}

const SEGMENT = 1 << 16;
/** In so many parts a quiet stream is forgotten. */
const PARTS = 64;
const NEWLINE = 10;

export function createWindow(ms: number, most: number): Window {
  let segments: Segment[] = [];
  let written = 0;
  /** The byte before the first segment; a newline, or nothing is cut there. */
  let before = NEWLINE;

  function last(now: number): Segment {
    const open = segments.at(-1);
    if (open !== undefined && open.used < SEGMENT && now - open.since < ms / PARTS) return open;
    const next = { since: now, start: written, bytes: Buffer.allocUnsafe(SEGMENT), used: 0 };
    segments.push(next);
    return next;
  }

  function drop(now: number): void {
    while (segments.length > 1 && (segments[1]!.since < now - ms || segments.length * SEGMENT > most)) {
      const { bytes, used } = segments.shift()!;
      before = bytes[used - 1]!;
    }
  }

  return {
    add(bytes, now) {
      for (let at = 0; at < bytes.length; ) {
        const segment = last(now);
        const size = bytes.copy(segment.bytes, segment.used, at);
        segment.used += size;
        written += size;
        at += size;
        drop(now);
      }
    },
    clear() {
      segments = [];
      written = 0;
      before = NEWLINE;
    },
    read() {
      const pieces = segments.map(({ bytes, used }) => bytes.subarray(0, used));
      let start = segments[0]?.start ?? 0;
      // Half a line would be read as another one.
      for (let whole = before === NEWLINE; !whole && pieces.length > 0; ) {
        const end = pieces[0]!.indexOf(NEWLINE) + 1;
        whole = end > 0;
        start += whole ? end : pieces[0]!.length;
        if (whole) pieces[0] = pieces[0]!.subarray(end);
        else pieces.shift();
      }
      return { start, pieces };
    },
  };
}
