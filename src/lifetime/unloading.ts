/** Attempts to remove modules, from the system call to the free and what follows at once. */
import type {
  Event,
  FunctionEntryEvent,
  FunctionReturnEvent,
  ModuleFreeEvent,
  SyscallEnterEvent,
  SyscallExitEvent,
} from '../model/event.ts';
import type { Callbacks } from './callbacks.ts';
import type { Call, CallTracker } from './calls.ts';
import type { Change, Deferred, Incarnation, Unload } from './changes.ts';
import type { DeferredClaims } from './deferred.ts';
import type { Incarnations } from './incarnations.ts';
import { type After, afterReturn, mayOrder, waitingFunctions } from './order.ts';
import { bareSymbol, readFrame, runsWorkItems } from './sites.ts';
import { isInTextOf, ownerNow } from './text-owner.ts';

export interface Unloading {
  /** Entered and not come back. */
  readonly underWay: readonly Unload[];
  /** Are delete_module calls recorded in this capture? */
  readonly sawCalls: boolean;
  /** Something else happened: time and tasks have moved on. */
  observe(event: Event): void;
  syscallEntered(event: SyscallEnterEvent): void;
  syscallReturned(event: SyscallExitEvent): void;
  freed(module: string, event: ModuleFreeEvent | FunctionEntryEvent): void;
  /** free_module returned: all that the free does at once is done. */
  freeReturned(event: FunctionReturnEvent): void;
  /** A function in module text was entered: perhaps the exit. */
  callEntered(call: Call): void;
  callReturned(call: Call): void;
  /** Does this unload go on only after the return of this call? Known for calls that returned during it. */
  orderedBefore(call: Call, unload: Unload): Event | undefined;
  /** Did this call run in a work item, and would a wait for its end not be seen in this capture? */
  mayBeFlushed(call: Call): boolean;
  end(last: Event | undefined): void;
}

const O_TRUNC = 0x200;

/** Of one unload's task, remembered. */
const WAKEUPS = 64;

/** Calls that returned during one unload, the latest: it may hang for days while others go on. */
export const RETURNED = 512;

/** Without system call events an unload is over when this much time has passed since the free. */
const SETTLED_NS = 2e9;

const EWOULDBLOCK = -11;

/** Refused because references are out: for -EBUSY it is not live or cannot be unloaded, for -ENOENT there is none. */
export function isInUse({ ret }: SyscallExitEvent): boolean {
  return ret === EWOULDBLOCK;
}

/** `rmmod -f`, as far as the system call was seen. */
export function isForced({ enter }: Unload): boolean {
  return enter?.flags !== undefined && (enter.flags & O_TRUNC) !== 0;
}

export function createUnloading(
  incarnations: Incarnations,
  calls: CallTracker,
  deferred: DeferredClaims,
  callbacks: Callbacks,
  tell: (change: Change) => void,
): Unloading {
  const { all, current } = incarnations;
  const unloads = new Map<number, Unload>();
  /** Of calls that returned during an unload; grows while that is under way. */
  const after = new WeakMap<Call, After>();
  /** RCU callbacks that had not run when exit returned. */
  const leftByExit = new WeakMap<Unload, Deferred[]>();
  /** Calls that ran in a work item. */
  const inItems = new WeakSet<Call>();
  let sawCalls = false;
  let sawJoins = false;

  function start(event: Event, enter: SyscallEnterEvent | undefined): Unload {
    const unload: Unload = {
      pid: event.pid,
      start: event,
      enter,
      incarnation: undefined,
      identified: undefined,
      exit: undefined,
      free: undefined,
      done: undefined,
      ret: undefined,
      wakeups: [],
      waiting: undefined,
      returned: [],
    };
    unloads.set(event.pid, unload);
    return unload;
  }

  function going(unload: Unload, incarnation: Incarnation, identified: 'named' | 'inferred'): void {
    unload.incarnation = incarnation;
    unload.identified = identified;
    incarnation.unload = unload;
    if (incarnation.state === 'live' || incarnation.state === 'coming') incarnation.state = 'going';
    // The exit of this module called a function of another one, which is the first that was seen.
    const owner = unload.exit === undefined ? undefined : ownerNow(unload.exit, current.values());
    if (owner !== undefined && owner !== incarnation) unload.exit = undefined;
  }

  /** It was not this one that went, or it did not go. */
  function stays(unload: Unload, incarnation: Incarnation): void {
    if (incarnation.unload !== unload) return;
    incarnation.unload = undefined;
    if (incarnation.state !== 'going') return;
    incarnation.state =
      incarnation.load !== undefined && incarnation.initDone === undefined ? 'coming' : 'live';
  }

  function freed(module: string, event: ModuleFreeEvent | FunctionEntryEvent): void {
    const incarnation = incarnations.of(module, event, false);
    if (incarnation.state === 'freed') {
      // free_module and module_free are one free, seen by two probes.
      const unload = unloads.get(event.pid);
      if (unload?.incarnation === incarnation || incarnation.unload?.pid === event.pid) return;
    }
    let unload = unloads.get(event.pid);
    if (unload === undefined || unload.free !== undefined) {
      settle(unload, event);
      unload = start(event, undefined);
    }
    incarnation.initFailed =
      unload.enter === undefined &&
      incarnation.load?.pid === event.pid &&
      event.seq > (incarnation.load?.seq ?? 0);
    const supposed = unload.incarnation;
    if (supposed !== undefined && supposed !== incarnation) stays(unload, supposed);
    going(unload, incarnation, 'named');
    unload.free = event;
    incarnation.free = event;
    incarnation.state = 'freed';
  }

  /** The unload is over: what was outstanding when the text went? */
  function settle(unload: Unload | undefined, at: Event | undefined): void {
    if (unload === undefined) return;
    unloads.delete(unload.pid);
    const incarnation = unload.incarnation;
    if (unload.free === undefined || incarnation === undefined) {
      // One that succeeded freed it, though that was not recorded.
      if (incarnation !== undefined && unload.ret !== 0) stays(unload, incarnation);
      return;
    }
    unload.done = at;
    const isOurs = (call: Call) =>
      call.entry.seq < unload.free!.seq && isInTextOf(call, incarnation, unload, all);
    const lateReturns = unload.returned.filter((call) => call.returned!.seq > unload.free!.seq);
    const inFlight = [
      ...calls.inFlight().filter((call) => call.entry.pid !== unload.pid || call.entry.context !== 'task'),
      ...lateReturns,
    ].filter(isOurs);
    const returned = unload.returned.filter((call) => call.returned!.seq < unload.free!.seq && isOurs(call));
    unload.returned.splice(0, Infinity, ...returned);
    tell({
      type: 'freed',
      incarnation,
      unload,
      outstanding: incarnation.references.open().filter((open) => open.get.seq < unload.free!.seq),
      usersAtFree: incarnation.count.users,
      inFlight,
      pending: deferred.orphan(incarnation, unload.free.seq),
      callbacks: callbacks.orphan(incarnation, leftByExit.get(unload)),
    });
    incarnations.retire(incarnation);
  }

  /** Unloads seen without their system call's return end when their task or time has moved on. */
  function settleOld(event: Event): void {
    for (const unload of unloads.values()) {
      if (unload.free === undefined || unload.enter !== undefined) continue;
      if (event.ts - unload.free.ts > SETTLED_NS) settle(unload, event);
    }
  }

  /** What the task of an unload waits for, and who ends that. */
  function follow(unload: Unload, event: Event): void {
    if (event.kind === 'sched_waking' || event.kind === 'sched_wakeup') {
      if (event.target !== unload.pid) return;
      if (unload.wakeups.push(event) > WAKEUPS) unload.wakeups.shift();
    } else if (event.kind === 'function_entry' || event.kind === 'function_return') {
      if (event.pid !== unload.pid || !waitingFunctions.has(bareSymbol(event.fn.symbol ?? ''))) return;
      unload.waiting = event.kind === 'function_entry' ? event : undefined;
    }
  }

  /** The system call printed only a pointer to the name: what else could be going? */
  function inferTarget(unload: Unload): void {
    const candidates = all.filter(
      ({ state, count, first }) => state === 'live' && count.users <= 0 && first.seq < unload.start.seq,
    );
    const touched = candidates.filter(({ module }) =>
      calls.inFlight().some((call) => call.entry.pid === unload.pid && call.entry.fn.module === module),
    );
    const only = candidates.length === 1 ? candidates[0] : touched.length === 1 ? touched[0] : undefined;
    if (only !== undefined) going(unload, only, 'inferred');
  }

  return {
    get underWay() {
      return [...unloads.values()];
    },
    get sawCalls() {
      return sawCalls;
    },

    observe(event) {
      if (event.kind === 'function_return' && !sawJoins)
        sawJoins = waitingFunctions.has(bareSymbol(event.fn.symbol ?? ''));
      if (unloads.size === 0) return;
      settleOld(event);
      for (const unload of unloads.values()) follow(unload, event);
      if (!mayOrder(event)) return;
      for (const { returned } of unloads.values())
        for (const call of returned) after.get(call)!.observe(event);
    },

    syscallEntered(event) {
      if (event.syscall !== 'delete_module') return;
      sawCalls = true;
      settle(unloads.get(event.pid), event);
      const unload = start(event, event);
      const named = event.module === undefined ? undefined : current.get(event.module);
      // Refused while in use; only a module without users is going from here on.
      if (named !== undefined && named.state === 'live') {
        unload.incarnation = named;
        unload.identified = 'named';
      }
    },

    syscallReturned(event) {
      if (event.syscall !== 'delete_module') return;
      const unload = unloads.get(event.pid);
      if (unload === undefined) return;
      unload.ret = event.ret;
      if (unload.free === undefined && event.ret < 0) {
        settle(unload, event);
        // Refused before exit could run: a call in this task was an interrupt's, and tells nothing of the name.
        unload.exit = undefined;
        if (unload.enter?.module === undefined) unload.incarnation = undefined;
        tell({ type: 'unload-refused', unload, exit: event });
      } else settle(unload, event);
    },

    freed,
    freeReturned: (event) => settle(unloads.get(event.pid), event),

    callEntered(call) {
      const { entry } = call;
      const unload = unloads.get(entry.pid);
      if (unload === undefined || unload.exit !== undefined || unload.free !== undefined) return;
      if (entry.context === 'softirq' || entry.context === 'hardirq') return;
      // The first function of a module that the unloading task runs is that module's exit, unless somebody uses that
      // module: then it may be the user's exit that calls it.
      unload.exit = call;
      const owner = ownerNow(call, current.values());
      if (owner !== undefined && owner.count.users > 0 && !isForced(unload)) return;
      if (owner !== undefined && unload.incarnation === undefined && owner.state !== 'freed') {
        // Of unknown context, it may be an interrupt's that came while this task ran.
        going(unload, owner, entry.context === 'unknown' ? 'inferred' : 'named');
      }
    },

    callReturned(call) {
      const returned = call.returned!;
      const ending = unloads.get(returned.pid);
      // What exit calls may be the first that is seen of it; the system call calls nothing else of the module.
      if (ending?.exit === call && /delete_module/.test(returned.caller?.symbol ?? '')) {
        const owner = ending.incarnation;
        if (owner !== undefined) leftByExit.set(ending, callbacks.waiting(owner));
      }
      if (unloads.size === 0) return;
      const owner = ownerNow(call, current.values());
      // A module with users is not the one that is going.
      if (owner !== undefined && owner.count.users > 0) return;
      const concerned = [...unloads.values()].filter(
        (unload) => unload.pid !== returned.pid && call !== unload.exit && !isOfAnother(unload, owner),
      );
      if (concerned.length === 0) return;
      const item = deferred.runningIn(returned.pid);
      if (item !== undefined || isInItem(call)) inItems.add(call);
      after.set(call, afterReturn(returned, item?.armed.queue));
      for (const unload of concerned) {
        if (unload.returned.push(call) > RETURNED) unload.returned.shift();
      }
    },

    orderedBefore(call, { pid, waiting }) {
      const order = after.get(call);
      if (order === undefined) return undefined;
      return order.orders(pid) ?? (order.isJoin(waiting?.fn.symbol ?? '') ? waiting : undefined);
    },

    mayBeFlushed: (call) => inItems.has(call) && !sawJoins,

    end(last) {
      for (const unload of [...unloads.values()]) {
        if (unload.free !== undefined) settle(unload, last);
        else if (unload.incarnation === undefined) inferTarget(unload);
      }
    },
  };
}

/** Is it known that what is unloaded is not `owner`? */
function isOfAnother({ incarnation, identified }: Unload, owner: Incarnation | undefined): boolean {
  return owner !== undefined && identified === 'named' && incarnation !== owner;
}

function isInItem({ entry, returned }: Call): boolean {
  return [...(entry.stack ?? []), ...(returned?.stack ?? [])].some((frame) =>
    runsWorkItems(readFrame(frame)?.symbol ?? ''),
  );
}
