/** A capture as a file that can be read anywhere, which binary formats need. */
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { decompress } from 'fzstd';
import type { RandomAccess } from '../model/collector.ts';
import type { Progress } from './source.ts';
import { writeTemporary } from './temporary.ts';

export interface OpenFile extends RandomAccess {
  close(): void;
}

export function openRandomAccess(path: string, progress: Progress): OpenFile {
  return access(openSync(path, 'r'), progress);
}

/** As `unpack` of a RandomAccess promises. */
export const unpackPiece: RandomAccess['unpack'] = (method, packed, size) => {
  try {
    const unpacked =
      method === 'zlib'
        ? inflateSync(packed, { maxOutputLength: Math.max(1, size) })
        : decompress(packed, new Uint8Array(size));
    if (unpacked.length !== size) return undefined;
    return Buffer.from(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength);
  } catch {
    return undefined;
  }
};

/** What comes from a pipe or is packed goes to a file first, which has no name any more when this returns. */
export async function spool(chunks: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<OpenFile> {
  const folder = mkdtempSync(join(tmpdir(), 'modlife-'));
  try {
    const file = openSync(join(folder, 'capture'), 'wx+', 0o600);
    for await (const chunk of chunks) writeTemporary(file, chunk);
    return access(file, undefined);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param progress is moved on when this is the file that it counts */
function access(file: number, progress: Progress | undefined): OpenFile {
  const { size } = fstatSync(file);
  return {
    size,
    read(offset, length) {
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - offset)));
      let done = 0;
      while (done < bytes.length) {
        const read = readSync(file, bytes, done, bytes.length - done, offset + done);
        if (read === 0) break;
        done += read;
      }
      if (progress !== undefined) progress.bytes = Math.min(size, progress.bytes + done);
      return bytes.subarray(0, done);
    },
    unpack: unpackPiece,
    close: () => closeSync(file),
  };
}
