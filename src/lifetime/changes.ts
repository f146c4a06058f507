/** What the ledger tells the passes: not events, but what they mean for the life of a module. */
import type { Lost } from '../model/collector.ts';
import type {
  Code,
  DeferredEvent,
  Event,
  FaultEvent,
  FunctionEntryEvent,
  FunctionReturnEvent,
  HungTaskEvent,
  ModuleFreeEvent,
  ModuleLoadEvent,
  ModuleRefEvent,
  SchedEvent,
  SyscallEnterEvent,
  SyscallExitEvent,
} from '../model/event.ts';
import type { Family } from '../model/standing.ts';
import type { Call } from './calls.ts';
import type { Count, Gap } from './count.ts';
import type { Deed } from './interrupts.ts';
import type { Reference, ReferenceBook } from './references.ts';

export type ModuleState = 'unformed' | 'coming' | 'live' | 'going' | 'freed';

/** One load of a module, from first mention to free. The same name loaded again is another incarnation. */
export interface Incarnation {
  readonly id: number;
  readonly module: string;
  /** 1 for the first seen of that name. */
  readonly nth: number;
  readonly first: Event;
  last: Event;
  state: ModuleState;
  readonly count: Count;
  readonly references: ReferenceBook;
  gets: number;
  puts: number;
  maxRefcnt: number | undefined;
  load: ModuleLoadEvent | undefined;
  /** init() is over: the loader gave its own hold back. */
  initDone: Event | undefined;
  free: ModuleFreeEvent | FunctionEntryEvent | undefined;
  /** The unload that freed it, or is about to. */
  unload: Unload | undefined;
  initFailed: boolean;
  /** Address of its struct module, an identity that outlives names. */
  address: string | undefined;
  /** The first that its refcnt shows. */
  gap: Gap | undefined;
}

/** One attempt to remove a module, or the clean-up after a failed init. */
export interface Unload {
  readonly pid: number;
  /** Where it was first seen: the system call, or the free itself when calls were not recorded. */
  readonly start: Event;
  readonly enter: SyscallEnterEvent | undefined;
  incarnation: Incarnation | undefined;
  /** How the module was told: named by an event, or the only one it can be. */
  identified: 'named' | 'inferred' | undefined;
  /** The module's exit function. */
  exit: Call | undefined;
  free: ModuleFreeEvent | FunctionEntryEvent | undefined;
  done: Event | undefined;
  ret: number | undefined;
  /** The latest wakeups of its task. */
  readonly wakeups: SchedEvent[];
  /** A function that its task entered, that waits for others, and that was not seen to return. */
  waiting: FunctionEntryEvent | undefined;
  /** Calls of other tasks that returned after the unload had begun: what a lucky run looks like. */
  readonly returned: Call[];
}

/** A timer, work item or RCU callback that is armed or running. */
export interface Deferred {
  readonly armed: DeferredEvent;
  readonly fn: Code;
  running: DeferredEvent | undefined;
}

export interface RcuCallback extends Deferred {
  /** Would its run have been recorded, as far as this capture shows? */
  readonly wouldBeSeen: boolean;
  /** It ran after all, between the return of exit and the free. */
  readonly ran: FunctionEntryEvent | undefined;
}

/** A try_module_get that was entered and took nothing. */
export interface FailedGet {
  readonly attempt: FunctionEntryEvent;
}

/** A put that no known reference explains. */
export interface UnmatchedPut {
  readonly type: 'unmatched-put';
  readonly incarnation: Incarnation;
  readonly put: ModuleRefEvent;
  readonly dropper: Code;
  readonly family: Family;
  readonly within: Call | undefined;
  readonly failedGet: FailedGet | undefined;
  /** References of others that were out, and may have been robbed. */
  readonly usersBefore: number;
  /** What it gave back, where its taker has given that back since. */
  readonly robbed: Reference | undefined;
}

export type Change =
  | { readonly type: 'loaded'; readonly incarnation: Incarnation; readonly event: ModuleLoadEvent }
  | {
      readonly type: 'taken';
      readonly incarnation: Incarnation;
      readonly reference: Reference;
      /** References out before this one. */
      readonly usersBefore: number;
    }
  | {
      readonly type: 'given-back';
      readonly incarnation: Incarnation;
      readonly reference: Reference;
      readonly usersAfter: number;
      readonly within: Call | undefined;
    }
  /** `reference.missedBy` returned without giving it back; its put may yet come. */
  | { readonly type: 'missed-put'; readonly incarnation: Incarnation; readonly reference: Reference }
  | UnmatchedPut
  /** A function in module text, as far as is known. */
  | { readonly type: 'entered'; readonly call: Call }
  | { readonly type: 'call-returned'; readonly call: Call }
  /** In an interrupt something was done that is fit for it, or is not. */
  | {
      readonly type: 'in-interrupt';
      readonly deed: Deed;
      /** The return of a function that frees, too: it names the caller. */
      readonly event: FunctionEntryEvent | FunctionReturnEvent | DeferredEvent;
      readonly within: Call | undefined;
    }
  | { readonly type: 'unload-refused'; readonly unload: Unload; readonly exit: SyscallExitEvent }
  /** The unload is over and everything that followed the free at once has been seen. */
  | {
      readonly type: 'freed';
      readonly incarnation: Incarnation;
      readonly unload: Unload;
      readonly outstanding: readonly Reference[];
      readonly usersAtFree: number;
      readonly inFlight: readonly Call[];
      /** Timers and work items that were armed or running. */
      readonly pending: readonly Deferred[];
      /** RCU callbacks that had not run when exit returned; when the text was freed, if that was not seen. */
      readonly callbacks: readonly RcuCallback[];
    }
  /** Freed so long ago that the ledger lets go of it. */
  | { readonly type: 'forgotten'; readonly incarnation: Incarnation }
  /** What was pending at a free ran all the same. */
  | { readonly type: 'ran-after-free'; readonly claim: Deferred; readonly event: DeferredEvent }
  | { readonly type: 'gap'; readonly incarnation: Incarnation; readonly gap: Gap }
  | { readonly type: 'lost'; readonly lost: Lost; readonly input: number; readonly after: Event | undefined }
  | { readonly type: 'fault'; readonly fault: FaultEvent }
  /** khungtaskd found a task blocked in an unload. */
  | {
      readonly type: 'hung-unload';
      readonly task: HungTaskEvent;
      readonly incarnation: Incarnation;
      /** The function of the module that it is in: its exit, as far as a stack can tell. */
      readonly symbol: string;
    };
