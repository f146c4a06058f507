import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { UserError } from '../model/errors.ts';
import { Sqlite } from './sqlite.ts';

/** What the disk or its owner refuses is the user's to mend; any other error is ours and keeps its stack. */
export function writing<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (/^SQLITE_BUSY/.test(code)) {
      throw new UserError('cannot-write', `cannot write ${path}: another program has it open`);
    }
    if (/^SQLITE_(FULL|IOERR|CANTOPEN|READONLY)/.test(code) || /^E[A-Z]+$/.test(code)) {
      throw new UserError('cannot-write', `cannot write ${path}: ${(error as Error).message}`);
    }
    throw error;
  }
}

/** Byte 18 of the header: 2 for write-ahead logging (https://sqlite.org/fileformat2.html#file_format_version_numbers). */
const WRITE_VERSION = 18;
const WAL = 2;

/**
 * Before a store is replaced: what a kill left of its write-ahead log beside it goes into it, or SQLite would take
 * that log for the new file's.
 * @throws UserError while somebody reads or writes it
 */
export function settleStore(path: string, target: string): void {
  if (!existsSync(target) || !isLogged(target)) return;
  writing(path, () => {
    const db = new Sqlite(target, { timeout: 0 });
    try {
      db.pragma('journal_mode = DELETE');
    } finally {
      db.close();
    }
  });
}

function isLogged(path: string): boolean {
  const header = Buffer.alloc(WRITE_VERSION + 1);
  const fd = openSync(path, 'r');
  try {
    return readSync(fd, header) === header.length && header[WRITE_VERSION] === WAL;
  } finally {
    closeSync(fd);
  }
}
