/** A store that is written while others read it: in batches, each whole or absent whatever kills the writer. */
import { existsSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type Database from 'better-sqlite3';
import { UserError } from '../model/errors.ts';
import type { Nanoseconds } from '../model/event.ts';
import type { Report } from '../model/report.ts';
import { createStore, type StoreResult } from './create-store.ts';
import { isStore } from './is-store.ts';
import { openStore } from './open-store.ts';
import { createRetention, type Moment } from './retention.ts';
import { createRowWriter, type RowWriter } from './row-writer.ts';
import type { BadRow } from './rows.ts';
import { Sqlite } from './sqlite.ts';
import { writing } from './writing.ts';

/** Where the last input of the store was left. */
export interface Followed {
  /** What was followed, by name. */
  readonly source: string;
  /** Read of a file; undefined for what cannot be read again. */
  readonly file: { readonly bytes: number; readonly digest: string } | undefined;
  /** Of that input all events up to this line are stored … */
  readonly line: number;
  /** … but these, which were read and not settled yet: `LINE KIND`. */
  readonly held: readonly string[];
}

interface Committed extends StoreResult {
  /** Of inputs from `first` on; earlier runs told those of others. */
  readonly bad: readonly BadRow[];
  readonly first: number;
  /** The last event that was added; undefined while there is none whose time can be told. */
  readonly last: Moment | undefined;
  /** Events, by `seq`, that what is added later may refer to. */
  readonly alive: readonly number[];
}

export interface LiveStore
  extends Pick<RowWriter, 'append' | 'addLoss' | 'addReferences' | 'addIncarnations'> {
  /** As the last commit of an earlier run left it. */
  readonly followed: Followed | undefined;
  /** Makes what was added, and how things stand, one step that others see.
   *  @param now its references are those that are out */
  commit(now: Committed, followed: Followed): void;
  /** Leaves one file with what was committed. */
  close(): void;
}

/** SQLite cuts the log back to this after somebody read for long. */
const LOG_BYTES = 1 << 24;

/** @param empty what is known before anything is read, for a store that is not there yet
 *  @param retain hold so much of the capture whole, by its own clock, and let go of what is older; all unless given
 *  @throws UserError for a store that is not to be gone on with, or that another writer has open */
export function openLiveStore(path: string, empty: () => Report, retain?: Nanoseconds): LiveStore {
  if (!existsSync(path))
    createStore(path).finish({ incarnations: [], references: [], standings: [], report: empty() });
  else if (isStore(path)) openStore(path).close();
  else throw new UserError('store', `${path} exists and is not a modlife store`, 'give --db another name');
  const target = realpathSync(resolve(path));
  const db = writing(path, () => new Sqlite(target));
  try {
    return writing(path, () => liveStore(db, path, retain));
  } catch (error) {
    db.close();
    throw error;
  }
}

function liveStore(db: Database.Database, path: string, retain: Nanoseconds | undefined): LiveStore {
  db.pragma('journal_mode = WAL');
  // A crash of the machine may cost the last commits, never the file.
  db.pragma('synchronous = NORMAL');
  db.pragma('foreign_keys = OFF');
  db.pragma(`journal_size_limit = ${LOG_BYTES}`);
  // Held all the time but for the moment between two commits: nobody else writes.
  const begin = () => db.exec('BEGIN IMMEDIATE');
  const timeout = db.pragma('busy_timeout', { simple: true });
  db.pragma('busy_timeout = 0');
  begin();
  db.pragma(`busy_timeout = ${timeout}`);
  const followed = readFollowed(db);
  if (followed === undefined && db.prepare('SELECT 1 FROM event_rows').get() !== undefined) {
    throw new UserError('store', `${path} is not a store that tail keeps`, 'give --db another name');
  }
  // They follow from the events, which are read again before more are added.
  db.exec('DELETE FROM hard_refs; DELETE FROM incarnations');
  const rows = createRowWriter(db);
  const retention = retain === undefined ? undefined : createRetention(db, rows, retain);
  const lastReference = db.prepare<[], number>('SELECT coalesce(max(rowid), 0) FROM hard_refs').pluck();
  const takeBack = db.prepare('DELETE FROM hard_refs WHERE rowid > :before AND rowid <= :last');
  /** The rows of `hard_refs` that were out at the last commit; those of loads that are forgotten stay. */
  let out = { before: 0, last: 0 };
  const deleteBad = db.prepare('DELETE FROM bad_lines WHERE input >= :first');
  const insertFollowed = db.prepare('INSERT INTO followed VALUES (?, ?, ?, ?, ?)');

  return {
    followed,
    append: (events) => writing(path, () => rows.append(events)),
    addLoss: (loss) => writing(path, () => rows.addLoss(loss)),
    addReferences: (references) => writing(path, () => rows.addReferences(references)),
    addIncarnations: (incarnations) => writing(path, () => rows.addIncarnations(incarnations)),
    commit(
      { references, incarnations, standings, report, atEnd, bad, first, last, alive },
      { source, file, line, held },
    ) {
      writing(path, () => {
        takeBack.run(out);
        deleteBad.run({ first });
        db.exec('DELETE FROM followed');
        rows.flush();
        const before = lastReference.get()!;
        rows.addReferences(references);
        rows.flush();
        out = { before, last: lastReference.get()! };
        rows.addIncarnations(incarnations);
        for (const line of bad) rows.addBad(line);
        rows.setStandings(standings);
        rows.setReport(report, atEnd);
        if (last !== undefined) retention?.after(last, alive);
        insertFollowed.run(source, file?.bytes ?? null, file?.digest ?? null, line, JSON.stringify(held));
        db.exec('COMMIT');
        begin();
      });
    },
    close() {
      if (!db.open) return;
      if (db.inTransaction) db.exec('ROLLBACK');
      try {
        db.exec('PRAGMA analysis_limit = 1000; ANALYZE');
        db.pragma('journal_mode = DELETE');
      } catch {
        // Somebody reads it, or the disk is full: the log stays beside it.
      }
      db.close();
    },
  };
}

function readFollowed(db: Database.Database): Followed | undefined {
  const row = db
    .prepare<[], { source: string; bytes: number | null; digest: string | null; line: number; held: string }>(
      'SELECT * FROM followed',
    )
    .get();
  if (row === undefined) return undefined;
  const { source, bytes, digest, line, held } = row;
  return {
    source,
    file: bytes === null || digest === null ? undefined : { bytes, digest },
    line,
    held: JSON.parse(held) as string[],
  };
}
