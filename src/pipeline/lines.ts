/** Cuts chunks of any size into lines without copying those that lie within one chunk. */

export interface LineSplitter {
  push(chunk: Buffer): void;
  /** The last line may lack its newline. */
  end(): void;
  readonly lines: number;
}

/** Longer lines are cut here, so that one line cannot take all memory. */
const LONGEST = 1 << 22;

export function createLineSplitter(
  onLine: (bytes: Buffer, start: number, end: number, line: number) => void,
): LineSplitter {
  let rest: Buffer[] = [];
  let restLength = 0;
  let lines = 0;

  function flush(tail: Buffer): void {
    const whole = Buffer.concat([...rest, tail]);
    rest = [];
    restLength = 0;
    onLine(whole, 0, whole.length, ++lines);
  }

  return {
    push(chunk) {
      let start = 0;
      for (;;) {
        const end = chunk.indexOf(10, start);
        if (end < 0) break;
        if (restLength > 0) flush(chunk.subarray(start, end));
        else onLine(chunk, start, end, ++lines);
        start = end + 1;
      }
      if (start < chunk.length) {
        // Kept beyond this call, so it must not share the reader's buffer.
        rest.push(Buffer.from(chunk.subarray(start)));
        restLength += chunk.length - start;
        if (restLength > LONGEST) flush(Buffer.alloc(0));
      }
    },
    end() {
      if (restLength > 0) flush(Buffer.alloc(0));
    },
    get lines() {
      return lines;
    },
  };
}
