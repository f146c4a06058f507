/** Reads a structure front to back, in the byte order of the machine that wrote it. */
import type { RandomAccess } from '../../src/model/collector.ts';

/** What a walker reads from. */
export type Bytes = Pick<RandomAccess, 'size' | 'read'>;

/**
 * Once something does not fit any more, `ok` is false and every number is 0, every text empty: whoever reads on gets
 * nonsense but no exception, and looks at `ok` where it matters.
 */
export interface Walker {
  readonly ok: boolean;
  /** Where the next byte is read, or where it stopped to make sense. */
  readonly at: number;
  u8(): number;
  u16(): number;
  u32(): number;
  /** Exact up to 2^53, more than any file holds. */
  u64(): number;
  bytes(length: number): Buffer;
  text(length: number): string;
  /** Up to a NUL, which is left behind. */
  word(): string;
  skip(length: number): void;
}

/** No table of a trace is longer. A length that lies must not take all memory. */
const LONGEST = 1 << 28;
const LONGEST_WORD = 4096;
const NOTHING = Buffer.alloc(8);

export function createWalker(source: Bytes, bigEndian: boolean, start = 0): Walker {
  let at = start;
  let ok = true;

  function take(length: number): Buffer {
    if (!ok) return NOTHING;
    if (length > LONGEST || at + length > source.size) {
      ok = false;
      return NOTHING;
    }
    const taken = source.read(at, length);
    if (taken.length < length) {
      ok = false;
      return NOTHING;
    }
    at += length;
    return taken;
  }

  function u32(): number {
    return bigEndian ? take(4).readUInt32BE() : take(4).readUInt32LE();
  }

  return {
    get ok() {
      return ok;
    },
    get at() {
      return at;
    },
    u8: () => take(1)[0]!,
    u16: () => (bigEndian ? take(2).readUInt16BE() : take(2).readUInt16LE()),
    u32,
    u64() {
      const first = u32();
      const second = u32();
      return bigEndian ? first * 2 ** 32 + second : second * 2 ** 32 + first;
    },
    bytes(length) {
      const taken = take(length);
      return ok ? taken : NOTHING.subarray(0, 0);
    },
    text(length) {
      const taken = take(length);
      return ok ? taken.toString('latin1') : '';
    },
    word() {
      if (!ok) return '';
      const ahead = source.read(at, Math.min(LONGEST_WORD, Math.max(0, source.size - at)));
      const end = ahead.indexOf(0);
      if (end < 0) {
        ok = false;
        return '';
      }
      at += end + 1;
      return ahead.toString('latin1', 0, end);
    },
    skip(length) {
      if (ok && at + length <= source.size) at += length;
      else ok = false;
    },
  };
}

export function inMemory(buffer: Buffer): Bytes {
  return { size: buffer.length, read: (offset, length) => buffer.subarray(offset, offset + length) };
}
