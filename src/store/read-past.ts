/** What a store tells of the events that it has let go of. */
import type Database from 'better-sqlite3';
import type { Event, ModuleRefEvent } from '../model/event.ts';
import type { Past, PastModule, PastReference } from '../model/past.ts';
import type { Report } from '../model/report.ts';
import type { HolderKind } from '../model/standing.ts';

/** @param event one, by `seq` @param report of the store, findings in the order of their ids */
export function readPast(
  db: Database.Database,
  event: (seq: number) => Event,
  report: () => Report,
): Past | undefined {
  const gone = db
    .prepare<[], Pick<Past, 'seq' | 'ns' | 'events'>>('SELECT seq, ns, events FROM let_go')
    .get();
  if (gone === undefined) return undefined;
  const { seq } = gone;
  const whole = report();
  const atEnd = db.prepare<[], number>('SELECT at_end FROM findings ORDER BY id').pluck().all();
  return {
    ...gone,
    modules: readModules(db, seq, event, whole),
    references: readReferences(db, seq, event),
    judged: db.prepare('SELECT max(seq) FROM event_rows').pluck().get() as number,
    report: whole,
    atEnd: new Set(whole.findings.filter((_finding, index) => atEnd[index] === 1)),
  };
}

function readReferences(db: Database.Database, seq: number, event: (seq: number) => Event): PastReference[] {
  const rows = db
    .prepare<object, ReferenceRow>(
      `SELECT r.get, f.text AS family, p.symbol, p.name
       FROM hard_refs AS r
       JOIN families AS f ON f.id = r.family
       JOIN incarnations AS i ON i.id = r.incarnation
       LEFT JOIN open_refs AS o ON o.incarnation = r.incarnation AND o.get = r.get
       LEFT JOIN places AS p ON p.id = o.place
       WHERE r.get <= :seq AND NOT (i.state = 'freed' AND i.last <= :seq) ORDER BY r.get`,
    )
    .all({ seq });
  return rows.map(({ get, family, symbol, name }) => ({
    get: event(get) as ModuleRefEvent,
    family,
    taker: symbol === null || name === null ? undefined : takerOf(symbol, name),
  }));
}

interface ReferenceRow {
  readonly get: number;
  readonly family: HolderKind;
  readonly symbol: string | null;
  readonly name: string | null;
}

/** @param name as places are shown: `symbol [module]` */
function takerOf(symbol: string, name: string): NonNullable<PastReference['taker']> {
  return name === symbol ? { symbol } : { symbol, module: name.slice(symbol.length + 2, -1) };
}

function readModules(
  db: Database.Database,
  seq: number,
  event: (seq: number) => Event,
  { modules }: Report,
): PastModule[] {
  const latest = db.prepare<[string, number], LoadRow>(
    'SELECT id, nth, state, first, free, last FROM incarnations WHERE module = ? AND first <= ? ORDER BY nth DESC LIMIT 1',
  );
  const refs = db.prepare<[string], Pick<PastModule, 'gets' | 'puts'>>(
    'SELECT gets, puts FROM let_go_refs WHERE module = ?',
  );
  return modules.flatMap(({ module, maxRefcnt }) => {
    const load = latest.get(module, seq);
    if (load === undefined) return [];
    const { id, nth, state, first, free, last } = load;
    const ended = state === 'freed' && last <= seq;
    return {
      module,
      id,
      nth,
      first: event(first),
      free: ended && free !== null ? (event(free) as NonNullable<PastModule['free']>) : undefined,
      ended,
      ...(refs.get(module) ?? { gets: 0, puts: 0 }),
      maxRefcnt,
    };
  });
}

interface LoadRow {
  readonly id: number;
  readonly nth: number;
  readonly state: string;
  readonly first: number;
  readonly free: number | null;
  readonly last: number;
}
