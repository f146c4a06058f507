import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { APPLICATION_ID } from './schema.ts';

/** Whether the file is a modlife store, of any version. False, too, for what cannot be read. */
export function isStore(path: string): boolean {
  try {
    return storeVersion(path) !== undefined;
  } catch {
    return false;
  }
}

/** The schema version of a store; `undefined` when the file is something else.
 *  Reads the 100-byte header (https://sqlite.org/fileformat2.html#the_database_header) rather than asking
 *  SQLite, which need not be loaded to tell a capture from a store.
 *  @throws the error of node:fs when the file cannot be read */
export function storeVersion(path: string): number | undefined {
  // A pipe or a terminal would block, or lose the bytes read here.
  if (!statSync(path).isFile()) return undefined;
  const header = Buffer.alloc(100);
  const fd = openSync(path, 'r');
  try {
    if (readSync(fd, header, 0, header.length, 0) < header.length) return undefined;
  } finally {
    closeSync(fd);
  }
  if (header.toString('latin1', 0, 16) !== 'SQLite format 3\0') return undefined;
  if (header.readUInt32BE(68) !== APPLICATION_ID) return undefined;
  return header.readInt32BE(60);
}
