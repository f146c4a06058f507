/**
 * Happens-before, for one question: once this call had returned, could the task that frees the module have known?
 *
 * What a task does after the return is ordered after it; so is whatever a task does after having been woken by
 * one of those, or after having waited in a function that waits for such calls to end. The set of tasks that are
 * ordered after the return grows with each such edge; the free is ordered if its task is in the set by then.
 */
import type { Event } from '../model/event.ts';
import { bareSymbol } from './sites.ts';

/** Functions that return only when callbacks, work or threads that ran before are over. */
const JOINS: ReadonlySet<string> = new Set([
  'flush_work',
  '__flush_work',
  'flush_delayed_work',
  'flush_workqueue',
  '__flush_workqueue',
  'drain_workqueue',
  'destroy_workqueue',
  'cancel_work_sync',
  '__cancel_work_sync',
  '__cancel_work_timer',
  'cancel_delayed_work_sync',
  'kthread_stop',
  'kthread_flush_work',
  'kthread_destroy_worker',
  'del_timer_sync',
  'try_to_del_timer_sync',
  'timer_delete_sync',
  'timer_shutdown_sync',
  'hrtimer_cancel',
  'tasklet_kill',
  'free_irq',
  'rcu_barrier',
  'synchronize_rcu',
  'synchronize_srcu',
  'srcu_barrier',
  'async_synchronize_full',
]);

export interface After {
  /** A later event; grows the set. */
  observe(event: Event): void;
  /** Is what `pid` does from now on ordered after the return? The edge that makes it so. */
  orders(pid: number): Event | undefined;
}

export function afterReturn(pid: number, at: Event): After {
  const tasks = new Map<number, Event>([[pid, at]]);
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
        case 'function_return':
          if (event.kind === 'function_return' && !JOINS.has(bareSymbol(event.fn.symbol ?? ''))) break;
          if (!tasks.has(event.pid)) tasks.set(event.pid, event);
          break;
        default:
      }
    },
    orders: (task) => tasks.get(task),
  };
}
