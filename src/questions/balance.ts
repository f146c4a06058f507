/** Gets and puts, by the place, the stack or the task that took the reference. */
import type { BalanceAnswer, BalanceBy, BalanceRow } from '../model/answers.ts';
import { doubt } from '../passes/make-finding.ts';
import type { Analysis } from '../pipeline/analyze.ts';
import type { Store } from '../store/open-store.ts';
import { findModule } from './held.ts';

/** By call site, which the ledger keeps itself. */
export function balanceBySite(analysis: Analysis, module: string | undefined): BalanceAnswer {
  const rows = new Map<string, Mutable>();
  const name = module === undefined ? undefined : findModule(analysis.report.modules, module);
  for (const { module, sites } of analysis.engine.totals()) {
    if (name !== undefined && module !== name) continue;
    for (const { taker, family, gets, puts, held, sameTask, longestHold, partners } of sites.values()) {
      const row = { module, taker, family, gets, puts, held, sameTask, longest: longestHold, partners };
      rows.set(`${module}\0${taker}`, row);
    }
  }
  return { type: 'balance', by: 'site', rows: inOrder(rows), ...remarks(analysis, name) };
}

/** By stack or task: only a store keeps every pair. */
export function balanceByPair(
  analysis: Analysis,
  store: Store,
  by: Exclude<BalanceBy, 'site'>,
  module: string | undefined,
): BalanceAnswer {
  const name = module === undefined ? undefined : findModule(analysis.report.modules, module);
  const rows = new Map<string, Mutable>();
  for (const [of, taker, family, dropper, gets, puts] of store.sql(PAIRS[by]).rows) {
    if (name !== undefined && of !== name) continue;
    // What a task took as a tracer, or for a file, is another matter than what its own code took.
    const row = rowOf(rows, String(of), takerOf(by, taker), String(family));
    row.gets += Number(gets);
    row.puts += Number(puts);
    row.held += Number(gets) - Number(puts);
    if (dropper !== null) addPartner(row, String(dropper), Number(puts));
  }
  return { type: 'balance', by, rows: inOrder(rows), ...remarks(analysis, name) };
}

function takerOf(by: Exclude<BalanceBy, 'site'>, taker: unknown): string {
  if (by === 'task') return String(taker);
  return taker === null ? 'no stack recorded' : (JSON.parse(String(taker)) as string[]).join(' < ');
}

const TAKERS = {
  task: `t.comm || '/' || t.pid`,
  stack: 'st.frames',
} as const;

const PAIRS = {
  task: pairs(TAKERS.task),
  stack: pairs(TAKERS.stack),
} as const;

function pairs(taker: string): string {
  return `
    SELECT i.module, ${taker} AS taker, f.text AS family, c.text AS dropper, count(*) AS gets, count(r.put) AS puts
    FROM hard_refs AS r
    JOIN incarnations AS i ON i.id = r.incarnation
    JOIN event_rows AS g ON g.seq = r.get
    JOIN families AS f ON f.id = r.family
    LEFT JOIN tasks AS t ON t.id = g.task
    LEFT JOIN stacks AS st ON st.id = g.stack
    LEFT JOIN event_rows AS p ON p.seq = r.put
    LEFT JOIN shapes AS s ON s.id = p.shape
    LEFT JOIN codes AS c ON c.id = s.code
    GROUP BY i.module, taker, f.text, c.text`;
}

type Counts = Omit<BalanceRow, 'partners'>;
type Mutable = { -readonly [Key in keyof Counts]: Counts[Key] } & { readonly partners: Map<string, number> };

function rowOf(rows: Map<string, Mutable>, module: string, taker: string, family: string): Mutable {
  const key = `${module}\0${taker}\0${family}`;
  let row = rows.get(key);
  if (row === undefined) {
    row = { module, taker, family, gets: 0, puts: 0, held: 0, partners: new Map() };
    rows.set(key, row);
  }
  return row;
}

function addPartner(row: Mutable, site: string, times: number): void {
  row.partners.set(site, (row.partners.get(site) ?? 0) + times);
}

function inOrder(rows: ReadonlyMap<string, Mutable>): BalanceRow[] {
  return [...rows.values()]
    .map(({ partners, ...row }) => ({
      ...row,
      partners: [...partners].map(([site, times]) => ({ site, times })).sort((a, b) => b.times - a.times),
    }))
    .sort(
      (a, b) =>
        b.held - a.held || b.gets - a.gets || compare(a.module, b.module) || compare(a.taker, b.taker),
    );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function remarks(
  { engine }: Analysis,
  module: string | undefined,
): Pick<BalanceAnswer, 'unpaired' | 'doubts'> {
  const doubts = new Set<string>();
  for (const incarnation of engine.ledger.incarnations) {
    if (module !== undefined && incarnation.module !== module) continue;
    const why = doubt(engine.ledger, incarnation, incarnation.first, undefined);
    if (why !== undefined) doubts.add(why);
  }
  return {
    unpaired: engine
      .totals()
      .filter((totals) => totals.unpaired > 0 && (module === undefined || totals.module === module))
      .map((totals) => ({ module: totals.module, puts: totals.unpaired })),
    doubts: [...doubts],
  };
}
