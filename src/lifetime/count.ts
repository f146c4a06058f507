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
  return new CheckedCount();
}

/** A class, so that the counts of all loads are of one shape: getters of an object literal are each its own. */
class CheckedCount implements Count {
  users = 0;
  known = false;
  unseen = 0;
  agreed: ModuleRefEvent | undefined = undefined;
  /** Kernels before 3.19 print one CPU's share; seen as a value that base 1 cannot have. */
  private perCpu = false;
  private suspect: { readonly delta: number; readonly first: ModuleRefEvent; events: number } | undefined =
    undefined;

  get suspected(): number {
    return this.suspect?.delta ?? 0;
  }

  gaveBackCounted(put: ModuleRefEvent, base: number): boolean {
    return !this.perCpu && base > 0 && put.refcnt >= base + this.users;
  }

  carried(): void {
    this.users++;
  }

  loaded(): void {
    this.known = true;
    // What looked like somebody's reference before module_load was the loader's own hold.
    this.users -= this.unseen;
    this.unseen = 0;
  }

  unseenGivenBack(): void {
    this.unseen = Math.max(0, this.unseen - 1);
  }

  apply(event: ModuleRefEvent, step: 1 | -1 | 0, base: number): Gap | undefined {
    this.users += step;
    if (event.refcnt < 0) this.perCpu = true;
    if (this.perCpu) return undefined;
    if (!this.known) {
      this.known = true;
      this.unseen = Math.max(0, event.refcnt - base - this.users);
      this.users += this.unseen;
      this.agreed = event;
      return undefined;
    }
    const delta = event.refcnt - base - this.users;
    if (delta === 0) {
      this.agreed = event;
      this.suspect = undefined;
      return undefined;
    }
    if (this.suspect === undefined || this.suspect.delta !== delta) {
      this.suspect = { delta, first: event, events: 1 };
      return undefined;
    }
    const { suspect } = this;
    suspect.events++;
    if (suspect.events < BELIEVED_AFTER && event.ts - suspect.first.ts < BELIEVED_NS) return undefined;
    const gap: Gap = { delta, after: this.agreed, before: suspect.first };
    this.users += delta;
    this.unseen = Math.max(0, this.unseen + delta);
    this.agreed = event;
    this.suspect = undefined;
    return gap;
  }
}
