import type {
  Code,
  Event,
  FunctionEntryEvent,
  ModuleFreeEvent,
  ModuleRefEvent,
  Nanoseconds,
} from './event.ts';
import type { Finding, Report } from './report.ts';
import type { HolderKind } from './standing.ts';

/** What a store still tells of events that it has let go of. */
export interface Past {
  /** Of the last of them: what a store holds whole comes after it. */
  readonly seq: number;
  readonly ns: Nanoseconds;
  /** How many they were. */
  readonly events: number;
  readonly modules: readonly PastModule[];
  /** References that were out at that moment, oldest first. */
  readonly references: readonly PastReference[];
  /** The last event of the store, as far as which it was judged already … */
  readonly judged: number;
  /** … so: with all that was let go of. */
  readonly report: Report;
  /** Findings of that report that hold only if the capture ended there. */
  readonly atEnd: ReadonlySet<Finding>;
}

export interface PastReference {
  readonly get: ModuleRefEvent;
  readonly family: HolderKind;
  /** The function that took it, as far as that was kept. */
  readonly taker: Pick<Code, 'symbol' | 'module'> | undefined;
}

/** The last load of a module that began until that moment. */
export interface PastModule {
  readonly module: string;
  readonly id: number;
  readonly nth: number;
  readonly first: Event;
  /** Where it had been freed by then. */
  readonly free: ModuleFreeEvent | FunctionEntryEvent | undefined;
  readonly ended: boolean;
  /** Of this and of earlier loads, events that were let go of. */
  readonly gets: number;
  readonly puts: number;
  /** Largest refcnt printed, by the end of the store. */
  readonly maxRefcnt: number | null;
}
