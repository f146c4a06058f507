/**
 * The ledger: every load of every module, and every claim on it, followed event by event in time order.
 * It knows no rule; it tells passes what changed.
 */
import type { Lost } from '../model/collector.ts';
import type {
  Code,
  DeferredEvent,
  Event,
  FunctionEntryEvent,
  FunctionReturnEvent,
  ModuleFreeEvent,
  ModuleLoadEvent,
  ModuleRefEvent,
  Nanoseconds,
  SyscallEnterEvent,
  SyscallExitEvent,
} from '../model/event.ts';
import { type Call, type CallTracker, createCallTracker, functionName, placeOf } from './calls.ts';
import type { Change, Deferred, FailedGet, Incarnation, Unload } from './changes.ts';
import { createCount, type Gap } from './count.ts';
import { createFileTracker, type FileTracker } from './files.ts';
import { type After, afterReturn } from './order.ts';
import { createReferenceBook } from './references.ts';
import { type Family, familyOf, placeName, readFrame } from './sites.ts';
import { isInTextOf, mayBeModuleText, ownerByAddress, ownerNow } from './text-owner.ts';

export interface Loss {
  readonly lost: Lost;
  readonly input: number;
  /** The event read last before the loss was told; undefined at the start of the capture. */
  readonly after: Event | undefined;
}

export interface Ledger {
  event(event: Event): void;
  lost(lost: Lost, input: number): void;
  /** The capture ended, at `ts` if other records show that it ran longer. Unloads under way stay so. */
  end(ts?: Nanoseconds): void;
  /** The latest moment the capture is known to cover. */
  readonly now: Nanoseconds;
  readonly incarnations: readonly Incarnation[];
  readonly calls: CallTracker;
  readonly files: FileTracker;
  readonly losses: readonly Loss[];
  /** Unloads entered and not come back. */
  readonly underWay: readonly Unload[];
  /** Are delete_module calls recorded in this capture? */
  readonly sawUnloadCalls: boolean;
  /** The last event so far. */
  readonly last: Event | undefined;
  /** Was the function of `call` in the text of `incarnation`, as far as is known by now? */
  inTextOf(call: Call, incarnation: Incarnation): boolean;
  /** Is the free of this call's module ordered after its return? Known for calls that returned during an unload. */
  orderedBefore(call: Call, pid: number): Event | undefined;
}

/** Functions that free memory: what must not be reached from an interrupt on behalf of a module's object. */
const FREES: ReadonlySet<string> = new Set([
  'vfree',
  'vfree_atomic',
  'vunmap',
  'free_module',
  'module_memfree',
  'execmem_free',
]);
/** The kobject core while it destroys an object. */
const RELEASING: ReadonlySet<string> = new Set([
  'kobject_release',
  'kobject_cleanup',
  'kobject_delayed_cleanup',
  'device_release',
]);
/** Failed gets remembered until a put asks for them. */
const FAILURES = 1 << 14;
/** Without system call events an unload is over when this much time has passed since the free. */
const SETTLED_NS = 2e9;

export function createLedger(tell: (change: Change) => void): Ledger {
  const incarnations: Incarnation[] = [];
  const current = new Map<string, Incarnation>();
  const byAddress = new Map<string, Incarnation>();
  const calls = createCallTracker();
  const files = createFileTracker();
  const unloads = new Map<number, Unload>();
  const attempts = new Map<string | number, FunctionEntryEvent>();
  const failed = new Map<string, FailedGet>();
  const releasing = new Map<string | number, number>();
  const deferred = new Map<string, Deferred>();
  /** Pending when their module was freed; they may run yet. */
  const orphans = new Map<string, Deferred>();
  const after = new Map<Call, After>();
  const places = new Map<string, Code>();
  /** Functions that gave references back, and whose. */
  const givers = new Map<string, Set<Incarnation>>();
  const losses: Loss[] = [];
  let last: Event | undefined;
  let sawUnloadCalls = false;
  let ended = 0;

  function incarnationOf(module: string, event: Event, fresh: boolean): Incarnation {
    let incarnation = current.get(module);
    if (incarnation === undefined || (incarnation.state === 'freed' && fresh)) {
      incarnation = {
        id: incarnations.length + 1,
        module,
        nth: incarnation === undefined ? 1 : incarnation.nth + 1,
        first: event,
        last: event,
        state: 'live',
        count: createCount(),
        references: createReferenceBook(),
        gets: 0,
        puts: 0,
        maxRefcnt: undefined,
        load: undefined,
        initDone: undefined,
        free: undefined,
        unload: undefined,
        initFailed: false,
        address: undefined,
        gaps: [],
      };
      incarnations.push(incarnation);
      current.set(module, incarnation);
    }
    incarnation.last = event;
    return incarnation;
  }

  function loaded(event: ModuleLoadEvent): void {
    const before = current.get(event.module);
    // References taken while the loader still sets it up come before module_load; a capture that lost the free
    // shows a second load of a module that is already known to be past its own.
    const isNew = before !== undefined && (before.load !== undefined || before.initDone !== undefined);
    if (isNew && before.state !== 'freed') before.state = 'freed';
    const incarnation = incarnationOf(event.module, event, true);
    incarnation.load = event;
    incarnation.state = 'coming';
    incarnation.count.loaded();
    tell({ type: 'loaded', incarnation, event });
  }

  /** What the kernel adds to the references out: the base, and the loader's hold while init() runs. */
  function baseOf(incarnation: Incarnation): number {
    if (incarnation.state === 'coming') return 2;
    return incarnation.state === 'going' ? 0 : 1;
  }

  /** The place that took or dropped, and its family, looking behind what hides it. */
  function actor(event: ModuleRefEvent, within: Call | undefined): { code: Code; family: Family } {
    const family = familyOf(event.callSite, event.module);
    if (family !== 'hidden') return { code: event.callSite, family };
    const frame = callerFrame(event);
    const framed = frame === undefined ? undefined : placeOfFrame(frame, within);
    const code = framed ?? (within === undefined ? undefined : placeOfCall(within));
    if (code !== undefined) return { code, family: familyOf(code, event.module) };
    const address = event.callSite.address;
    const owner =
      address === undefined ? undefined : ownerByAddress(event.callSite, current.values(), undefined);
    return { code: event.callSite, family: owner?.module === event.module ? 'own' : family };
  }

  function placeOfFrame(frame: string, within: Call | undefined): Code | undefined {
    const read = readFrame(frame);
    if (read === undefined) return undefined;
    // Without sym-offset a frame is printed without its module; the enclosing call may tell it.
    return within?.name === read.symbol ? placeOfCall(within) : place(read.symbol, read.module);
  }

  function placeOfCall(call: Call): Code {
    return place(call.name, ownerNow(call, current.values())?.module);
  }

  function place(symbol: string, module: string | undefined): Code {
    const text = module === undefined ? symbol : `${symbol} [${module}]`;
    let code = places.get(text);
    if (code === undefined) {
      code = { text, symbol, ...(module === undefined ? {} : { module }) };
      places.set(text, code);
    }
    return code;
  }

  function reference(event: ModuleRefEvent): void {
    const within = calls.current(event);
    const incarnation = incarnationOf(event.module, event, event.kind === 'module_get');
    if (incarnation.maxRefcnt === undefined || event.refcnt > incarnation.maxRefcnt)
      incarnation.maxRefcnt = event.refcnt;
    for (let call = within; call !== undefined; call = call.parent) {
      call.net ??= new Map();
      call.net.set(event.module, (call.net.get(event.module) ?? 0) + (event.kind === 'module_get' ? 1 : -1));
    }
    if (event.kind === 'module_get') taken(event, incarnation, within);
    else dropped(event, incarnation, within);
  }

  function taken(event: ModuleRefEvent, incarnation: Incarnation, within: Call | undefined): void {
    attempts.delete(placeOf(event));
    incarnation.gets++;
    const usersBefore = incarnation.count.users;
    counted(event, incarnation, 1);
    const { code, family } = actor(event, within);
    if (code.symbol !== undefined && family !== 'file') files.tookIn(event.pid, code.symbol);
    const taken = incarnation.references.take(event, code, family, within);
    tell({ type: 'taken', incarnation, reference: taken, usersBefore });
  }

  function dropped(event: ModuleRefEvent, incarnation: Incarnation, within: Call | undefined): void {
    incarnation.puts++;
    const { code, family } = actor(event, within);
    if (family === 'init' || (incarnation.state === 'coming' && isLoadersOwn(event, incarnation, family))) {
      incarnation.initDone = event;
      incarnation.state = 'live';
      counted(event, incarnation, 0);
      return;
    }
    const usersBefore = incarnation.count.users;
    const key = `${placeOf(event)} ${event.module}`;
    const failedGet = failed.get(key);
    failed.delete(key);
    const back =
      failedGet !== undefined && family !== 'file' && incarnation.references.newestOf(event.pid) === undefined
        ? undefined
        : incarnation.references.giveBack(event, code, family);
    if (back !== undefined) {
      counted(event, incarnation, -1);
      if (code.symbol !== undefined && family !== 'file') noteGiver(code.symbol, incarnation);
      tell({ type: 'given-back', incarnation, reference: back, usersAfter: incarnation.count.users, within });
      return;
    }
    if (failedGet === undefined && (!incarnation.count.known || incarnation.count.unseen > 0)) {
      counted(event, incarnation, -1);
      incarnation.count.unseenGivenBack();
      return;
    }
    if (incarnation.count.gaveBackCounted(event, baseOf(incarnation))) {
      // The count was as high before the put as ours is after it: the get is what is missing.
      const gap: Gap = { delta: 1, after: incarnation.count.agreed, before: event };
      incarnation.gaps.push(gap);
      tell({ type: 'gap', incarnation, gap });
      return;
    }
    // The kernel does not decrement past zero: such a put warns and changes nothing.
    counted(event, incarnation, event.refcnt === 0 && usersBefore <= 0 ? 0 : -1);
    tell({
      type: 'unmatched-put',
      incarnation,
      put: event,
      dropper: code,
      family,
      within,
      failedGet,
      usersBefore,
    });
  }

  function noteGiver(symbol: string, incarnation: Incarnation): void {
    const known = givers.get(symbol);
    if (known === undefined) givers.set(symbol, new Set([incarnation]));
    else known.add(incarnation);
  }

  /** On kernels and builds that print another symbol, the loader's put is known by who does it and when. */
  function isLoadersOwn(event: ModuleRefEvent, incarnation: Incarnation, family: Family): boolean {
    return (
      (family === 'hidden' || family === 'core') &&
      event.pid === incarnation.load?.pid &&
      incarnation.references.newestOf(event.pid) === undefined
    );
  }

  function counted(event: ModuleRefEvent, incarnation: Incarnation, step: 1 | -1 | 0): void {
    const gap = incarnation.count.apply(event, step, baseOf(incarnation));
    if (gap === undefined) return;
    incarnation.gaps.push(gap);
    tell({ type: 'gap', incarnation, gap });
  }

  function entered(event: FunctionEntryEvent): void {
    const name = functionName(event);
    const module = moduleArgument(event);
    if (module !== undefined) identify(module, event);
    if (name === 'try_module_get') {
      if (module !== undefined) attempts.set(placeOf(event), event);
    } else if (name === 'free_module') {
      if (module !== undefined) freed(module, event);
    } else if (RELEASING.has(name)) {
      releasing.set(placeOf(event), (releasing.get(placeOf(event)) ?? 0) + 1);
    }
    if (FREES.has(name)) {
      const within = calls.current(event);
      if (within !== undefined) {
        within.frees ??= [];
        within.frees.push(event);
      }
      tell({ type: 'freeing', event, within });
      return;
    }
    if (!mayBeModuleText(event.fn, incarnations)) return;
    const call = calls.enter(event, (releasing.get(placeOf(event)) ?? 0) > 0);
    files.entered(call, ownerNow(call, current.values())?.module);
    tell({ type: 'entered', call });
    const unload = unloads.get(event.pid);
    if (
      unload !== undefined &&
      unload.exit === undefined &&
      unload.free === undefined &&
      event.context !== 'softirq' &&
      event.context !== 'hardirq'
    ) {
      // The first function of a module that the unloading task runs is that module's exit.
      unload.exit = call;
      const owner = ownerNow(call, current.values());
      if (owner !== undefined && unload.incarnation === undefined && owner.state !== 'freed')
        going(unload, owner, 'named');
    }
  }

  function returned(event: FunctionReturnEvent): void {
    const name = event.fn.symbol ?? '';
    if (RELEASING.has(name)) {
      const depth = (releasing.get(placeOf(event)) ?? 0) - 1;
      if (depth > 0) releasing.set(placeOf(event), depth);
      else releasing.delete(placeOf(event));
    }
    if (name === 'free_module') settle(unloads.get(event.pid), event);
    if (name === 'try_module_get') {
      const attempt = attempts.get(placeOf(event));
      if (attempt !== undefined && /^(0x)?0+$/.test(event.args.ret ?? '')) failGet(attempt);
    }
    const call = calls.leave(event);
    if (call === undefined) return;
    for (const unload of unloads.values()) {
      if (unload.pid === event.pid || call === unload.exit) continue;
      if (!mayBeUnloaded(call)) continue;
      unload.returned.push(call);
      after.set(call, afterReturn(event, queueOf(event.pid)));
    }
    files.returned(call);
    missedPut(call);
    tell({ type: 'call-returned', call });
  }

  /** The workqueue whose item this task is running. */
  function queueOf(pid: number): string | undefined {
    for (const { armed, running } of deferred.values()) if (running?.pid === pid) return armed.queue;
    return undefined;
  }

  /** A module with users is not the one that is going. */
  function mayBeUnloaded(call: Call): boolean {
    const owner = ownerNow(call, current.values());
    return owner === undefined || owner.count.users <= 0;
  }

  /** A call of a function that gives references back elsewhere in this capture returned and gave none. */
  function missedPut(call: Call): void {
    for (const incarnation of givers.get(call.name) ?? []) {
      if (incarnation.state === 'freed' || (call.net?.get(incarnation.module) ?? 0) !== 0) continue;
      const held = incarnation.references.newestOf(
        call.entry.pid,
        ({ get, missedBy, taker }) =>
          get.seq < call.entry.seq && missedBy === undefined && gaveBack(incarnation, taker, call.name),
      );
      if (held !== undefined) held.missedBy = call;
    }
  }

  function gaveBack(incarnation: Incarnation, taker: Code, giver: string): boolean {
    const site = incarnation.references.sites.get(placeName(taker));
    return site !== undefined && [...site.partners.keys()].some(({ symbol }) => symbol === giver);
  }

  function failGet(attempt: FunctionEntryEvent): void {
    attempts.delete(placeOf(attempt));
    const module = moduleArgument(attempt);
    if (module === undefined) return;
    // Most failures are dealt with properly, and no put ever asks for them.
    if (failed.size >= FAILURES) failed.clear();
    failed.set(`${placeOf(attempt)} ${module}`, { attempt });
  }

  /** Joins the struct module address, an identity, with the name. */
  function identify(module: string, event: FunctionEntryEvent): void {
    const address = event.args.mod;
    const incarnation = current.get(module);
    if (address === undefined || incarnation === undefined || incarnation.state === 'freed') return;
    incarnation.address ??= address;
    byAddress.set(address, incarnation);
  }

  function freed(module: string, event: ModuleFreeEvent | FunctionEntryEvent): void {
    const incarnation = incarnationOf(module, event, false);
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
    unload.incarnation = incarnation;
    unload.identified = 'named';
    unload.free = event;
    incarnation.unload = unload;
    incarnation.free = event;
    incarnation.state = 'freed';
  }

  function going(unload: Unload, incarnation: Incarnation, identified: 'named' | 'inferred'): void {
    unload.incarnation = incarnation;
    unload.identified = identified;
    incarnation.unload = unload;
    if (incarnation.state === 'live' || incarnation.state === 'coming') incarnation.state = 'going';
  }

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
      returned: [],
    };
    unloads.set(event.pid, unload);
    return unload;
  }

  function syscallEntered(event: SyscallEnterEvent): void {
    if (event.syscall !== 'delete_module') return;
    sawUnloadCalls = true;
    settle(unloads.get(event.pid), event);
    const unload = start(event, event);
    const named = event.module === undefined ? undefined : current.get(event.module);
    // Refused while in use; only a module without users is going from here on.
    if (named !== undefined && named.state === 'live') {
      unload.incarnation = named;
      unload.identified = 'named';
    }
  }

  function syscallReturned(event: SyscallExitEvent): void {
    if (event.syscall !== 'delete_module') return;
    const unload = unloads.get(event.pid);
    if (unload === undefined) return;
    unload.ret = event.ret;
    if (unload.free === undefined && event.ret < 0) {
      settle(unload, event);
      tell({ type: 'unload-refused', unload, exit: event });
    } else settle(unload, event);
  }

  /** The unload is over: what was outstanding when the text went? */
  function settle(unload: Unload | undefined, at: Event | undefined): void {
    if (unload === undefined) return;
    unloads.delete(unload.pid);
    const incarnation = unload.incarnation;
    if (unload.free === undefined || incarnation === undefined) {
      for (const call of unload.returned) after.delete(call);
      return;
    }
    unload.done = at;
    const isOurs = (call: Call) =>
      call.entry.seq < unload.free!.seq && isInTextOf(call, incarnation, unload, incarnations);
    const lateReturns = unload.returned.filter((call) => call.returned!.seq > unload.free!.seq);
    const inFlight = [
      ...calls.inFlight().filter((call) => call.entry.pid !== unload.pid || call.entry.context !== 'task'),
      ...lateReturns,
    ].filter(isOurs);
    const returned = unload.returned.filter((call) => call.returned!.seq < unload.free!.seq && isOurs(call));
    const others = unload.returned.splice(0, Infinity, ...returned);
    const pending = [...deferred.values()].filter(
      (claim) => claim.armed.seq < unload.free!.seq && claim.fn.module === incarnation.module,
    );
    tell({
      type: 'freed',
      incarnation,
      unload,
      outstanding: incarnation.references.open().filter((open) => open.get.seq < unload.free!.seq),
      usersAtFree: incarnation.count.users,
      inFlight,
      pending,
    });
    for (const call of others) after.delete(call);
    for (const claim of pending) {
      deferred.delete(claim.armed.object);
      orphans.set(claim.armed.object, claim);
    }
  }

  function defer(event: DeferredEvent): void {
    const orphan = orphans.get(event.object);
    if (orphan !== undefined) {
      // Nobody can run what was not armed again, whatever the function prints as by now.
      if (starts(event.kind)) tell({ type: 'ran-after-free', claim: orphan, event });
      if (starts(event.kind) || arms(event.kind)) orphans.delete(event.object);
    }
    switch (event.kind) {
      case 'timer_start':
      case 'hrtimer_start':
      case 'workqueue_queue_work':
      case 'rcu_callback':
        if (event.fn !== undefined)
          deferred.set(event.object, { armed: event, fn: event.fn, running: undefined });
        break;
      case 'timer_expire_entry':
      case 'hrtimer_expire_entry':
      case 'workqueue_execute_start': {
        const claim = deferred.get(event.object);
        if (claim !== undefined) claim.running = event;
        else if (event.fn !== undefined)
          deferred.set(event.object, { armed: event, fn: event.fn, running: event });
        break;
      }
      case 'timer_cancel': {
        // Expiry prints a cancel too, just before the callback runs.
        deferred.delete(event.object);
        break;
      }
      case 'hrtimer_cancel':
      case 'timer_expire_exit':
      case 'hrtimer_expire_exit':
      case 'workqueue_execute_end':
      case 'rcu_invoke_callback': {
        const claim = deferred.get(event.object);
        // Re-armed by its own callback, it stays.
        if (
          claim !== undefined &&
          (claim.running !== undefined ||
            event.kind === 'hrtimer_cancel' ||
            event.kind === 'rcu_invoke_callback')
        ) {
          deferred.delete(event.object);
        }
        break;
      }
      default:
    }
  }

  /** Unloads seen without their system call's return end when their task or time has moved on. */
  function settleOld(event: Event): void {
    for (const unload of unloads.values()) {
      if (unload.free === undefined || unload.enter !== undefined) continue;
      if (event.ts - unload.free.ts > SETTLED_NS) settle(unload, event);
    }
  }

  return {
    incarnations,
    calls,
    files,
    losses,
    get underWay() {
      return [...unloads.values()];
    },
    get sawUnloadCalls() {
      return sawUnloadCalls;
    },
    get last() {
      return last;
    },
    get now() {
      return Math.max(ended, last?.ts ?? 0);
    },
    inTextOf: (call, incarnation) => isInTextOf(call, incarnation, incarnation.unload, incarnations),
    orderedBefore: (call, pid) => after.get(call)?.orders(pid),

    event(event) {
      last = event;
      calls.observe(event);
      if (unloads.size > 0) {
        settleOld(event);
        for (const order of after.values()) order.observe(event);
      }
      if (attempts.size > 0) {
        // try_module_get reports success before anything else can happen in its task.
        const attempt = attempts.get(placeOf(event));
        if (
          attempt !== undefined &&
          !(event.kind === 'module_get' && event.module === moduleArgument(attempt))
        ) {
          if (!(event.kind === 'function_return' && event.fn.symbol === 'try_module_get')) failGet(attempt);
        }
      }
      switch (event.kind) {
        case 'module_load':
          return loaded(event);
        case 'module_free':
          return freed(event.module, event);
        case 'module_get':
        case 'module_put':
          return reference(event);
        case 'function_entry':
          return entered(event);
        case 'function_return':
          return returned(event);
        case 'syscall_enter':
          return syscallEntered(event);
        case 'syscall_exit':
          return syscallReturned(event);
        case 'kernel_fault':
          return tell({ type: 'fault', fault: event });
        case 'module_request':
        case 'sched_waking':
        case 'sched_wakeup':
        case 'sched_process_exit':
        case 'sched_process_exec':
        case 'sched_kthread_stop':
        case 'sched_kthread_stop_ret':
          return;
        default:
          return defer(event);
      }
    },

    lost(lost, input) {
      const loss: Loss = { lost, input, after: last };
      losses.push(loss);
      tell({ type: 'lost', ...loss });
    },

    end(ts = 0) {
      ended = ts;
      for (const unload of [...unloads.values()]) {
        if (unload.free !== undefined) settle(unload, last);
        else if (unload.incarnation === undefined) inferTarget(unload);
      }
    },
  };

  /** The system call printed only a pointer to the name: what else could be going? */
  function inferTarget(unload: Unload): void {
    const candidates = incarnations.filter(
      ({ state, count, first }) => state === 'live' && count.users <= 0 && first.seq < unload.start.seq,
    );
    const touched = candidates.filter(({ module }) =>
      calls.inFlight().some((call) => call.entry.pid === unload.pid && call.entry.fn.module === module),
    );
    const only = candidates.length === 1 ? candidates[0] : touched.length === 1 ? touched[0] : undefined;
    if (only !== undefined) going(unload, only, 'inferred');
  }
}

function starts(kind: DeferredEvent['kind']): boolean {
  return /_expire_entry$|_execute_start$|_invoke_callback$/.test(kind);
}

function arms(kind: DeferredEvent['kind']): boolean {
  return (
    kind === 'timer_start' ||
    kind === 'hrtimer_start' ||
    kind === 'workqueue_queue_work' ||
    kind === 'rcu_callback'
  );
}

/** The frame that called try_module_get or module_put, unless it is a bare address. */
function callerFrame(event: ModuleRefEvent): string | undefined {
  const stack = event.stack;
  if (stack === undefined) return undefined;
  const at = stack.findIndex((frame) =>
    /^(__)?(try_)?module_(get|put)$/.test(readFrame(frame)?.symbol ?? ''),
  );
  return stack.slice(at + 1).find((frame) => !/trampoline|return_to_handler/.test(frame));
}

/** Which module a probe on a module function speaks of; unreadable memory and no module at all are undefined. */
function moduleArgument(event: FunctionEntryEvent): string | undefined {
  const { name, mod } = event.args;
  if (name === undefined || mod === '0x0' || mod === '0') return undefined;
  return /^[\w-]+$/.test(name) ? name : undefined;
}
