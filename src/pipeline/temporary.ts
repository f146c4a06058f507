/** What is unpacked on the way, in a file without a lasting name. */
import { writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { UserError } from '../model/errors.ts';

/** All of it. @throws UserError when there is no room for it */
export function writeTemporary(file: number, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(
      'cannot-write',
      `cannot unpack into ${tmpdir()}: ${code === 'ENOSPC' ? 'no space left' : String(code)}`,
      'set TMPDIR to a folder with room',
    );
  }
}
