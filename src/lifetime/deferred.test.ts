/** What timers and work items a task runs, and what is armed to run. */
import { expect, test } from 'vitest';
import type { DeferredEvent } from '../model/event.ts';
import { findingsOf } from '../testing/story.ts';
import { createDeferredClaims } from './deferred.ts';

/** Lines of a real trace (Linux 6.12), shortened and renamed: delayed work of a kthread worker, queued by the core's timer. */
const TIMER = 'timer=00000000b7708baf function=kthread_delayed_work_timer_fn';
const WORK = 'work struct=0000000014d63895';
const load = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: timer_start: ${TIMER} expires=4294894019 [timeout=25] bucket_expiry=4294894020 cpu=1 idx=4 flags=I
      insmod-10   1.2: module_put: foo call_site=do_init_module refcnt=1`;
const expires = (at: string, fn = 'foo_poll [foo]') => `
      <idle>-0 [001] dNs1. ${at}1: timer_expire_entry: ${TIMER} now=4294894020 baseclk=4294894020
      <idle>-0 [001] dNs2. ${at}2: sched_kthread_work_queue_work: ${WORK} function=${fn} worker=000000003bd08278
      bus-7 ${at}3: sched_kthread_work_execute_start: work struct 0000000014d63895: function ${fn}`;
const arms = `
      bus-7 [000] d..2. 2.5: timer_start: ${TIMER} expires=4294894046 [timeout=25] bucket_expiry=4294894047 cpu=0 idx=31 flags=I
      bus-7 2.6: sched_kthread_work_execute_end: work struct 0000000014d63895: function foo_poll [foo]`;
const unload = `
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.2: module_free: foo
      rmmod-30   5.3: sys_delete_module -> 0x0`;

const told = 'text-in-use foo: a delayed work item with foo_poll [foo] was still armed when foo was freed';

test('it is pending while its timer is, as soon as it was queued once', () => {
  expect(findingsOf(load + expires('2.') + arms + unload)).toEqual([`  -> warning possible ${told}`]);
  expect(findingsOf(load + unload)).toEqual([]);
});

test('it runs when it was queued, not when its timer expires', () => {
  const late = expires('7.', '0xffffffffc048d014');
  const [queued] = late.split('\n      bus-7');
  expect(findingsOf(load + expires('2.') + arms + unload + queued)).toEqual([
    `  -> warning possible ${told}`,
  ]);
  expect(findingsOf(load + expires('2.') + arms + unload + late)).toEqual([
    `  -> error observed ${told}, and ran`,
  ]);
});

test('it is over when its timer was cancelled', () => {
  const cancels = `
      rmmod-30   4.9: timer_cancel: timer=00000000b7708baf`;
  expect(findingsOf(load + expires('2.') + arms + cancels + unload)).toEqual([]);
});

/** Invented records: work items and timers by the task that runs them. */
const fn = { text: 'foo_work [foo]', symbol: 'foo_work', module: 'foo' };
const event = (kind: DeferredEvent['kind'], object: string, pid: number) =>
  ({ kind, object, pid, fn, seq: 1 }) as DeferredEvent;

test('a task runs the work item that it began, whatever interrupts it, until that is over', () => {
  const claims = createDeferredClaims([], () => {});
  const running = () => claims.runningIn(7)?.armed.object;
  claims.event(event('timer_start', 'timer', 1));
  claims.event(event('workqueue_queue_work', 'work', 1));
  claims.event(event('workqueue_execute_start', 'work', 7));
  expect([claims.runningIn(1), running()]).toEqual([undefined, 'work']);
  claims.event(event('timer_expire_entry', 'timer', 7));
  expect(running()).toBe('work');
  claims.event(event('timer_expire_exit', 'timer', 7));
  expect(running()).toBe('work');
  claims.event(event('workqueue_execute_end', 'work', 7));
  expect(running()).toBeUndefined();
});

test('what begins in another task, is cancelled or armed anew runs in the one before no more', () => {
  const claims = createDeferredClaims([], () => {});
  const running = () => [7, 8].filter((pid) => claims.runningIn(pid) !== undefined);
  claims.event(event('workqueue_execute_start', 'work', 7));
  claims.event(event('workqueue_execute_start', 'work', 8));
  expect(running()).toEqual([8]);
  claims.event(event('workqueue_queue_work', 'work', 1));
  expect(running()).toEqual([]);
  claims.event(event('timer_expire_entry', 'timer', 7));
  claims.event(event('timer_cancel', 'timer', 7));
  expect(running()).toEqual([]);
});
