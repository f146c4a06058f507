/** A trace.dat of any size: the records of a real one again and again, each time later. */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { readContainer } from '../../collectors/trace-dat/container.ts';
import { inMemory } from '../../collectors/trace-dat/walker.ts';

const TABLE = Buffer.from('flyrecord\0');
/** Longer than the capture that is repeated, in its nanoseconds. */
const PERIOD = 10_000_000_000n;

/** @param from a trace.dat of version 6, little-endian, with one instance */
export function repeatTraceDat(from: string, to: string, times: number): void {
  const bytes = readFileSync(from);
  const { instances, page } = readContainer({ ...inMemory(bytes), unpack: () => undefined }, () => {});
  const { regions, pageSize } = instances[0]!;
  const start = Math.min(...regions.map(({ offset }) => offset));
  const head = Buffer.from(bytes.subarray(0, start));
  const table = head.lastIndexOf(TABLE) + TABLE.length;
  let offset = start;
  for (const { cpu, size } of regions) {
    const entry = table + cpu * 16;
    head.writeBigUInt64LE(BigInt(offset), entry);
    head.writeBigUInt64LE(BigInt(size * times), entry + 8);
    offset += size * times;
  }
  const file = openSync(to, 'w');
  try {
    writeSync(file, head);
    for (const region of regions) {
      const pages = bytes.subarray(region.offset, region.offset + region.size);
      for (let time = 0; time < times; time++) {
        const later = Buffer.from(pages);
        // A page begins with the time of its first record; what follows counts from there.
        for (let at = 0; at + page.dataAt <= later.length; at += pageSize)
          later.writeBigUInt64LE(later.readBigUInt64LE(at) + BigInt(time) * PERIOD, at);
        writeSync(file, later);
      }
    }
  } finally {
    closeSync(file);
  }
}
