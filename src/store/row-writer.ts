/** Rows into the tables of a store that is open for writing, in whatever transaction its writer has begun. */
import type Database from 'better-sqlite3';
import type { Event } from '../model/event.ts';
import type { Finding, InputSummary, ModuleSummary, Report } from '../model/report.ts';
import type { TakingPlace } from '../model/standing.ts';
import { createBatch } from './batch.ts';
import { eventDetail, eventValue } from './event-row.ts';
import { createInterner, type LastIds, type StoreInterner } from './intern.ts';
import type { BadRow, IncarnationRow, LossRow, ReferenceRow, StandingRow } from './rows.ts';
import { contextIds, kindIds, SCHEMA } from './schema.ts';

export interface RowWriter {
  /** In order of `seq`; cheapest where that counts 1, 2, 3 … Text is kept as UTF-8, so half a surrogate pair
   *  comes back as U+FFFD, thrice. */
  append(events: readonly Event[]): void;
  addLoss(loss: LossRow): void;
  addBad(bad: BadRow): void;
  /** Hard references as they end, so that nobody needs to keep them all until the end. */
  addReferences(references: Iterable<ReferenceRow>): void;
  /** Loads that the ledger forgets, for the same reason; one that is there already is replaced. */
  addIncarnations(incarnations: Iterable<IncarnationRow>): void;
  /** In place of those before, as the report is. */
  setStandings(standings: Iterable<StandingRow>): void;
  /** @param atEnd findings of it that hold only because the capture ended */
  setReport(report: Report, atEnd?: ReadonlySet<Finding>): void;
  /** What waits to be written is written. */
  flush(): void;
  /** Events that are added from now on share no row of another table with those before, but for families.
   *  @returns the last id of each such table */
  renew(): LastIds;
}

const EVENT_COLUMNS = ['ts', 'line', 'cpu', 'task', 'shape', 'value', 'stack', 'detail'];

export function createTables(db: Database.Database): void {
  db.exec(SCHEMA);
  const insertKind = db.prepare('INSERT INTO kinds VALUES (?, ?)');
  for (const [name, id] of Object.entries(kindIds)) insertKind.run(id, name);
  const insertContext = db.prepare('INSERT INTO contexts VALUES (?, ?)');
  for (const [name, id] of Object.entries(contextIds)) insertContext.run(id, name);
}

/** @param db with its tables; what they hold is added to */
export function createRowWriter(db: Database.Database): RowWriter {
  const intern = createInterner(db);
  const insertLoss = db.prepare(
    'INSERT INTO losses (input, line, place, count, cpu, after, ns) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const insertBad = db.prepare(
    'INSERT INTO bad_lines (input, line, at_column, message, text) VALUES (?, ?, ?, ?, ?)',
  );
  const references = createBatch(db, 'hard_refs', ['incarnation', 'get', 'put', 'family', 'ambiguous']);

  const insertIncarnation = db.prepare(
    'INSERT OR REPLACE INTO incarnations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );

  // SQLite numbers rows by itself where seq just counts on, which spares the look whether seq is taken: 1/6.
  const counted = createBatch(db, 'event_rows', EVENT_COLUMNS);
  const numbered = createBatch(db, 'event_rows', ['seq', ...EVENT_COLUMNS]);
  let batch = counted;
  let nextSeq = 1 + (db.prepare('SELECT coalesce(max(seq), 0) FROM event_rows').pluck().get() as number);

  function append(events: readonly Event[]): void {
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
  }

  function addReferences(rows: Iterable<ReferenceRow>): void {
    const { values } = references;
    for (const row of rows) {
      const at = references.next();
      values[at] = row.incarnation;
      values[at + 1] = row.get;
      values[at + 2] = row.put;
      values[at + 3] = intern.family(row.family);
      values[at + 4] = row.ambiguous ? 1 : 0;
    }
  }

  function flush(): void {
    batch.flush();
    intern.flush();
    references.flush();
  }

  return {
    append,
    addReferences,
    addLoss({ input, line, where, count, cpu, after, ns }) {
      insertLoss.run(input, line, where, count ?? null, cpu ?? null, after, ns ?? null);
    },
    addBad: ({ input, line, column, message, text }) => insertBad.run(input, line, column, message, text),
    addIncarnations: (rows) => writeIncarnations(insertIncarnation, rows),
    setStandings: (standings) => writeStandings(db, intern, standings),
    setReport: (report, atEnd) => writeReport(db, report, atEnd),
    flush,
    renew() {
      flush();
      return intern.renew();
    },
  };
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
  for (const table of ['standings', 'places', 'open_refs']) db.exec(`DELETE FROM ${table}`);
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

function writeReport(db: Database.Database, report: Report, atEnd: ReadonlySet<Finding> = new Set()): void {
  for (const table of ['inputs', 'modules', 'passes', 'findings', 'report']) db.exec(`DELETE FROM ${table}`);
  const insertInput = db.prepare('INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  report.inputs.forEach((input, id) => {
    insertInput.run(id, ...inputValues(input));
  });
  const insertModule = db.prepare('INSERT INTO modules VALUES (?, ?, ?, ?, ?, ?, ?)');
  for (const module of report.modules) insertModule.run(...moduleValues(module));
  const insertPass = db.prepare('INSERT INTO passes VALUES (?, ?, ?)');
  for (const pass of report.passes) insertPass.run(pass.rule, pass.ran ? 1 : 0, pass.because ?? null);
  const insertFinding = db.prepare('INSERT INTO findings VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)');
  for (const finding of report.findings) insertFinding.run(...findingValues(finding, atEnd));
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

function findingValues(finding: Finding, atEnd: ReadonlySet<Finding>): unknown[] {
  return [
    finding.rule,
    finding.severity,
    finding.certainty,
    finding.module,
    finding.fingerprint,
    atEnd.has(finding) ? 1 : 0,
    JSON.stringify(finding),
  ];
}
