/**
 * The records of one CPU, one after the other: pages of the kernel's ring buffer as it wrote them.
 *
 * Format: include/linux/ring_buffer.h and kernel/trace/ring_buffer.c of Linux; libtraceevent's kbuffer-parse.c.
 */
import type { RandomAccess } from '../../src/model/collector.ts';
import type { PageLayout, Region } from './container.ts';
import { createWalker } from './walker.ts';

/** Where it stands: the record is `bytes` [at, at + length). */
export interface Cursor {
  readonly cpu: number;
  readonly bytes: Buffer;
  readonly at: number;
  readonly length: number;
  /** The same place in the file; of a packed record, of what it was packed in. */
  readonly offset: () => number;
  readonly ts: number;
  /** Records the kernel threw away just before this one; 0 when it does not say how many. */
  readonly lostBefore: number | undefined;
  /** To the next record. False at the end. */
  advance(): boolean;
}

const PADDING = 29;
const TIME_EXTEND = 30;
const TIME_STAMP = 31;
/** Of the commit field: the length of the data, and whether records are missing before the page. */
const LENGTH_BITS = (1 << 27) - 1;
const MISSED = 1 << 31;
const MISSED_STORED = 1 << 30;
/** A delta of time has 27 bits, what extends it the rest. */
const EXTENDED = 2 ** 27;
/** An absolute time has 59 bits; the rest is that of the time before. */
const STAMPED = 2 ** 59;
const COMMON_HEADER = 8;

const PAGES_AT_ONCE = 64;
/** Unless a page is longer. */
const BYTES_AT_ONCE = 1 << 20;
const LONGEST_CHUNK = 1 << 26;

export function createCursor(
  file: RandomAccess,
  region: Region,
  pageSize: number,
  { commitAt, commitSize, dataAt }: PageLayout,
  bigEndian: boolean,
  complain: (offset: number, message: string) => void,
): Cursor {
  const { cpu, packed } = region;
  const end = Math.min(region.offset + region.size, file.size);
  if (region.offset + region.size > file.size && packed === undefined) {
    complain(file.size, `the file is cut off before the end of what CPU ${cpu} recorded`);
  }
  const atOnce = pageSize * Math.max(1, Math.min(PAGES_AT_ONCE, Math.floor(BYTES_AT_ONCE / pageSize)));
  // Its size does not count the number of chunks in front of them.
  const walker = createWalker({ size: end + 4, read: file.read }, bigEndian, region.offset);
  let chunksLeft = packed === undefined ? 0 : walker.u32();

  /** Written in place: getters of an object literal would be of another shape for each cursor. */
  const record = {
    cpu,
    bytes: Buffer.alloc(0) as Buffer,
    at: 0,
    length: 0,
    ts: 0,
    lostBefore: undefined as number | undefined,
    offset: () => whereInFile(record.at),
    advance,
  };
  /** Where its bytes are in the file; for packed ones, where their chunk is. */
  let from = region.offset;
  let nextFrom = region.offset;
  /** The page and its data. */
  let nextPage = 0;
  let next = 0;
  let dataEnd = 0;

  const u32 = (where: number) =>
    bigEndian ? record.bytes.readUInt32BE(where) : record.bytes.readUInt32LE(where);

  function whereInFile(place: number): number {
    return packed === undefined ? from + place : from;
  }

  function more(): boolean {
    nextPage = 0;
    if (packed === undefined) {
      from = nextFrom;
      record.bytes = from < end ? file.read(from, Math.min(end - from, atOnce)) : Buffer.alloc(0);
      nextFrom = from + record.bytes.length;
      return record.bytes.length > 0;
    }
    if (chunksLeft <= 0) return false;
    chunksLeft--;
    from = walker.at;
    const packedSize = walker.u32();
    const size = walker.u32();
    const data = walker.bytes(packedSize);
    const unpacked = walker.ok && size <= LONGEST_CHUNK ? file.unpack(packed, data, size) : undefined;
    if (unpacked === undefined) {
      complain(from, `what CPU ${cpu} recorded cannot be unpacked from here on`);
      chunksLeft = 0;
      return false;
    }
    record.bytes = unpacked;
    return true;
  }

  function turnPage(): boolean {
    if (nextPage >= record.bytes.length && !more()) return false;
    const page = nextPage;
    const there = Math.min(pageSize, record.bytes.length - page);
    nextPage = page + pageSize;
    next = 0;
    dataEnd = 0;
    if (there < dataAt) return true;
    const high = u32(bigEndian ? page : page + 4);
    const low = u32(bigEndian ? page + 4 : page);
    record.ts = high * 2 ** 32 + low;
    const commit = u32(bigEndian && commitSize === 8 ? page + commitAt + 4 : page + commitAt);
    const size = commit & LENGTH_BITS;
    next = page + dataAt;
    dataEnd = next + Math.min(size, there - dataAt);
    if (size > pageSize - dataAt)
      complain(whereInFile(page), `expected at most ${pageSize - dataAt} bytes on a page`);
    if ((commit & MISSED) !== 0) {
      const stored = (commit & MISSED_STORED) !== 0 && dataEnd + 4 <= page + there;
      record.lostBefore = stored ? u32(bigEndian && commitSize === 8 ? dataEnd + 4 : dataEnd) : 0;
    }
    return true;
  }

  function advance(): boolean {
    record.lostBefore = undefined;
    for (;;) {
      if (next + 4 > dataEnd) {
        if (!turnPage()) return false;
        continue;
      }
      const header = u32(next);
      const type = bigEndian ? header >>> 27 : header & 31;
      const delta = bigEndian ? header & LENGTH_BITS : header >>> 5;
      if (type > 0 && type < PADDING) {
        record.at = next + 4;
        record.length = type * 4;
      } else {
        // The rest of the page is empty.
        if (type === PADDING && delta === 0) {
          next = dataEnd;
          continue;
        }
        if (next + 8 > dataEnd) {
          damaged();
          continue;
        }
        const extra = u32(next + 4);
        if (type === TIME_EXTEND || type === TIME_STAMP) {
          if (type === TIME_EXTEND) record.ts += extra * EXTENDED + delta;
          else record.ts = Math.floor(record.ts / STAMPED) * STAMPED + extra * EXTENDED + delta;
          next += 8;
          continue;
        }
        if (extra < 4) {
          damaged();
          continue;
        }
        if (type === PADDING) {
          // A record that was thrown away after it had been begun.
          record.ts += delta;
          next += 4 + extra;
          continue;
        }
        record.at = next + 8;
        record.length = (extra - 4 + 3) & ~3;
      }
      const { at, length } = record;
      if (length < COMMON_HEADER || length > dataEnd - at) {
        damaged();
        continue;
      }
      record.ts += delta;
      next = at + length;
      return true;
    }
  }

  function damaged(): void {
    complain(whereInFile(next), `expected a record of CPU ${cpu}; the rest of its page is passed over`);
    next = dataEnd;
  }

  return record;
}
