/** How modules stand by the ledger, as questions ask for it and as a store keeps it. */
import type { Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Reference } from '../lifetime/references.ts';
import { placeName } from '../lifetime/sites.ts';
import type { Code, Event } from '../model/event.ts';
import type { OpenReference, Standing, Standings, TakingPlace } from '../model/standing.ts';
import { doubt } from '../passes/make-finding.ts';
import type { Analysis } from './analyze.ts';

export function standingsOf({ report, engine: { ledger } }: Analysis): Standings {
  return {
    report: () => report,
    last: () => ledger.last?.ts,
    standing: (module) => standingOf(ledger, latest(ledger).get(module)!),
    frees: (module) =>
      ledger.incarnations.flatMap(({ module: name, free }) =>
        name === module && free !== undefined ? [free] : [],
      ),
  };
}

/** The load to speak of, for each name: the one that lives, or else the last that did. */
export function latest({ incarnations }: Ledger): ReadonlyMap<string, Incarnation> {
  const loads = new Map<string, Incarnation>();
  for (const incarnation of incarnations) {
    const before = loads.get(incarnation.module);
    if (before === undefined || before.state === 'freed' || incarnation.state !== 'freed')
      loads.set(incarnation.module, incarnation);
  }
  return loads;
}

/** @param most open references to tell one by one, oldest first */
export function standingOf(
  ledger: Ledger,
  incarnation: Incarnation,
  most = Number.POSITIVE_INFINITY,
): Standing {
  const { module, nth, state, count, references } = incarnation;
  const open = state === 'freed' ? [] : references.open();
  const why = doubt(ledger, incarnation, incarnation.first, undefined);
  const places = new Map<string, TakingPlace>();

  /** @param code the same place, in the module that is gone */
  function placeOf(taker: Code, code = taker): TakingPlace {
    const name = placeName(code);
    let place = places.get(name);
    if (place === undefined) {
      const { puts, sameTask, longestHold } = references.sites.get(placeName(taker))!;
      const { symbol } = taker;
      place = { name, ...(symbol === undefined ? {} : { symbol }), puts, sameTask, longestHold };
      places.set(name, place);
    }
    return place;
  }

  function openReference(reference: Reference): OpenReference {
    const { get, family, taker, within, missedBy } = reference;
    const gone = ledger.goneText.takerOf(reference);
    const dependent = family === 'dependency' ? loadedNextBy(ledger.incarnations, get) : undefined;
    return {
      get,
      family: gone === undefined ? family : 'gone',
      place: placeOf(taker, gone?.code),
      ...(within === undefined || within.name === taker.symbol ? {} : { within: within.name }),
      ...(missedBy === undefined ? {} : { missedBy: missedBy.name }),
      ...(dependent === undefined ? {} : { dependent }),
    };
  }

  return {
    module,
    nth,
    state,
    count: state === 'freed' ? 0 : Math.max(0, count.users),
    known: count.known,
    ...(why === undefined ? {} : { doubt: why }),
    out: open.length,
    open: open.slice(0, most).map(openReference),
  };
}

/** A dependency is taken while its dependent's symbols are resolved, by the task that then loads it. */
function loadedNextBy(incarnations: readonly Incarnation[], get: Event): string | undefined {
  let next: Incarnation | undefined;
  for (const incarnation of incarnations) {
    const { load } = incarnation;
    if (load === undefined || load.pid !== get.pid || load.seq < get.seq) continue;
    if (next === undefined || load.seq < next.load!.seq) next = incarnation;
  }
  return next?.module;
}
