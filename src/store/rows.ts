import type { Bad, Lost } from '../model/collector.ts';
import type { Nanoseconds } from '../model/event.ts';
import type { Standing } from '../model/standing.ts';

/** One load of a module. Every moment is the `seq` of an event: its time, task and line are found there. */
export interface IncarnationRow {
  readonly id: number;
  readonly module: string;
  /** 1 for the first load seen of that name. */
  readonly nth: number;
  readonly state: string;
  /** `null` where the capture does not show it. */
  readonly load: number | null;
  readonly going: number | null;
  readonly free: number | null;
  readonly first: number;
  readonly last: number;
  readonly outcome: string;
  /** Whether the count at the first event is known, so that `held` is the whole truth. */
  readonly baseKnown: boolean;
  readonly gets: number;
  readonly puts: number;
  readonly held: number;
  /** Largest refcnt printed, base included. */
  readonly maxRefcnt: number | null;
  /** False for one that was freed so long before the end that the ledger let go of it. */
  readonly remembered: boolean;
}

/** How one load stands at the end. */
export interface StandingRow {
  /** `IncarnationRow.id`; its `held` and `state` are those of the standing. */
  readonly incarnation: number;
  readonly standing: Standing;
}

/** One hard reference. */
export interface ReferenceRow {
  /** `IncarnationRow.id`. */
  readonly incarnation: number;
  /** `seq` of the get; `null` for one without an event, such as the load's own hold. */
  readonly get: number | null;
  /** `seq` of the put; `null` while it is out. */
  readonly put: number | null;
  readonly family: string;
  /** Another pairing would fit as well. */
  readonly ambiguous: boolean;
}

/** A loss and where in the merged stream it was noticed. */
export interface LossRow extends Lost {
  readonly input: number;
  /** `seq` of the event before it; 0 when none came before. */
  readonly after: number;
  /** Time of the event before it; absent when none came before. */
  readonly ns?: Nanoseconds;
}

export interface BadRow extends Bad {
  readonly input: number;
}
