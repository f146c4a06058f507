import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type Database from 'better-sqlite3';
import type { Bad } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';
import type { Code, Event, EventKind, ExecContext, ModuleRefEvent, Nanoseconds } from '../model/event.ts';
import type { Past } from '../model/past.ts';
import {
  type Finding,
  type InputSummary,
  type ModuleSummary,
  type Report,
  readingSchema,
} from '../model/report.ts';
import type { HolderKind, OpenReference, Standing, Standings, TakingPlace } from '../model/standing.ts';
import { type EventRow, type Lookup, type Shape, toEvent } from './event-row.ts';
import { storeVersion } from './is-store.ts';
import { listQueries, type NamedQuery, type QueryParameter } from './list-queries.ts';
import { readPast } from './read-past.ts';
import type { LossRow } from './rows.ts';
import { contextIds, kindIds, SCHEMA_VERSION } from './schema.ts';
import { Sqlite } from './sqlite.ts';

interface EventFilter {
  /** Events about this module, and those whose call site or function lies in it. */
  readonly module?: string;
  /** Only events after this `seq`. */
  readonly after?: number;
  /** First and last moment, both included. */
  readonly from?: Nanoseconds;
  readonly to?: Nanoseconds;
}

export interface QueryResult {
  readonly columns: readonly string[];
  /** Numbers, texts and `null`, as SQLite has them. */
  readonly rows: readonly (readonly unknown[])[];
}

interface StreamedResult {
  readonly columns: readonly string[];
  readonly rows: Iterable<readonly (string | number | null)[]>;
}

/** A store, read only, as it stood when it was opened. */
export interface Store extends Standings {
  /** In order of `seq`, one at a time. Equal code and stacks are the same object; do not change them. */
  events(filter?: EventFilter): IterableIterator<Event>;
  inputs(): InputSummary[];
  /** The first lines of each input that could not be read. */
  bad(): Bad[][];
  losses(): LossRow[];
  /** What it let go of; undefined when it holds all events that it ever had. */
  past(): Past | undefined;
  /** Runs queries/<name>.sql. Parameters may come as the texts they were typed as.
   *  @throws UserError naming the queries or parameters that exist */
  query(name: string, params?: Readonly<Record<string, string | number>>): QueryResult;
  /** The same row by row, for what is too long to hold. */
  stream(name: string, params?: Readonly<Record<string, string | number>>): StreamedResult;
  /** One SELECT of the user's own. @throws UserError with SQLite's words when it cannot be run */
  sql(text: string): QueryResult;
  close(): void;
}

const HOW_TO_WRITE_ONE = 'modlife analyze --db FILE CAPTURE… writes one';

/** @throws UserError when there is no store of this version at `path` */
export function openStore(path: string): Store {
  refuseOthers(path);
  // Resolved, since SQLite takes a name that begins with file: for a URI.
  const db = reading(path, () => new Sqlite(resolve(path), { readonly: true, fileMustExist: true }));
  // The file may come from somebody else: its views shall call nothing but harmless functions.
  db.pragma('trusted_schema = OFF');
  // One moment of it, if somebody writes it meanwhile.
  db.exec('BEGIN');
  return {
    events: (filter = {}) => readEvents(db, path, filter),
    inputs: () => reading(path, () => readInputs(db)),
    bad: () => reading(path, () => readBad(db)),
    losses: () => reading(path, () => readLosses(db)),
    past: () => reading(path, () => readPast(db, createEventReader(db), () => readReport(db))),
    report: () => reading(path, () => readReport(db)),
    last: () =>
      reading(path, () =>
        db.prepare<[], Nanoseconds>('SELECT ts FROM event_rows ORDER BY seq DESC LIMIT 1').pluck().get(),
      ),
    standing: (module) => reading(path, () => readStanding(db, module)),
    frees: (module) => reading(path, () => readFrees(db, module)),
    query(name, params = {}) {
      const query = findQuery(name);
      const values = bindValues(query, params);
      return reading(path, () => ask(db.prepare(query.sql), values));
    },
    stream(name, params = {}) {
      const query = findQuery(name);
      const statement = db.prepare<unknown[], (string | number | null)[]>(query.sql);
      return {
        columns: statement.columns().map((column) => column.name),
        rows: readRows(path, statement.raw().iterate(bindValues(query, params))),
      };
    },
    sql: (text) => reading(path, () => askFreely(db, text)),
    close: () => db.close(),
  };
}

function refuseOthers(path: string): void {
  if (!existsSync(path)) throw new UserError('noinput', `${path}: no such file`, HOW_TO_WRITE_ONE);
  let version: number | undefined;
  try {
    version = storeVersion(path);
  } catch (error) {
    throw new UserError('noinput', `cannot read ${path}: ${(error as Error).message}`);
  }
  if (version === undefined) {
    throw new UserError('store', `${path} is not a modlife store`, HOW_TO_WRITE_ONE);
  }
  if (version !== SCHEMA_VERSION) {
    throw new UserError(
      'store',
      `${path} is a store of version ${version}; this modlife reads version ${SCHEMA_VERSION}`,
      version > SCHEMA_VERSION
        ? 'a newer modlife wrote it and reads it'
        : 'build it again from its captures: modlife analyze --db FILE CAPTURE…',
    );
  }
}

/** Turns what SQLite says about a damaged file into something the user can act on. */
function reading<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw asUserError(path, error);
  }
}

/** Of a statement of ours whatever SQLite has to say is the file's fault. */
function asUserError(path: string, error: unknown): unknown {
  const isLeft =
    error instanceof Sqlite.SqliteError && error.code === 'SQLITE_CANTOPEN' && existsSync(`${path}-wal`);
  if (isLeft) {
    return new UserError(
      'store',
      `cannot open ${path}: who wrote it was killed, and ${path}-wal has the rest of it`,
      'ask once as somebody who may write in that folder',
    );
  }
  if (!(error instanceof SyntaxError || error instanceof Sqlite.SqliteError)) return error;
  return new UserError(
    'store',
    `${path} is damaged: ${error.message}`,
    'build it again from its captures: modlife analyze --db FILE CAPTURE…',
  );
}

function* readRows<Row>(path: string, rows: IterableIterator<Row>): Generator<Row, undefined> {
  try {
    yield* rows;
  } catch (error) {
    throw asUserError(path, error);
  }
}

function* readEvents(db: Database.Database, path: string, filter: EventFilter): Generator<Event, undefined> {
  const conditions = ['seq > ?'];
  const params: unknown[] = [];
  if (filter.from !== undefined) {
    conditions.push('ts >= ?');
    params.push(filter.from);
  }
  if (filter.to !== undefined) {
    conditions.push('ts <= ?');
    params.push(filter.to);
  }
  if (filter.module !== undefined) {
    conditions.push(
      'shape IN (SELECT s.id FROM shapes AS s LEFT JOIN codes AS c ON c.id = s.code WHERE s.module = ? OR c.module = ?)',
    );
    params.push(filter.module, filter.module);
  }
  const sql = `SELECT ${EVENT_COLUMNS} FROM event_rows
    WHERE ${conditions.join(' AND ')} ORDER BY seq LIMIT ${ROWS_AT_ONCE}`;
  try {
    const statement = db.prepare<unknown[], EventRow>(sql).raw();
    const lookup = createLookup(db);
    let seq = filter.after ?? 0;
    for (;;) {
      const rows = statement.all(seq, ...params);
      for (const row of rows) yield toEvent(row, lookup);
      if (rows.length < ROWS_AT_ONCE) return;
      seq = rows.at(-1)![0];
    }
  } catch (error) {
    throw asUserError(path, error);
  }
}

/** Fewer cost more calls, many more fill the young generation: 1.3 times as fast as row by row. */
const ROWS_AT_ONCE = 1024;

const EVENT_COLUMNS = 'seq, ts, line, cpu, task, shape, value, stack, detail';

/** Of single events, by `seq`. */
function createEventReader(db: Database.Database): (seq: number) => Event {
  const statement = db
    .prepare<[number], EventRow>(`SELECT ${EVENT_COLUMNS} FROM event_rows WHERE seq = ?`)
    .raw();
  const lookup = createLookup(db);
  return (seq) => toEvent(found(statement.get(seq), `event ${seq}`), lookup);
}

/** What other rows refer to is missing only where the file is damaged. */
function found<Row>(row: Row | undefined, what: string): Row {
  if (row === undefined) throw new Sqlite.SqliteError(`there is no ${what}`, 'SQLITE_CORRUPT');
  return row;
}

function createLookup(db: Database.Database): Lookup {
  const kinds = new Map(Object.entries(kindIds).map(([name, id]) => [id, name as EventKind]));
  const contexts = new Map(Object.entries(contextIds).map(([name, id]) => [id, name as ExecContext]));
  const find = <Row>(table: string, columns: string) => {
    const statement = db.prepare<unknown[], Row>(`SELECT ${columns} FROM ${table} WHERE id = ?`);
    return (id: number): Row => found(statement.get(id), `row ${id} of ${table}`);
  };

  const findCode = find<Nullable<Required<Code>> & { text: string; input: number }>(
    'codes',
    'input, text, symbol, module, offset, address',
  );
  // Never forgotten: one spelling in one input is one object, whatever row it came from.
  const spellings = new Map<string, Code>();
  const code = remembering((id): Code => {
    const { input, text, symbol, module, offset, address } = findCode(id);
    const spelling = `${input} ${text}`;
    let found = spellings.get(spelling);
    if (found === undefined) {
      found = {
        text,
        ...(symbol !== null && { symbol }),
        ...(module !== null && { module }),
        ...(offset !== null && { offset }),
        ...(address !== null && { address }),
      };
      spellings.set(spelling, found);
    }
    return found;
  });

  const findTask = find<{ pid: number; comm: string }>('tasks', 'pid, comm');
  const findStack = find<{ frames: string }>('stacks', 'frames');
  const findObject = find<{ text: string }>('objects', 'text');
  const findShape = find<{
    input: number;
    kind: number;
    context: number;
    module: string | null;
    code: number | null;
    name: string | null;
  }>('shapes', 'input, kind, context, module, code, name');
  return {
    code,
    task: remembering(findTask),
    object: remembering((id) => findObject(id).text),
    stack: remembering((id) => JSON.parse(findStack(id).frames) as readonly string[]),
    shape: remembering((id): Shape => {
      const row = findShape(id);
      const kind = kinds.get(row.kind);
      const context = contexts.get(row.context);
      if (kind === undefined || context === undefined) {
        throw new Sqlite.SqliteError(`shape ${id} is of no known kind`, 'SQLITE_CORRUPT');
      }
      return { ...row, kind, context, code: row.code === null ? undefined : code(row.code) };
    }),
  };
}

function remembering<T>(load: (id: number) => T): (id: number) => T {
  const known = new Map<number, T>();
  return (id) => {
    let value = known.get(id);
    if (value === undefined) {
      value = load(id);
      // Reading a store takes no more memory for being longer.
      if (known.size === 1 << 14) known.clear();
      known.set(id, value);
    }
    return value;
  };
}

type Nullable<T> = { [Key in keyof T]: T[Key] | null };

type StoredInput = Omit<InputSummary, 'kernel' | 'cpus' | 'end' | 'reading'> &
  Nullable<Required<Pick<InputSummary, 'kernel' | 'cpus' | 'end'>>> & { readonly reading: string | null };

function readInputs(db: Database.Database): InputSummary[] {
  const rows = db
    .prepare<[], StoredInput>(
      `SELECT path, format, kernel, clock, lines, events, skipped, bad, lost, first_ns AS first, last_ns AS last, cpus, end_ns AS "end",
         reading
       FROM inputs ORDER BY id`,
    )
    .all();
  return rows.map(({ kernel, cpus, end, reading, ...rest }) => ({
    ...rest,
    ...(kernel !== null && { kernel }),
    ...(cpus !== null && { cpus }),
    ...(end !== null && { end }),
    ...(reading !== null && { reading: readingSchema.parse(JSON.parse(reading)) }),
  }));
}

type StoredLoss = Nullable<Required<LossRow>> & Pick<LossRow, 'input' | 'line' | 'where' | 'after'>;

function readBad(db: Database.Database): Bad[][] {
  const inputs = db.prepare<[], number>('SELECT id FROM inputs ORDER BY id').pluck();
  const lines = db.prepare<[number], Bad>(
    'SELECT line, at_column AS "column", message, text FROM bad_lines WHERE input = ? ORDER BY rowid',
  );
  return inputs.all().map((input) => lines.all(input));
}

function readLosses(db: Database.Database): LossRow[] {
  const rows = db
    .prepare<[], StoredLoss>(
      'SELECT input, line, place AS "where", count, cpu, after, ns FROM losses ORDER BY rowid',
    )
    .all();
  return rows.map(({ count, cpu, ns, ...rest }) => ({
    ...rest,
    ...(count !== null && { count }),
    ...(cpu !== null && { cpu }),
    ...(ns !== null && { ns }),
  }));
}

function readReport(db: Database.Database): Report {
  const parse = <T>(text: unknown) => JSON.parse(String(text)) as T;
  const report = parse<Report>(db.prepare('SELECT json FROM report').pluck().get());
  const findings = db.prepare('SELECT json FROM findings ORDER BY id').pluck().all();
  return { ...report, findings: findings.map((json) => parse<Finding>(json)) };
}

type StoredStanding = Pick<ModuleSummary, 'state'> & {
  readonly incarnation: number;
  readonly nth: number;
  readonly held: number;
  readonly known: number;
  readonly doubt: string | null;
};

function readStanding(db: Database.Database, module: string): Standing {
  const row = db
    .prepare<[string], StoredStanding>(
      `SELECT s.incarnation, i.nth, i.state, i.held, s.known, s.doubt
       FROM standings AS s JOIN incarnations AS i ON i.id = s.incarnation WHERE s.module = ?`,
    )
    .get(module);
  const { incarnation, nth, state, held, known, doubt } = found(row, `standing of ${module}`);
  const open = readOpen(db, incarnation);
  return {
    module,
    nth,
    state,
    count: state === 'freed' ? 0 : held,
    known: known === 1,
    ...(doubt !== null && { doubt }),
    out: open.length,
    open,
  };
}

type StoredOpen = Nullable<Required<Pick<OpenReference, 'within' | 'missedBy' | 'dependent'>>> & {
  readonly get: number;
  readonly family: HolderKind;
  readonly place: number;
};

function readOpen(db: Database.Database, incarnation: number): OpenReference[] {
  const rows = db
    .prepare<[number], StoredOpen>(
      `SELECT r.get, f.text AS family, r.place, r.within, r.missed_by AS missedBy, r.dependent
       FROM open_refs AS r JOIN families AS f ON f.id = r.family WHERE r.incarnation = ? ORDER BY r.get`,
    )
    .all(incarnation);
  const event = createEventReader(db);
  const place = createPlaceReader(db);
  return rows.map(({ get, family, place: id, within, missedBy, dependent }) => ({
    get: event(get) as ModuleRefEvent,
    family,
    place: place(id),
    ...(within !== null && { within }),
    ...(missedBy !== null && { missedBy }),
    ...(dependent !== null && { dependent }),
  }));
}

function createPlaceReader(db: Database.Database): (id: number) => TakingPlace {
  const statement = db.prepare<[number], Nullable<Required<TakingPlace>> & TakingPlace>(
    `SELECT name, symbol, puts, same_task AS sameTask, longest_hold AS longestHold FROM places WHERE id = ?`,
  );
  return remembering((id) => {
    const { symbol, ...rest } = found(statement.get(id), `place ${id}`);
    return { ...rest, ...(symbol !== null && { symbol }) };
  });
}

function readFrees(db: Database.Database, module: string): Event[] {
  const seqs = db
    .prepare<[string], number>(
      'SELECT free FROM incarnations WHERE module = ? AND free IS NOT NULL AND remembered ORDER BY nth',
    )
    .pluck()
    .all(module);
  return seqs.map(createEventReader(db));
}

function findQuery(name: string): NamedQuery {
  const queries = listQueries();
  const query = queries.find((candidate) => candidate.name === name);
  if (query === undefined) {
    throw new UserError(
      'usage',
      `there is no query named ${JSON.stringify(name)}`,
      `queries: ${queries.map((known) => known.name).join(', ')}`,
    );
  }
  return query;
}

function bindValues(
  query: NamedQuery,
  params: Readonly<Record<string, string | number>>,
): Record<string, string | number | null> {
  const names = query.parameters.map((parameter) => parameter.name);
  for (const name of Object.keys(params)) {
    if (!names.includes(name)) {
      throw new UserError(
        'usage',
        `query ${query.name} has no parameter ${JSON.stringify(name)}`,
        names.length > 0 ? `parameters: ${names.join(', ')}` : 'it has none',
      );
    }
  }
  const given = new Map(Object.entries(params));
  return Object.fromEntries(
    query.parameters.map((parameter) => [
      parameter.name,
      bindValue(query, parameter, given.get(parameter.name)),
    ]),
  );
}

function bindValue(
  query: NamedQuery,
  parameter: QueryParameter,
  given: string | number | undefined,
): string | number | null {
  if (given === undefined) {
    if (parameter.optional) return null;
    throw new UserError('usage', `query ${query.name} needs ${parameter.name}: ${parameter.help}`);
  }
  if (parameter.type === 'text') return String(given);
  const value = /^-?\d+$/.test(String(given)) ? Number(given) : Number.NaN;
  if (!Number.isSafeInteger(value)) {
    throw new UserError(
      'usage',
      `${parameter.name} of query ${query.name} is ${JSON.stringify(given)}, expected a whole number`,
      parameter.help,
    );
  }
  return value;
}

function ask(statement: Database.Statement, params?: Record<string, unknown>): QueryResult {
  const columns = statement.columns().map((column) => column.name);
  const rows = (params === undefined ? statement.raw().all() : statement.raw().all(params)) as unknown[][];
  return { columns, rows };
}

/** Not the user's mistake. */
const DAMAGE = /^SQLITE_(CORRUPT|NOTADB|IOERR|CANTOPEN)/;

function askFreely(db: Database.Database, text: string): QueryResult {
  try {
    const statement = db.prepare(text);
    // The connection is read-only, but VACUUM INTO and ATTACH would still reach other files.
    if (!statement.reader || !statement.readonly) {
      throw new UserError(
        'usage',
        'only a statement that reads can be run on a store',
        'start it with SELECT',
      );
    }
    return ask(statement);
  } catch (error) {
    const damaged = error instanceof Sqlite.SqliteError && DAMAGE.test(error.code);
    if (error instanceof UserError || damaged || !(error instanceof Error)) throw error;
    throw new UserError(
      'usage',
      `SQL: ${error.message}`,
      'tables and views: SELECT name, sql FROM sqlite_schema; ready-made questions: modlife query',
    );
  }
}
