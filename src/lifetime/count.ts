/**
 * The reference count of one incarnation as we know it, checked against what the kernel printed.
 *
 * The printed refcnt is read after the atomic operation, so events of two CPUs may print the same or swapped
 * values: ours is the truth and theirs a checksum. A difference that stays means that events are missing, and
 * where.
 */
import type { ModuleRefEvent } from '../model/event.ts';

export interface Gap {
  /** Gets minus puts that are missing: +1, one get was not seen; -1, one put. */
  readonly delta: number;
  /** The last event that agreed with our count; undefined when none did before. */
  readonly after: ModuleRefEvent | undefined;
  /** The first event that disagreed. */
  readonly before: ModuleRefEvent;
}

export interface Count {
  /** References known to be out, base and init hold excluded. */
  readonly users: number;
  /** False until a load was seen or a first refcnt was printed. */
  readonly known: boolean;
  /** References taken before the capture began, as far as the first printed refcnt tells. */
  readonly unseen: number;
  /** What the last printed refcnt differs by, if it does and is not believed yet. */
  readonly suspected: number;
  /** The last event whose refcnt agreed with our count. */
  readonly agreed: ModuleRefEvent | undefined;
  /** Does `refcnt`, printed by a put, show that it gave back something that was counted? */
  gaveBackCounted(put: ModuleRefEvent, base: number): boolean;
  /** A reference is out whose get is not to be checked: what was printed then is long past. */
  carried(): void;
  /** The load was seen: nothing can be out but what the loader holds itself. */
  loaded(): void;
  /** Our count changes by `step`; `base` is what the kernel adds: 1 live, 2 while init runs, 0 while going. */
  apply(event: ModuleRefEvent, step: 1 | -1 | 0, base: number): Gap | undefined;
  /** A put gave back what an unseen taker took. */
  unseenGivenBack(): void;
}

/** A difference is believed when this many events in a row show it … */
const BELIEVED_AFTER = 4;
/** … or two that lie this far apart: no race between reading and printing lasts as long. */
const BELIEVED_NS = 50e6;

export function createCount(): Count {
  let users = 0;
  let known = false;
  let unseen = 0;
  /** Kernels before 3.19 print one CPU's share; seen as a value that base 1 cannot have. */
  let perCpu = false;
  let agreed: ModuleRefEvent | undefined;
  let suspect: { readonly delta: number; readonly first: ModuleRefEvent; events: number } | undefined;

  return {
    get users() {
      return users;
    },
    get known() {
      return known;
    },
    get unseen() {
      return unseen;
    },
    get suspected() {
      return suspect?.delta ?? 0;
    },
    get agreed() {
      return agreed;
    },
    gaveBackCounted(put, base) {
      return !perCpu && base > 0 && put.refcnt >= base + users;
    },
    carried() {
      users++;
    },
    loaded() {
      known = true;
      // What looked like somebody's reference before module_load was the loader's own hold.
      users -= unseen;
      unseen = 0;
    },
    unseenGivenBack() {
      unseen = Math.max(0, unseen - 1);
    },
    apply(event, step, base) {
      users += step;
      if (event.refcnt < 0) perCpu = true;
      if (perCpu) return undefined;
      if (!known) {
        known = true;
        unseen = Math.max(0, event.refcnt - base - users);
        users += unseen;
        agreed = event;
        return undefined;
      }
      const delta = event.refcnt - base - users;
      if (delta === 0) {
        agreed = event;
        suspect = undefined;
        return undefined;
      }
      if (suspect === undefined || suspect.delta !== delta) {
        suspect = { delta, first: event, events: 1 };
        return undefined;
      }
      suspect.events++;
      if (suspect.events < BELIEVED_AFTER && event.ts - suspect.first.ts < BELIEVED_NS) return undefined;
      const gap: Gap = { delta, after: agreed, before: suspect.first };
      users += delta;
      unseen = Math.max(0, unseen + delta);
      agreed = event;
      suspect = undefined;
      return gap;
    },
  };
}
