/** How each kind of claim that needs the text is ended before exit returns; the rule's own fix names them all. */
import type { Call } from '../lifetime/calls.ts';
import { deferredSteps, KTHREAD_DELAY } from '../model/deferred.ts';
import type { DeferredEvent } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import { rules } from './rules.ts';

type Kind = 'a timer' | 'an hrtimer' | 'a work item' | "a worker's" | 'an RCU callback' | 'a file' | 'a call';

const TEXTS: Readonly<Record<Kind, string>> = {
  'a timer':
    'Have exit call timer_shutdown_sync() (del_timer_sync() before 6.2) after the last that arms it.',
  'an hrtimer': 'Have exit call hrtimer_cancel() after the last that arms it.',
  'a work item':
    'Have exit call cancel_work_sync() or cancel_delayed_work_sync() after the last that queues it.',
  "a worker's":
    'Have exit call kthread_cancel_work_sync() or kthread_cancel_delayed_work_sync() after the last that queues it, or kthread_destroy_worker().',
  'an RCU callback':
    'Have exit call rcu_barrier() after the last call_rcu(); synchronize_rcu() does not wait for callbacks.',
  'a file': 'Set .owner = THIS_MODULE in its file_operations, so that an open file keeps the module loaded.',
  'a call':
    'Have exit wait until it has returned: kthread_stop() for a thread that then returns, cancel_work_sync() for a work item; a reference held around the call where others call in.',
};

export function fixOf(kind: Kind): Finding['fix'] {
  return { ...rules['text-in-use'].fix, text: TEXTS[kind] };
}

/** @param armed the event that armed or queued it */
export function fixOfDeferred({ kind, fn }: Pick<DeferredEvent, 'kind' | 'fn'>): Finding['fix'] {
  const isWorkers = kind.startsWith('sched_kthread_work') || fn?.symbol === KTHREAD_DELAY;
  return fixOf(isWorkers ? "a worker's" : deferredSteps[kind].what);
}

/** Of a worker thread nothing but its work can be waited for. */
export function fixOfCall({ entry }: Call): Finding['fix'] {
  return fixOf(entry.comm.startsWith('kworker/') ? 'a work item' : 'a call');
}
