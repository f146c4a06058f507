import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import Database from 'better-sqlite3';
import { UserError } from '../model/errors.ts';
import type { Event } from '../model/event.ts';
import type { Finding, InputSummary, ModuleSummary, Report } from '../model/report.ts';
import type { TakingPlace } from '../model/standing.ts';
import { createBatch } from './batch.ts';
import { eventDetail, eventValue } from './event-row.ts';
import { createInterner, type StoreInterner } from './intern.ts';
import { isStore } from './is-store.ts';
import type { BadRow, IncarnationRow, LossRow, ReferenceRow, StandingRow } from './rows.ts';
import { APPLICATION_ID, contextIds, INDEXES, kindIds, SCHEMA, SCHEMA_VERSION } from './schema.ts';

export interface StoreResult {
  readonly incarnations: Iterable<IncarnationRow>;
  /** Those that `addReferences` has not had yet. */
  readonly references: Iterable<ReferenceRow>;
  /** One for each module. */
  readonly standings: Iterable<StandingRow>;
  readonly report: Report;
}

/** A store in the making. It has its name only once it is whole: until `finish` it is a file beside it, which
 *  `close` removes, and which a killed process leaves as `<path>.<random>.partial`. */
export interface StoreWriter {
  /** In order of `seq`; cheapest where that counts 1, 2, 3 … Text is kept as UTF-8, so half a surrogate pair
   *  comes back as U+FFFD, thrice. */
  append(events: readonly Event[]): void;
  addLoss(loss: LossRow): void;
  addBad(bad: BadRow): void;
  /** Hard references as they end, so that nobody needs to keep them all until `finish`. */
  addReferences(references: Iterable<ReferenceRow>): void;
  /** Loads that the ledger forgets, for the same reason. */
  addIncarnations(incarnations: Iterable<IncarnationRow>): void;
  /** Writes the rest, builds the indexes and gives the file its name. */
  finish(result: StoreResult): void;
  /** Without `finish` before it: gives up. */
  close(): void;
}

const EVENT_COLUMNS = ['ts', 'line', 'cpu', 'task', 'shape', 'value', 'stack', 'detail'];

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
    db = writing(path, () => new Database(partial));
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
  db.exec(SCHEMA);
  const insertKind = db.prepare('INSERT INTO kinds VALUES (?, ?)');
  for (const [name, id] of Object.entries(kindIds)) insertKind.run(id, name);
  const insertContext = db.prepare('INSERT INTO contexts VALUES (?, ?)');
  for (const [name, id] of Object.entries(contextIds)) insertContext.run(id, name);

  const intern = createInterner(db);
  const insertLoss = db.prepare(
    'INSERT INTO losses (input, line, place, count, cpu, after, ns) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const insertBad = db.prepare(
    'INSERT INTO bad_lines (input, line, at_column, message, text) VALUES (?, ?, ?, ?, ?)',
  );
  const references = createBatch(db, 'hard_refs', ['incarnation', 'get', 'put', 'family', 'ambiguous']);

  const insertIncarnation = db.prepare(
    'INSERT INTO incarnations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );

  // SQLite numbers rows by itself where seq just counts on, which spares the look whether seq is taken: 1/6.
  const counted = createBatch(db, 'event_rows', EVENT_COLUMNS);
  const numbered = createBatch(db, 'event_rows', ['seq', ...EVENT_COLUMNS]);
  let batch = counted;
  let nextSeq = 1;

  const append = (events: readonly Event[]) => {
    const wanted = countsFrom(nextSeq, events) ? counted : numbered;
    if (wanted !== batch) {
      batch.flush();
      batch = wanted;
    }
    const { values } = batch;
    for (const event of events) {
      let at = batch.next();
      if (batch === numbered) values[at++] = event.seq;
      values[at] = event.ts;
      values[at + 1] = event.line;
      values[at + 2] = event.cpu;
      values[at + 3] = intern.task(event.pid, event.comm);
      values[at + 4] = intern.shape(event);
      values[at + 5] = eventValue(event, intern);
      values[at + 6] = event.stack === undefined ? null : intern.stack(event.stack);
      values[at + 7] = eventDetail(event);
      nextSeq = event.seq + 1;
    }
  };

  const addReferences = (rows: Iterable<ReferenceRow>) => {
    const { values } = references;
    for (const row of rows) {
      const at = references.next();
      values[at] = row.incarnation;
      values[at + 1] = row.get;
      values[at + 2] = row.put;
      values[at + 3] = intern.family(row.family);
      values[at + 4] = row.ambiguous ? 1 : 0;
    }
  };

  return {
    append: (events) => writing(path, () => append(events)),
    addReferences: (rows) => writing(path, () => addReferences(rows)),
    addLoss: (loss) =>
      writing(path, () =>
        insertLoss.run(
          loss.input,
          loss.line,
          loss.where,
          loss.count ?? null,
          loss.cpu ?? null,
          loss.after,
          loss.ns ?? null,
        ),
      ),
    addBad: (bad) =>
      writing(path, () => insertBad.run(bad.input, bad.line, bad.column, bad.message, bad.text)),
    addIncarnations: (rows) => writing(path, () => writeIncarnations(insertIncarnation, rows)),
    finish(result) {
      writing(path, () => {
        batch.flush();
        intern.flush();
        addReferences(result.references);
        references.flush();
        writeIncarnations(insertIncarnation, result.incarnations);
        writeStandings(db, intern, result.standings);
        writeReport(db, result.report);
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

/** What the disk or its owner refuses is the user's to mend; any other error is ours and keeps its stack. */
function writing<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (/^SQLITE_(FULL|IOERR|CANTOPEN|READONLY)/.test(code) || /^E[A-Z]+$/.test(code)) {
      throw new UserError('cannot-write', `cannot write ${path}: ${(error as Error).message}`);
    }
    throw error;
  }
}

function countsFrom(first: number, events: readonly Event[]): boolean {
  for (let i = 0; i < events.length; i++) {
    if (events[i]!.seq !== first + i) return false;
  }
  return true;
}

function writeIncarnations(insert: Database.Statement, rows: Iterable<IncarnationRow>): void {
  for (const row of rows) {
    insert.run(
      row.id,
      row.module,
      row.nth,
      row.state,
      row.load,
      row.going,
      row.free,
      row.first,
      row.last,
      row.outcome,
      row.baseKnown ? 1 : 0,
      row.gets,
      row.puts,
      row.held,
      row.maxRefcnt,
      row.remembered ? 1 : 0,
    );
  }
}

const OPEN_COLUMNS = ['incarnation', 'get', 'family', 'place', 'within', 'missed_by', 'dependent'];

function writeStandings(db: Database.Database, intern: StoreInterner, rows: Iterable<StandingRow>): void {
  const insertStanding = db.prepare('INSERT INTO standings VALUES (?, ?, ?, ?)');
  const insertPlace = db.prepare('INSERT INTO places VALUES (NULL, ?, ?, ?, ?, ?)');
  const references = createBatch(db, 'open_refs', OPEN_COLUMNS);
  const { values } = references;
  for (const { incarnation, standing } of rows) {
    const { module, known, doubt, open } = standing;
    insertStanding.run(module, incarnation, known ? 1 : 0, doubt ?? null);
    const places = new Map<TakingPlace, number | bigint>();
    for (const { get, family, place, within, missedBy, dependent } of open) {
      let id = places.get(place);
      if (id === undefined) {
        const { name, symbol, puts, sameTask, longestHold } = place;
        id = insertPlace.run(name, symbol ?? null, puts, sameTask, longestHold).lastInsertRowid;
        places.set(place, id);
      }
      const at = references.next();
      values[at] = incarnation;
      values[at + 1] = get.seq;
      values[at + 2] = intern.family(family);
      values[at + 3] = id;
      values[at + 4] = within ?? null;
      values[at + 5] = missedBy ?? null;
      values[at + 6] = dependent ?? null;
    }
  }
  references.flush();
}

function writeReport(db: Database.Database, report: Report): void {
  const insertInput = db.prepare('INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  report.inputs.forEach((input, id) => {
    insertInput.run(id, ...inputValues(input));
  });
  const insertModule = db.prepare('INSERT INTO modules VALUES (?, ?, ?, ?, ?, ?, ?)');
  for (const module of report.modules) insertModule.run(...moduleValues(module));
  const insertPass = db.prepare('INSERT INTO passes VALUES (?, ?, ?)');
  for (const pass of report.passes) insertPass.run(pass.rule, pass.ran ? 1 : 0, pass.because ?? null);
  const insertFinding = db.prepare('INSERT INTO findings VALUES (NULL, ?, ?, ?, ?, ?, ?)');
  for (const finding of report.findings) insertFinding.run(...findingValues(finding));
  db.prepare('INSERT INTO report VALUES (?)').run(JSON.stringify({ ...report, findings: [] }));
}

function inputValues(input: InputSummary): unknown[] {
  return [
    input.path,
    input.format,
    input.kernel ?? null,
    input.clock,
    input.lines,
    input.events,
    input.skipped,
    input.bad,
    input.lost,
    input.first,
    input.last,
    input.cpus ?? null,
    input.end ?? null,
    input.reading === undefined ? null : JSON.stringify(input.reading),
  ];
}

function moduleValues(module: ModuleSummary): unknown[] {
  return [
    module.module,
    module.incarnations,
    module.gets,
    module.puts,
    module.held,
    module.maxRefcnt,
    module.state,
  ];
}

function findingValues(finding: Finding): unknown[] {
  return [
    finding.rule,
    finding.severity,
    finding.certainty,
    finding.module,
    finding.fingerprint,
    JSON.stringify(finding),
  ];
}
