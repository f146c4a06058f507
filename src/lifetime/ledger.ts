/**
 * The ledger: every load of every module, and every claim on it, followed event by event in time order.
 * It knows no rule; it tells passes what changed.
 */
import type { Lost } from '../model/collector.ts';
import { queuesWork } from '../model/deferred.ts';
import type {
  DeferredEvent,
  Event,
  FunctionEntryEvent,
  FunctionReturnEvent,
  HungTaskEvent,
  ModuleFreeEvent,
  Nanoseconds,
} from '../model/event.ts';
import type { Past } from '../model/past.ts';
import { moduleArgument } from './arguments.ts';
import { createCallbacks } from './callbacks.ts';
import { type Call, type CallTracker, createCallTracker, functionName, placeOf } from './calls.ts';
import type { Change, Deferred, Incarnation, Unload } from './changes.ts';
import { createDeferredClaims } from './deferred.ts';
import { createFileTracker, type FileTracker } from './files.ts';
import { createGoneText, type GoneText } from './gone-text.ts';
import { createHardReferences } from './hard-references.ts';
import { hungExit } from './hung-unload.ts';
import { createIncarnations, identify } from './incarnations.ts';
import { type Deed, deedOf, isInterrupt } from './interrupts.ts';
import { createLosses, type Loss } from './losses.ts';
import { createSymbols } from './symbols.ts';
import { isInTextOf, mayBeModuleText, ownerNow } from './text-owner.ts';
import { createUnloading } from './unloading.ts';

export interface Ledger {
  /** Before anything else: what is told goes on after this. */
  goOnFrom(past: Past): void;
  event(event: Event): void;
  lost(lost: Lost, input: number): void;
  /** The capture ended, at `ts` if other records show that it ran longer. Unloads under way stay so. */
  end(ts?: Nanoseconds): void;
  /** The latest moment the capture is known to cover. */
  readonly now: Nanoseconds;
  readonly incarnations: readonly Incarnation[];
  readonly calls: CallTracker;
  readonly files: FileTracker;
  readonly goneText: Pick<GoneText, 'takerOf' | 'mayBeIn'>;
  /** The timer or work item, armed or running, whose function is at a bare address. */
  deferredAt(address: string): Deferred | undefined;
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
  orderedBefore(call: Call, unload: Unload): Event | undefined;
  /** Did it run in a work item, and would this capture not show that its end is waited for? */
  mayBeFlushed(call: Call): boolean;
}

/** The kobject core while it destroys an object. */
export const RELEASING: ReadonlySet<string> = new Set([
  'kobject_release',
  'kobject_cleanup',
  'kobject_delayed_cleanup',
  'device_release',
]);
/** They return when the callbacks that were given before have run. */
const BARRIERS: ReadonlySet<string> = new Set(['rcu_barrier', 'srcu_barrier', 'rcu_barrier_tasks']);

export function createLedger(tell: (change: Change) => void): Ledger {
  const incarnations = createIncarnations(tell);
  const symbols = createSymbols();
  const calls = createCallTracker();
  const files = createFileTracker();
  const goneText = createGoneText(incarnations.all);
  const deferred = createDeferredClaims(incarnations.all, tell);
  const callbacks = createCallbacks(incarnations.all, tell);
  const references = createHardReferences(incarnations, calls, files, tell);
  const unloading = createUnloading(incarnations, calls, deferred, callbacks, tell);
  /** How deep each task is in the kobject core's destruction of an object. */
  const releasing = new Map<string | number, number>();
  const losses = createLosses();
  let last: Event | undefined;
  let ended = 0;

  function entered(event: FunctionEntryEvent): void {
    const name = functionName(event);
    const module = moduleArgument(event, incarnations.current);
    if (module !== undefined) {
      const incarnation = incarnations.current.get(module);
      if (incarnation !== undefined && incarnation.state !== 'freed') identify(incarnation, event);
      if (name === 'try_module_get') references.attempted(event);
      if (name === 'free_module') freed(module, event);
    }
    if (RELEASING.has(name)) releasing.set(placeOf(event), (releasing.get(placeOf(event)) ?? 0) + 1);
    if (isInterrupt(event)) did(deedOf(name, event.context), event);
    if (BARRIERS.has(name)) callbacks.barrierEntered(event);
    if (!mayBeModuleText(event.fn, incarnations.all)) return;
    const call = calls.enter(event, releasing.has(placeOf(event)));
    files.entered(call, ownerNow(call, incarnations.current.values()));
    call.isRcuCallback = callbacks.entered(call);
    tell({ type: 'entered', call });
    references.callEntered(call);
    unloading.callEntered(call);
  }

  function freed(module: string, event: ModuleFreeEvent | FunctionEntryEvent): void {
    goneText.freed(module, event);
    unloading.freed(module, event);
  }

  function did(
    deed: Deed | undefined,
    event: FunctionEntryEvent | FunctionReturnEvent | DeferredEvent,
  ): void {
    if (deed !== undefined) tell({ type: 'in-interrupt', deed, event, within: calls.current(event) });
  }

  function returned(event: FunctionReturnEvent): void {
    const name = event.fn.symbol ?? '';
    // Its return names who called it, where nothing else does.
    if (event.caller?.module !== undefined && isInterrupt(event) && deedOf(name, event.context) === 'frees')
      did('frees', event);
    if (RELEASING.has(name)) {
      const depth = (releasing.get(placeOf(event)) ?? 0) - 1;
      if (depth > 0) releasing.set(placeOf(event), depth);
      else releasing.delete(placeOf(event));
    }
    if (BARRIERS.has(name)) callbacks.barrierReturned(event);
    if (name === 'free_module') unloading.freeReturned(event);
    if (name === 'try_module_get') references.attemptReturned(event);
    const call = calls.leave(event);
    if (call === undefined) return;
    unloading.callReturned(call);
    files.returned(call);
    references.callReturned(call);
    tell({ type: 'call-returned', call });
  }

  function hung(task: HungTaskEvent): void {
    const exit = hungExit(task);
    if (exit === undefined) return;
    const incarnation = incarnations.of(exit.module, task, false);
    // The log may be all there is.
    if (incarnation.first === task) incarnation.state = 'going';
    tell({ type: 'hung-unload', task, incarnation, symbol: exit.symbol });
  }

  return {
    incarnations: incarnations.all,
    calls,
    files,
    goneText,
    deferredAt: deferred.at,
    get losses() {
      return losses.all;
    },
    get underWay() {
      return unloading.underWay;
    },
    get sawUnloadCalls() {
      return unloading.sawCalls;
    },
    get last() {
      return last;
    },
    get now() {
      return Math.max(ended, last?.ts ?? 0);
    },
    inTextOf: (call, incarnation) => isInTextOf(call, incarnation, incarnation.unload, incarnations.all),
    orderedBefore: unloading.orderedBefore,
    mayBeFlushed: unloading.mayBeFlushed,

    goOnFrom({ events, modules, references: out }) {
      losses.add({ count: events, where: 'let-go', line: 0 }, 0, undefined);
      incarnations.goOnFrom(modules);
      for (const reference of out) references.carried(reference);
    },

    event(told) {
      const event = symbols.resolve(told);
      last = event;
      losses.seen(event);
      calls.observe(event);
      unloading.observe(event);
      references.observe(event);
      switch (event.kind) {
        case 'module_load':
          calls.loaded(event.module);
          goneText.loaded();
          return tell({ type: 'loaded', incarnation: incarnations.loaded(event), event });
        case 'module_free':
          return freed(event.module, event);
        case 'module_get':
          goneText.used(event.callSite, event);
          return references.event(event);
        case 'module_put':
          goneText.used(event.callSite, event);
          references.event(event);
          return calls.gaveBack(event);
        case 'function_entry':
          goneText.used(event.fn, event);
          return entered(event);
        case 'function_return':
          return returned(event);
        case 'syscall_enter':
          return unloading.syscallEntered(event);
        case 'syscall_exit':
          return unloading.syscallReturned(event);
        case 'kernel_fault':
          return tell({ type: 'fault', fault: event });
        case 'hung_task':
          return hung(event);
        case 'module_request':
        case 'module_text':
        case 'sched_waking':
        case 'sched_wakeup':
        case 'sched_process_exit':
        case 'sched_process_exec':
        case 'sched_kthread_stop':
        case 'sched_kthread_stop_ret':
          return;
        case 'rcu_callback':
        case 'rcu_invoke_callback':
          if (event.kind === 'rcu_callback' && isInterrupt(event)) did('fit', event);
          return callbacks.event(event);
        default:
          if (queuesWork(event.kind) && isInterrupt(event)) did('fit', event);
          references.deferred(event);
          return deferred.event(event);
      }
    },

    lost(lost, input) {
      losses.add(lost, input, last);
      tell({ type: 'lost', lost, input, after: last });
    },

    end(ts = 0) {
      ended = ts;
      unloading.end(last);
    },
  };
}
