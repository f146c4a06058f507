/** Fills a store while a capture is analyzed: events, losses and references as they pass, the rest at the end. */
import type { Change, Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Bad } from '../model/collector.ts';
import type { Event } from '../model/event.ts';
import type { Report } from '../model/report.ts';
import type { IncarnationRow, ReferenceRow, StandingRow } from '../store/rows.ts';
import { latest, standingOf } from './standings.ts';

export interface Keeper {
  change(change: Change): void;
  events(events: readonly Event[]): void;
  finish(ledger: Ledger, report: Report, bad: readonly (readonly Bad[])[]): void;
  /** Without `finish` before it: leaves nothing behind. */
  close(): void;
}

/** Loaded when needed: most runs keep no store. */
export async function createKeeper(path: string): Promise<Keeper> {
  const { createStore } = await import('../store/create-store.ts');
  const store = createStore(path);
  let closed: ReferenceRow[] = [];
  let forgotten: IncarnationRow[] = [];

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
      store.addReferences(closed);
      closed = [];
      store.addIncarnations(forgotten);
      forgotten = [];
    },
    finish(ledger, report, bad) {
      for (const [input, lines] of bad.entries()) for (const line of lines) store.addBad({ ...line, input });
      store.addReferences(closed);
      store.finish({
        incarnations: [...forgotten, ...ledger.incarnations.map((incarnation) => toRow(incarnation, true))],
        references: ledger.incarnations.flatMap(stillOut),
        standings: standings(ledger),
        report,
      });
    },
    close: () => store.close(),
  };
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
