/**
 * Lets go of what a live store has held for long enough, so that it grows with what is alive and with the time that is
 * asked for, and not with the time that passes. What later rows refer to stays: the gets of references that were out,
 * the events that tell of a load that is remembered.
 */
import type Database from 'better-sqlite3';
import type { Nanoseconds } from '../model/event.ts';
import type { LastIds } from './intern.ts';
import type { RowWriter } from './row-writer.ts';
import { kindIds } from './schema.ts';

export interface Retention {
  /** In the transaction that adds the events up to `last`.
   *  @param alive events, by `seq`, that rows may yet come to refer to */
  after(last: Moment, alive: readonly number[]): void;
}

export interface Moment {
  readonly seq: number;
  /** By the clock of its input; another one may have another. */
  readonly ns: Nanoseconds;
  readonly input: number;
}

/** A moment, and how much time the capture covered until then. */
interface Mark extends Moment {
  readonly age: Nanoseconds;
}

interface Generation extends Mark {
  readonly last: LastIds;
}

/** Parts of the time that is asked for, in which it is let go of … */
const STEPS = 1024;
/** … and in which rows are shared between events, so that they can go together. */
const GENERATIONS = 4;

/** Of events up to `seq`, those that other rows refer to. */
const NEEDED = `
  SELECT get FROM hard_refs WHERE get <= :seq
  ${['load', 'going', 'free', 'first', 'last']
    .map((moment) => `UNION ALL SELECT ${moment} FROM incarnations WHERE ${moment} IS NOT NULL`)
    .join('\n  ')}
  UNION ALL SELECT value FROM json_each(:alive)`;
const GONE = `seq <= :seq AND seq NOT IN (${NEEDED})`;

/** What events share, and who else may refer to it. */
const SHARED: Readonly<Record<keyof LastIds, string>> = {
  shapes: 'SELECT shape FROM event_rows WHERE seq <= :seq',
  tasks: 'SELECT task FROM event_rows WHERE seq <= :seq',
  stacks: 'SELECT stack FROM event_rows WHERE seq <= :seq AND stack IS NOT NULL',
  // What a value means depends on the event: at worst a row too many stays.
  objects: 'SELECT value FROM event_rows WHERE seq <= :seq AND value IS NOT NULL',
  codes: `SELECT value FROM event_rows WHERE seq <= :seq AND value IS NOT NULL
    UNION ALL SELECT code FROM shapes WHERE code IS NOT NULL`,
};

/** @param retain so much of the capture is held whole */
export function createRetention(
  db: Database.Database,
  rows: Pick<RowWriter, 'renew'>,
  retain: Nanoseconds,
): Retention {
  db.exec(`CREATE INDEX IF NOT EXISTS hard_refs_by_get ON hard_refs (get);
    CREATE INDEX IF NOT EXISTS hard_refs_by_put ON hard_refs (put)`);
  const run = (sql: string) => {
    const statement = db.prepare(sql);
    return (params: object) => statement.run(params);
  };
  const count = db.prepare<object, { shape: number; events: number }>(
    `SELECT shape, count(*) AS events FROM event_rows WHERE ${GONE} GROUP BY shape`,
  );
  const countRefs = run(`INSERT INTO let_go_refs
    SELECT module, iif(kind = ${kindIds.module_get}, :events, 0), iif(kind = ${kindIds.module_put}, :events, 0)
    FROM shapes WHERE id = :shape AND kind IN (${kindIds.module_get}, ${kindIds.module_put})
    ON CONFLICT DO UPDATE SET gets = gets + excluded.gets, puts = puts + excluded.puts`);
  const uncount = run('UPDATE shapes SET events = events - :events WHERE id = :shape');
  const release = [
    'DELETE FROM hard_refs WHERE put <= :seq',
    'DELETE FROM incarnations WHERE NOT remembered AND last <= :seq',
    'DELETE FROM losses WHERE after <= :seq',
  ].map(run);
  const releaseForgotten = db.prepare(
    'DELETE FROM hard_refs WHERE put IS NULL AND incarnation NOT IN (SELECT id FROM incarnations)',
  );
  const forget = run(`DELETE FROM event_rows WHERE ${GONE}`);
  const sweep = Object.entries(SHARED).map(([table, used]) => ({
    table: table as keyof LastIds,
    remove: run(`DELETE FROM ${table} WHERE id <= :last AND id NOT IN (${used})`),
  }));
  const known = db.prepare<[], { events: number }>('SELECT events FROM let_go').get();
  const tell = db.prepare('INSERT INTO let_go VALUES (:seq, :ns, :events)');
  let total = known?.events ?? 0;
  const marks: Mark[] = [];
  const generations: Generation[] = [];
  let latest: Mark | undefined;

  function letGo({ seq, ns }: Mark, alive: string): void {
    for (const remove of release) remove({ seq });
    releaseForgotten.run();
    const shapes = count.all({ seq, alive });
    for (const shape of shapes) {
      countRefs(shape);
      uncount(shape);
      total += shape.events;
    }
    forget({ seq, alive });
    let old: Generation | undefined;
    while (generations.length > 0 && generations[0]!.seq <= seq) old = generations.shift();
    if (old !== undefined) for (const { table, remove } of sweep) remove({ seq, last: old.last[table] });
    db.exec('DELETE FROM let_go');
    tell.run({ seq, ns, events: total });
  }

  return {
    after(last, alive) {
      const since = latest?.input === last.input ? Math.max(0, last.ns - latest.ns) : 0;
      const age = (latest?.age ?? 0) + since;
      latest = { ...last, age };
      if (marks.length === 0 || age - marks.at(-1)!.age >= retain / STEPS) marks.push(latest);
      if (generations.length === 0 || age - generations.at(-1)!.age >= retain / GENERATIONS)
        generations.push({ ...latest, last: rows.renew() });
      let horizon: Mark | undefined;
      while (marks.length > 0 && marks[0]!.age <= age - retain) horizon = marks.shift();
      if (horizon !== undefined) letGo(horizon, JSON.stringify(alive));
    },
  };
}
