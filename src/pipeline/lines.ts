/** Cuts chunks of any size into lines without copying those that lie within one chunk. */
import type { Sieve } from '../model/collector.ts';

export interface LineSplitter {
  push(chunk: Buffer): void;
  /** The last line may lack its newline. */
  end(): void;
  readonly lines: number;
}

/** Longer lines are handed on in pieces, so that one line cannot take all memory. */
const LONGEST = 1 << 22;

/** After how many lines a sieve is asked again that had nothing to pass over: it costs, and what is wanted comes in
 *  rows, too. A prime, so as not to ask about the same line of each record with its stack. */
const PATIENCE = 7;

/** @param sieve lines that it goes over are counted only */
export function createLineSplitter(
  onLine: (bytes: Buffer, start: number, end: number, line: number) => void,
  sieve?: Sieve,
): LineSplitter {
  let rest: Buffer[] = [];
  let restLength = 0;
  /** A piece of the line at hand was handed on. */
  let cut = false;
  let lines = 0;
  let askAt = 0;

  function flush(tail: Buffer, isEnd: boolean): void {
    const whole = Buffer.concat([...rest, tail]);
    rest = [];
    restLength = 0;
    if (!cut) lines++;
    cut = !isEnd;
    onLine(whole, 0, whole.length, lines);
  }

  return {
    push(chunk) {
      sieve?.load(chunk);
      let start = 0;
      for (;;) {
        if (sieve !== undefined && restLength === 0 && !cut && lines >= askAt) {
          start = sieve.pass(start, lines);
          if (sieve.lines === 0) askAt = lines + PATIENCE;
          lines += sieve.lines;
        }
        const end = chunk.indexOf(10, start);
        if (end < 0) break;
        if (restLength > 0 || cut) flush(chunk.subarray(start, end), true);
        else onLine(chunk, start, end, ++lines);
        start = end + 1;
      }
      if (start < chunk.length) {
        // Kept beyond this call, so it must not share the reader's buffer.
        rest.push(Buffer.from(chunk.subarray(start)));
        restLength += chunk.length - start;
        if (restLength > LONGEST) flush(Buffer.alloc(0), false);
      }
    },
    end() {
      if (restLength > 0) flush(Buffer.alloc(0), true);
    },
    get lines() {
      return lines;
    },
  };
}
