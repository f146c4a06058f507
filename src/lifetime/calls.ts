/**
 * Calls into module text: entered, not yet returned. Per task, and per CPU for interrupts, because an interrupt
 * only borrows the task it finds.
 */
import { deferredStep } from '../model/deferred.ts';
import type {
  Code,
  Event,
  FaultEvent,
  FunctionEntryEvent,
  FunctionReturnEvent,
  ModuleRefEvent,
} from '../model/event.ts';
import { bareSymbol, readFrame } from './sites.ts';

export interface Call {
  readonly entry: FunctionEntryEvent;
  /** Function name as shown to people. */
  name: string;
  /** The printed symbol cannot be the probed function: it was looked up after the module had gone. */
  late: boolean;
  /** RCU runs it: it was given to call_rcu(). */
  isRcuCallback: boolean;
  /** The kobject core was releasing an object in this task when the function was entered. */
  readonly releasing: boolean;
  readonly parent: Call | undefined;
  returned: FunctionReturnEvent | undefined;
  /** It must have returned, though no event says so: its task or CPU was seen elsewhere since. */
  over: boolean;
  /** The kernel reported a fault in this task while the call was in flight. */
  fault: FaultEvent | undefined;
  /** Gets minus puts inside, per module. */
  net: Map<string, number> | undefined;
}

export interface CallTracker {
  enter(entry: FunctionEntryEvent, releasing: boolean): Call;
  /** The call that returned, if its entry was seen. */
  leave(event: FunctionReturnEvent): Call | undefined;
  /** The innermost call in flight where `event` happened. */
  current(event: Event): Call | undefined;
  /** `event` shows that calls on its CPU or in its task are over. */
  observe(event: Event): void;
  /** `put` may be the last thing that its task does. */
  gaveBack(put: ModuleRefEvent): void;
  inFlight(): Call[];
  /** What calls do to the count of `module` is told from now on. */
  loaded(module: string): void;
  /** What calls of a function did to the count of `module` in its latest load: how many returned, and how often with
   *  which net. */
  effects(
    name: string,
    module: string,
  ): {
    readonly returned: number;
    readonly nets: ReadonlyMap<number, number>;
    /** The latest call that neither took nor gave anything. */
    readonly empty: Call | undefined;
  };
  /** What the function that begins at a bare address is called, if it was probed and entered since `from`. */
  nameAt(address: string, from: Event): string | undefined;
  /** Was a return probe on this function, as far as this capture shows? */
  returnsAreSeen(call: Call): boolean;
}

/** Open calls kept per task: a function without a return probe must not pile up. */
const DEPTH = 64;
const ENTRY_ONLY = 16;

/** Built-in functions that put and never return to the module that called them, before 5.17 and since. */
const PUTS_AND_EXITS = /^(?:__)?module_put_and_(?:kthread_)?exit$/;

/** Names that `modlife capture` gives: it sets a probe on the return before the one on the entry. */
const PAIRED = /^enter\d+_/;

export function createCallTracker(): CallTracker {
  const stacks = new Map<string | number, Call[]>();
  /** Symbols that were printed for functions they cannot be: whatever prints as one of them is late too. */
  const stale = new Set<string>();
  /** CPUs with calls in flight that an interrupt made. */
  const interrupted = new Set<number>();
  const seen = new Map<string, FunctionStats>();

  function statsOf(name: string, module: string | undefined) {
    let stats = seen.get(name);
    if (stats === undefined) {
      stats = {
        entries: 0,
        returns: 0,
        returnsBefore: new Map(),
        module,
        latest: undefined,
        nets: new Map(),
        empty: undefined,
      };
      seen.set(name, stats);
    }
    return stats;
  }

  function isLate(entry: FunctionEntryEvent): boolean {
    const { symbol, module } = entry.fn;
    if (symbol === undefined) return true;
    const key = `${symbol} ${module}`;
    if (resolvedLate(entry) && !stale.has(key)) {
      stale.add(key);
      for (const call of inFlight()) {
        if (call.entry.fn.symbol === symbol && call.entry.fn.module === module) rename(call);
      }
    }
    return stale.has(key) && !isNamedAs(entry);
  }

  /** What is gone had a function where one of another module begins now, so that its symbol seemed right. */
  function rename(call: Call): void {
    if (isNamedAs(call.entry)) return;
    call.late = true;
    call.name = nameBehind(call.entry);
  }

  function inFlight(): Call[] {
    return [...stacks.values()].flat();
  }

  function clear(key: string | number): void {
    const stack = stacks.get(key);
    if (stack === undefined) return;
    for (const call of stack) call.over = true;
    stacks.delete(key);
  }

  function ended(call: Call, event: FunctionReturnEvent): Call {
    call.returned = event;
    const stats = statsOf(call.name, call.entry.fn.module);
    stats.returns++;
    if (call.net === undefined) stats.empty = call;
    for (const [module, net] of call.net ?? []) {
      let nets = stats.nets.get(module);
      if (nets === undefined) {
        nets = new Map();
        stats.nets.set(module, nets);
      }
      nets.set(net, (nets.get(net) ?? 0) + 1);
    }
    return call;
  }

  return {
    enter(entry, releasing) {
      const key = placeOf(entry);
      let stack = stacks.get(key);
      if (stack === undefined) {
        stack = [];
        stacks.set(key, stack);
        if (entry.context !== 'task' && entry.context !== 'unknown') interrupted.add(entry.cpu);
      }
      const late = isLate(entry);
      const name = late ? nameBehind(entry) : entry.fn.symbol!;
      const stats = statsOf(name, entry.fn.module);
      // Entered again although it was never seen to return: the earlier call is over.
      const again = stats.returns === 0 ? stack.findIndex((call) => call.name === name) : -1;
      if (again >= 0) for (const call of stack.splice(again)) call.over = true;
      if (stack.length >= DEPTH) stack.shift()!.over = true;
      stats.entries++;
      if (entry.fn.address !== undefined) stats.latest = { address: entry.fn.address, seq: entry.seq };
      const call: Call = {
        entry,
        name,
        late,
        isRcuCallback: false,
        releasing,
        parent: stack.at(-1),
        returned: undefined,
        over: false,
        fault: undefined,
        net: undefined,
      };
      // Entered so often and never seen to return, it has no return probe: nothing can be said to run inside it.
      if (stats.returns === 0 && stats.entries > ENTRY_ONLY) call.over = true;
      else stack.push(call);
      if (stack.length === 0) stacks.delete(key);
      return call;
    },

    leave(event) {
      const stack = stacks.get(placeOf(event));
      if (stack === undefined) return undefined;
      for (let i = stack.length - 1; i >= 0; i--) {
        const call = stack[i]!;
        if (!isReturnOf(event, call)) continue;
        for (const inner of stack.splice(i + 1)) inner.over = true;
        stack.pop();
        if (stack.length === 0) stacks.delete(placeOf(event));
        return ended(call, event);
      }
      // A return after the free may print as whatever lives there now; the name of its probe stays.
      const top = stack.at(-1);
      if (top === undefined || probeName(event.probe) !== top.name) return undefined;
      stack.pop();
      if (stack.length === 0) stacks.delete(placeOf(event));
      return ended(top, event);
    },

    current(event) {
      return stacks.get(placeOf(event))?.at(-1);
    },

    observe(event) {
      if (stacks.size === 0) return;
      if (event.context === 'task' && interrupted.delete(event.cpu)) {
        clear(`${event.cpu}:softirq`);
        clear(`${event.cpu}:hardirq`);
        clear(`${event.cpu}:nmi`);
      }
      if (event.kind === 'kernel_fault' && event.what !== 'warn') {
        for (const call of stacks.get(placeOf(event)) ?? []) call.fault ??= event;
      }
      if (event.kind === 'syscall_enter' || event.kind === 'sched_process_exit') clear(event.pid);
      // The work item or the timer is over, and so is whatever it called.
      if (deferredStep(event.kind)?.does === 'end') clear(placeOf(event));
    },

    gaveBack({ callSite, pid }) {
      if (callSite.module === undefined && PUTS_AND_EXITS.test(bareSymbol(callSite.symbol ?? ''))) clear(pid);
    },

    loaded(module) {
      for (const stats of seen.values()) {
        if (stats.nets.delete(module)) stats.returnsBefore.set(module, stats.returns);
      }
    },

    effects(name, module) {
      const { returns = 0, returnsBefore, nets, empty } = seen.get(name) ?? {};
      const returned = returns - (returnsBefore?.get(module) ?? 0);
      return { returned, nets: nets?.get(module) ?? NO_NETS, empty };
    },

    inFlight,

    nameAt(address, from) {
      for (const [name, { latest }] of seen) {
        if (latest === undefined || latest.seq < from.seq) continue;
        const offset = BigInt(latest.address) - BigInt(address);
        // Behind endbr64, or on it.
        if (offset === 4n || offset === 0n) return name;
      }
      return undefined;
    },

    returnsAreSeen(call) {
      if ((seen.get(call.name)?.returns ?? 0) > 0 || PAIRED.test(call.entry.probe)) return true;
      // Probes are set in pairs by whoever sets them: if every other probed function of this module was seen to
      // return, the return of this one would have been seen too.
      const module = call.entry.fn.module;
      let others = 0;
      for (const [name, stats] of seen) {
        if (name === call.name || stats.module !== module) continue;
        if (stats.returns > 0) others++;
        else if (!inFlight().some((open) => open.name === name)) return false;
      }
      return others > 0;
    },
  };
}

interface FunctionStats {
  entries: number;
  returns: number;
  /** Of them, before the latest load of a module. */
  readonly returnsBefore: Map<string, number>;
  readonly module: string | undefined;
  /** Its latest entry of which only the address was printed. */
  latest: { readonly address: string; readonly seq: number } | undefined;
  /** By module whose references it took or gave back. */
  readonly nets: Map<string, Map<number, number>>;
  empty: Call | undefined;
}

const NO_NETS: ReadonlyMap<number, number> = new Map();

/** Where code runs: a task, or a CPU's interrupt level; the idle tasks share pid 0, so they go by CPU. */
export function placeOf(event: Event): string | number {
  if (event.context === 'task' || event.context === 'unknown')
    return event.pid > 0 ? event.pid : `idle:${event.cpu}`;
  return `${event.cpu}:${event.context}`;
}

/** An entry probe sits on a function's first instruction: +0x0, or +0x4 behind endbr64. */
export function resolvedLate(entry: FunctionEntryEvent): boolean {
  const { symbol, offset, module } = entry.fn;
  if (symbol === undefined) return true;
  return (
    module !== undefined &&
    offset !== undefined &&
    offset > 4 &&
    bareSymbol(symbol) !== probeName(entry.probe)
  );
}

/** Is the probe called as the function that is printed? */
function isNamedAs({ fn, probe }: FunctionEntryEvent): boolean {
  return bareSymbol(fn.symbol!) === probeName(probe);
}

/** Is `code` printed as the function of `call` was, where that cannot be? Then it lay in the same text. */
export function isPrintedAs(call: Call, { symbol, module }: Code): boolean {
  const { printed } = call.entry;
  return printed?.module !== undefined && printed.symbol === symbol && printed.module === module;
}

/** The probed function: as printed where that can be right, else what a stack or the probe's name says. */
export function functionName(event: FunctionEntryEvent): string {
  return resolvedLate(event) ? nameBehind(event) : event.fn.symbol!;
}

function nameBehind(event: FunctionEntryEvent): string {
  // perf and trace-cmd print a bare address and resolve the stack; in a tracefs file both were resolved too late.
  const top = event.fn.symbol === undefined ? event.stack?.[0] : undefined;
  const framed = top === undefined ? undefined : readFrame(top)?.symbol;
  return framed ?? probeName(event.probe);
}

/** Names given by hand are mostly the function's own; tracefs and perf make `p_NAME_0` and `NAME__return`. */
function probeName(probe: string): string {
  return probe.replace(/^[pr]_(\w+)_\d+$/, '$1').replace(/(__return|_ret|_return|_exit_probe)$/, '');
}

/** `open_ret`, but also `out_open`. */
function isNamedAfter(probe: string, fn: string): boolean {
  return probeName(probe) === fn || probe.endsWith(`_${fn}`);
}

function isReturnOf(event: FunctionReturnEvent, call: Call): boolean {
  const { fn } = event;
  const entered = call.entry.fn;
  if (fn.address !== undefined && entered.address !== undefined) return fn.address === entered.address;
  // Between the two lines the module went, and its symbols with it.
  if (fn.address !== undefined) return isNamedAfter(event.probe, call.name);
  if (entered.address !== undefined) return fn.symbol === call.name;
  if (fn.symbol !== entered.symbol) return false;
  // Looked up too late, many functions print as one symbol; then the probes' names tell them apart.
  if (call.late) return probeName(event.probe) === call.name || event.probe === call.entry.probe;
  // The kernel prints a return without the module.
  return fn.module === undefined || entered.module === undefined || fn.module === entered.module;
}
