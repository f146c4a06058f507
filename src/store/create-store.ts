import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type Database from 'better-sqlite3';
import { UserError } from '../model/errors.ts';
import type { Finding, Report } from '../model/report.ts';
import { isStore } from './is-store.ts';
import { createRowWriter, createTables, type RowWriter } from './row-writer.ts';
import type { IncarnationRow, ReferenceRow, StandingRow } from './rows.ts';
import { APPLICATION_ID, INDEXES, SCHEMA_VERSION } from './schema.ts';
import { Sqlite } from './sqlite.ts';
import { settleStore, writing } from './writing.ts';

export interface StoreResult {
  readonly incarnations: Iterable<IncarnationRow>;
  /** Those that `addReferences` has not had yet. */
  readonly references: Iterable<ReferenceRow>;
  /** One for each module. */
  readonly standings: Iterable<StandingRow>;
  readonly report: Report;
  /** Findings of it that hold only because the capture ended. */
  readonly atEnd?: ReadonlySet<Finding>;
}

/** A store in the making. It has its name only once it is whole: until `finish` it is a file beside it, which
 *  `close` removes, and which a killed process leaves as `<path>.<random>.partial`. */
export interface StoreWriter extends Omit<RowWriter, 'flush' | 'renew' | 'setReport' | 'setStandings'> {
  /** Writes the rest, builds the indexes and gives the file its name. */
  finish(result: StoreResult): void;
  /** Without `finish` before it: gives up. */
  close(): void;
}

/** @throws UserError when something else than a store is at `path`, or the folder cannot be written to */
export function createStore(path: string): StoreWriter {
  // Through a symbolic link, so that the link stays and what it points to is replaced.
  const target = existsSync(path) ? realpathSync(path) : resolve(path);
  refuseToReplace(path, target);
  const partial = `${target}.${randomBytes(4).toString('hex')}.partial`;
  writing(path, () => closeSync(openSync(partial, 'wx')));
  let db: Database.Database | undefined;
  const close = () => {
    db?.close();
    rmSync(partial, { force: true });
  };
  try {
    db = writing(path, () => new Sqlite(partial));
    return writerOf(db, path, target, partial, close);
  } catch (error) {
    close();
    throw error;
  }
}

function writerOf(
  db: Database.Database,
  path: string,
  target: string,
  partial: string,
  close: () => void,
): StoreWriter {
  // Nobody reads the file before it has its name, so no journal on disk, no locks and no waiting for it are
  // needed, and all of it is one transaction.
  for (const pragma of [
    'page_size = 8192',
    'journal_mode = MEMORY',
    'synchronous = OFF',
    'locking_mode = EXCLUSIVE',
    'foreign_keys = OFF',
  ]) {
    db.pragma(pragma);
  }
  db.exec('BEGIN');
  createTables(db);
  const rows = createRowWriter(db);

  return {
    append: (events) => writing(path, () => rows.append(events)),
    addReferences: (references) => writing(path, () => rows.addReferences(references)),
    addLoss: (loss) => writing(path, () => rows.addLoss(loss)),
    addBad: (bad) => writing(path, () => rows.addBad(bad)),
    addIncarnations: (incarnations) => writing(path, () => rows.addIncarnations(incarnations)),
    finish({ references, incarnations, standings, report, atEnd }) {
      writing(path, () => {
        rows.addReferences(references);
        rows.flush();
        rows.addIncarnations(incarnations);
        rows.setStandings(standings);
        rows.setReport(report, atEnd);
        db.exec(INDEXES);
        // Last, so that a file cut before this is no store whatever its name.
        db.pragma(`application_id = ${APPLICATION_ID}`);
        db.pragma(`user_version = ${SCHEMA_VERSION}`);
        db.exec('COMMIT');
        db.exec('PRAGMA analysis_limit = 1000; ANALYZE');
        db.close();
        const fd = openSync(partial, 'r');
        // The machine under test is the one that crashes.
        fsyncSync(fd);
        closeSync(fd);
        refuseToReplace(path, target);
        settleStore(path, target);
        renameSync(partial, target);
      });
    },
    close,
  };
}

function refuseToReplace(path: string, target: string): void {
  if (existsSync(target) && !isStore(target)) {
    throw new UserError(
      'store',
      `${path} exists and is not a modlife store, so it is not overwritten`,
      'give --db another name, or remove the file first',
    );
  }
}
