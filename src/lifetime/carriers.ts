/**
 * What gives a reference back later: the timer or work item that is armed by the call which took it, as a request is
 * ended by its completion. The object tells which get a put belongs to where tasks and places do not.
 */
import { deferredSteps } from '../model/deferred.ts';
import type { DeferredEvent, Event } from '../model/event.ts';
import { placeOf } from './calls.ts';
import type { Reference } from './references.ts';

export interface Carrier {
  readonly armed: DeferredEvent;
  /** Cancelled since, and neither run nor armed again. */
  cancelled: DeferredEvent | undefined;
}

export interface Carriers {
  /** @param taken what the calls that this task is in have taken and not given to a carrier */
  event(event: DeferredEvent, taken: (event: DeferredEvent) => Reference | undefined): void;
  /** What is to be given back by the callback that `event` happened in. */
  at(event: Event): Reference | undefined;
}

interface Load {
  readonly carrier: Carrier;
  references: Reference[];
}

/** Objects that carry something; where no end of a callback is recorded they would pile up. */
const MOST = 1 << 16;

export function createCarriers(): Carriers {
  const loads = new Map<string, Load>();
  /** What runs where. */
  const running = new Map<string | number, Load>();

  return {
    event(event, taken) {
      const load = loads.get(event.object);
      switch (deferredSteps[event.kind].does) {
        case 'arm': {
          if (load !== undefined) load.carrier.cancelled = undefined;
          const reference = taken(event);
          if (reference === undefined) return;
          const { carrier, references } = load ?? {
            carrier: { armed: event, cancelled: undefined },
            references: [],
          };
          reference.carrier = carrier;
          if (loads.size >= MOST) loads.clear();
          loads.set(event.object, { carrier, references: [...references.filter(isOut), reference] });
          return;
        }
        case 'begin':
          if (load === undefined) return;
          load.carrier.cancelled = undefined;
          loads.delete(event.object);
          running.set(placeOf(event), load);
          return;
        case 'end':
          running.delete(placeOf(event));
          return;
        case 'cancel':
          // Expiry prints one, too, and then runs.
          if (load !== undefined) load.carrier.cancelled = event;
      }
    },
    at: (event) => running.get(placeOf(event))?.references.find(isOut),
  };
}

function isOut({ put }: Reference): boolean {
  return put === undefined;
}
