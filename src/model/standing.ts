/** How modules stand at one moment: what the ledger tells of it, and what a store keeps of the end of its captures. */
import type { Event, ModuleRefEvent, Nanoseconds } from './event.ts';
import type { ModuleSummary, Report } from './report.ts';

/**
 * Who takes and drops references. `file`: the VFS took it for an open file and drops it in __fput. `dependency`:
 * another module links to this one. `tracer`: a probe was being attached; balanced by the tracer, never anybody's bug.
 * `init`: the loader's own hold while init() runs. `own`: the module's own text. `foreign`: another module. `core`: the
 * rest of vmlinux. `hidden`: a return probe or the graph tracer stood in the way, or only an address is known.
 */
export type Family = 'file' | 'dependency' | 'tracer' | 'init' | 'own' | 'foreign' | 'core' | 'hidden';

/** Who holds: `gone` is a module that has been freed since it took. */
export type HolderKind = Family | 'gone';

/** The function that took a reference, and what became of all that it took of this load. */
export interface TakingPlace {
  /** As people are shown it. */
  readonly name: string;
  readonly symbol?: string;
  /** Given back. */
  readonly puts: number;
  /** Of these, by the task that had taken it. */
  readonly sameTask: number;
  readonly longestHold: Nanoseconds;
}

/** A reference that is out. */
export interface OpenReference {
  readonly get: ModuleRefEvent;
  readonly family: HolderKind;
  /** Equal ones are the same object. */
  readonly place: TakingPlace;
  /** The probed function the task was in, if that is not the taking one. */
  readonly within?: string;
  /** The function that should have given it back and returned without doing so. */
  readonly missedBy?: string;
  /** For a dependency: the module that was being loaded. */
  readonly dependent?: string;
}

/** One load of a module. */
export interface Standing {
  readonly module: string;
  /** 1 for the first load seen of that name. */
  readonly nth: number;
  readonly state: ModuleSummary['state'];
  /** References out, by our own count. */
  readonly count: number;
  /** False until a load or a refcnt was seen. */
  readonly known: boolean;
  /** Why what is said of it may be overturned. */
  readonly doubt?: string;
  /** Open references, of which `open` may be but the oldest. */
  readonly out: number;
  /** Oldest first. */
  readonly open: readonly OpenReference[];
}

export interface Standings {
  report(): Report;
  /** Time of the last event; undefined where there was none. */
  last(): Nanoseconds | undefined;
  /** The latest load of a module of the report. */
  standing(module: string): Standing;
  /** The events that freed loads of this module, but for loads long past of very many. */
  frees(module: string): Event[];
}
