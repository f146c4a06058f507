/** Lines of a real trace (Linux 6.12), shortened and renamed: delayed work of a kthread worker, queued by the core's timer. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

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
