/** Invented records: work items and timers by the task that runs them. */
import { expect, test } from 'vitest';
import type { DeferredEvent } from '../model/event.ts';
import { createDeferredClaims } from './deferred.ts';

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
