/** Fills a store while a capture is analyzed: events, losses and references as they pass, the rest at the end. */
import type { Change, Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Bad } from '../model/collector.ts';
import type { Event } from '../model/event.ts';
import type { Report } from '../model/report.ts';
import type { StoreResult, StoreWriter } from '../store/create-store.ts';
import type { BadRow, IncarnationRow, ReferenceRow, StandingRow } from '../store/rows.ts';
import type { Engine } from './engine.ts';
import { latest, standingOf } from './standings.ts';

export interface Keeper extends Pick<Filler, 'change' | 'events'> {
  finish(engine: Engine, report: Report, bad: readonly (readonly Bad[])[]): void;
  /** Without `finish` before it: leaves nothing behind. */
  close(): void;
}

/** Loaded when needed: most runs keep no store. */
export async function createKeeper(path: string): Promise<Keeper> {
  const { createStore } = await import('../store/create-store.ts');
  const store = createStore(path);
  const { change, events, rest } = fill(store);
  return {
    change,
    events,
    finish(engine, report, bad) {
      for (const row of badRows(bad)) store.addBad(row);
      store.finish({ ...rest(engine), report });
    },
    close: () => store.close(),
  };
}

export interface Filler {
  change(change: Change): void;
  events(events: readonly Event[]): void;
  /** What `change` was not told of: what is out, the loads that are remembered, and how they stand. */
  rest(engine: Pick<Engine, 'ledger' | 'atEnd'>): Omit<StoreResult, 'report'>;
}

/** What the ledger tells, as rows of a store. */
export function fill(
  store: Pick<StoreWriter, 'append' | 'addLoss' | 'addReferences' | 'addIncarnations'>,
): Filler {
  let closed: ReferenceRow[] = [];
  let forgotten: IncarnationRow[] = [];

  function flush(): void {
    store.addReferences(closed);
    closed = [];
    store.addIncarnations(forgotten);
    forgotten = [];
  }

  return {
    change(change) {
      if (change.type === 'forgotten') {
        forgotten.push(toRow(change.incarnation, false));
        closed.push(...stillOut(change.incarnation));
      } else if (change.type === 'given-back') {
        const { incarnation, reference } = change;
        closed.push({
          incarnation: incarnation.id,
          get: reference.get.seq,
          put: reference.put!.seq,
          family: reference.family,
          ambiguous: reference.ambiguous,
        });
      } else if (change.type === 'lost') {
        const { lost, input, after } = change;
        store.addLoss({
          ...lost,
          input,
          after: after?.seq ?? 0,
          ...(after === undefined ? {} : { ns: after.ts }),
        });
      }
    },
    events(events) {
      store.append(events);
      flush();
    },
    rest({ ledger, atEnd }) {
      flush();
      return {
        incarnations: ledger.incarnations.map((incarnation) => toRow(incarnation, true)),
        references: ledger.incarnations.flatMap(stillOut),
        standings: standings(ledger),
        atEnd,
      };
    },
  };
}

/** @param first index of the first input */
export function badRows(bad: readonly (readonly Bad[])[], first = 0): BadRow[] {
  return bad.flatMap((lines, input) => lines.map((line) => ({ ...line, input: first + input })));
}

function stillOut({ id, references }: Incarnation): ReferenceRow[] {
  return references.open().map(({ get, family, ambiguous }) => ({
    incarnation: id,
    get: get.seq,
    put: null,
    family,
    ambiguous,
  }));
}

/** One at a time: each may have many references open. */
function* standings(ledger: Ledger): Generator<StandingRow, undefined> {
  for (const incarnation of latest(ledger).values())
    yield { incarnation: incarnation.id, standing: standingOf(ledger, incarnation) };
}

function toRow(incarnation: Incarnation, remembered: boolean): IncarnationRow {
  const { id, module, nth, state, load, free, first, last, gets, puts, count, unload } = incarnation;
  return {
    id,
    module,
    nth,
    state,
    load: load?.seq ?? null,
    going: unload?.start.seq ?? null,
    free: free?.seq ?? null,
    first: first.seq,
    last: last.seq,
    outcome: incarnation.initFailed ? 'init failed' : state,
    baseKnown: load !== undefined,
    gets,
    puts,
    held: Math.max(0, count.users),
    maxRefcnt: incarnation.maxRefcnt ?? null,
    remembered,
  };
}
