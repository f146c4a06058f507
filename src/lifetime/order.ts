/**
 * Happens-before, for one question: once this call had returned, could the task that frees the module have known?
 *
 * What a task does after the return is ordered after it; so is whatever a task does after having been woken by
 * one of those, or after having waited in a function that waits for such calls to end. The set of tasks that are
 * ordered after the return grows with each such edge; the free is ordered if its task is in the set by then.
 */
import type { Event, FunctionReturnEvent } from '../model/event.ts';
import { bareSymbol } from './sites.ts';

/** Functions that return only when a work item that ran before is over … */
const ITEM_JOINS: readonly string[] = [
  'flush_work',
  '__flush_work',
  'flush_delayed_work',
  'cancel_work_sync',
  '__cancel_work_sync',
  '__cancel_work_timer',
  'cancel_delayed_work_sync',
];
/** … or all of a queue. A module empties its own queue when it goes, never the system's. */
const QUEUE_JOINS: ReadonlySet<string> = new Set([
  ...ITEM_JOINS,
  'flush_workqueue',
  '__flush_workqueue',
  'drain_workqueue',
  'destroy_workqueue',
]);
const SYSTEM_QUEUE_JOINS: ReadonlySet<string> = new Set(ITEM_JOINS);
/** system_wq and its like, as workqueue_init_early() names them. */
const SYSTEM_QUEUE = /^events(_\w+)?$/;
/** … threads … */
const THREAD_JOINS: ReadonlySet<string> = new Set([
  'kthread_stop',
  'kthread_flush_work',
  'kthread_flush_worker',
  'kthread_cancel_work_sync',
  'kthread_cancel_delayed_work_sync',
  '__kthread_cancel_work_sync',
  'kthread_destroy_worker',
]);
/** … and what runs in interrupts. Plain synchronize_rcu() is none: it does not wait for callbacks. */
const INTERRUPT_JOINS: ReadonlySet<string> = new Set([
  'del_timer_sync',
  'try_to_del_timer_sync',
  'timer_delete_sync',
  'timer_shutdown_sync',
  'hrtimer_cancel',
  'tasklet_kill',
  'free_irq',
  'synchronize_irq',
  'rcu_barrier',
  'srcu_barrier',
]);

/** Of these, what waits for a work item or a thread, and so sleeps. */
export const WORK_JOINS: ReadonlySet<string> = new Set([...QUEUE_JOINS, ...THREAD_JOINS]);

/** All of them: their returns are worth recording. */
export const waitingFunctions: ReadonlySet<string> = new Set([
  ...QUEUE_JOINS,
  ...THREAD_JOINS,
  ...INTERRUPT_JOINS,
]);

export interface After {
  /** A later event; grows the set. */
  observe(event: Event): void;
  /** Is what `pid` does from now on ordered after the return? The event that makes it so. */
  orders(pid: number): Event | undefined;
  /** Is this a function that waits for such calls to end? */
  isJoin(symbol: string): boolean;
}

/** Could it grow such a set? */
export function mayOrder(event: Event): boolean {
  switch (event.kind) {
    case 'sched_waking':
    case 'sched_wakeup':
      return event.context === 'task';
    case 'sched_kthread_stop_ret':
      return true;
    case 'function_return':
      return waitingFunctions.has(bareSymbol(event.fn.symbol ?? ''));
    default:
      return false;
  }
}

/** @param queue the workqueue that the call ran on, where that is known */
export function afterReturn(returned: FunctionReturnEvent, queue: string | undefined): After {
  const tasks = new Map<number, Event>();
  if (returned.context === 'task' || returned.context === 'unknown') tasks.set(returned.pid, returned);
  const joins = joinsFor(returned, queue);
  return {
    observe(event) {
      switch (event.kind) {
        case 'sched_waking':
        case 'sched_wakeup':
          if (event.context === 'task' && tasks.has(event.pid) && !tasks.has(event.target)) {
            tasks.set(event.target, event);
          }
          break;
        case 'sched_kthread_stop_ret':
          if (joins === THREAD_JOINS && !tasks.has(event.pid)) tasks.set(event.pid, event);
          break;
        case 'function_return':
          if (joins.has(bareSymbol(event.fn.symbol ?? '')) && !tasks.has(event.pid))
            tasks.set(event.pid, event);
          break;
        default:
      }
    },
    orders: (task) => tasks.get(task),
    isJoin: (symbol) => joins.has(bareSymbol(symbol)),
  };
}

function joinsFor(returned: FunctionReturnEvent, queue: string | undefined): ReadonlySet<string> {
  if (returned.context === 'softirq' || returned.context === 'hardirq') return INTERRUPT_JOINS;
  if (queue !== undefined && SYSTEM_QUEUE.test(queue)) return SYSTEM_QUEUE_JOINS;
  return queue !== undefined || returned.comm.startsWith('kworker/') ? QUEUE_JOINS : THREAD_JOINS;
}
