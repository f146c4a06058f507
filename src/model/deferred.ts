import type { DeferredKind, EventKind } from './event.ts';

interface Step {
  /** What is deferred, with its article. */
  readonly what: 'a timer' | 'an hrtimer' | 'a work item' | 'an RCU callback';
  readonly does: 'arm' | 'cancel' | 'begin' | 'end';
}

/** What each tracepoint about something that runs later says. Queued work is cancelled without an event. */
export const deferredSteps: Readonly<Record<DeferredKind, Step>> = {
  timer_start: { what: 'a timer', does: 'arm' },
  timer_cancel: { what: 'a timer', does: 'cancel' },
  timer_expire_entry: { what: 'a timer', does: 'begin' },
  timer_expire_exit: { what: 'a timer', does: 'end' },
  hrtimer_start: { what: 'an hrtimer', does: 'arm' },
  hrtimer_cancel: { what: 'an hrtimer', does: 'cancel' },
  hrtimer_expire_entry: { what: 'an hrtimer', does: 'begin' },
  hrtimer_expire_exit: { what: 'an hrtimer', does: 'end' },
  workqueue_queue_work: { what: 'a work item', does: 'arm' },
  workqueue_execute_start: { what: 'a work item', does: 'begin' },
  workqueue_execute_end: { what: 'a work item', does: 'end' },
  // Of a kthread worker, since Linux 5.11.
  sched_kthread_work_queue_work: { what: 'a work item', does: 'arm' },
  sched_kthread_work_execute_start: { what: 'a work item', does: 'begin' },
  sched_kthread_work_execute_end: { what: 'a work item', does: 'end' },
  rcu_callback: { what: 'an RCU callback', does: 'arm' },
  rcu_invoke_callback: { what: 'an RCU callback', does: 'begin' },
};

/** The same of any event. */
export function deferredStep(kind: EventKind): Step | undefined {
  return (deferredSteps as Partial<Record<EventKind, Step>>)[kind];
}

/** Is it left for a work item to do? */
export function queuesWork(kind: DeferredKind): boolean {
  const { what, does } = deferredSteps[kind];
  return what === 'a work item' && does === 'arm';
}

export function isDeferredKind(kind: string): kind is DeferredKind {
  return Object.hasOwn(deferredSteps, kind);
}

/**
 * The function of the timer of delayed kthread work, which queues it. That of a workqueue's delayed work is no sign of
 * anything: every kernel is full of them, so collectors pass over it.
 */
export const KTHREAD_DELAY = 'kthread_delayed_work_timer_fn';
