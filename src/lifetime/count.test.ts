import { expect, test } from 'vitest';
import type { ModuleRefEvent } from '../model/event.ts';
import { createCount } from './count.ts';

let seq = 0;

/** Ten microseconds apart, as a busy machine prints them. */
function event(kind: 'module_get' | 'module_put', refcnt: number, ts = ++seq * 10_000): ModuleRefEvent {
  return {
    kind,
    seq,
    input: 0,
    line: seq,
    ts,
    cpu: 0,
    pid: 1,
    comm: 'cat',
    context: 'task',
    module: 'foo',
    callSite: { text: 'misc_open', symbol: 'misc_open' },
    refcnt,
  };
}

const get = (refcnt: number, ts?: number) => event('module_get', refcnt, ts);
const put = (refcnt: number, ts?: number) => event('module_put', refcnt, ts);

test('a capture that begins in mid-life learns from the first refcnt how many references it did not see', () => {
  const count = createCount();
  count.apply(get(4), 1, 1);
  expect([count.known, count.users, count.unseen]).toEqual([true, 3, 2]);
  count.apply(put(3), -1, 1);
  expect(count.users).toBe(2);
});

test('two CPUs that print swapped values are no gap', () => {
  const count = createCount();
  count.loaded();
  const gaps = [
    count.apply(get(3), 1, 1),
    count.apply(get(2), 1, 1),
    count.apply(put(1), -1, 1),
    count.apply(put(1), -1, 1),
    count.apply(get(2), 1, 1),
  ];
  expect(gaps).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(count.users).toBe(1);
});

test('a difference that stays is a gap, and says between which events it lies', () => {
  const count = createCount();
  count.loaded();
  const agreed = get(2);
  count.apply(agreed, 1, 1);
  const first = get(4);
  const gaps = [
    count.apply(first, 1, 1),
    count.apply(put(3), -1, 1),
    count.apply(get(4), 1, 1),
    count.apply(put(3), -1, 1),
  ];
  expect(gaps.slice(0, 3)).toEqual([undefined, undefined, undefined]);
  expect(gaps[3]).toEqual({ delta: 1, after: agreed, before: first });
  expect([count.users, count.unseen, count.suspected]).toEqual([2, 1, 0]);
});

test('two events far apart are enough: no race lasts that long', () => {
  const count = createCount();
  count.loaded();
  count.apply(get(2, 1e9), 1, 1);
  expect(count.apply(get(2, 2e9), 1, 1)).toBeUndefined();
  expect(count.suspected).toBe(-1);
  expect(count.apply(put(1, 3e9), -1, 1)?.delta).toBe(-1);
});

test('counts of one CPU each, as kernels before 3.19 print them, check nothing', () => {
  const count = createCount();
  count.apply(put(-1), -1, 1);
  for (const refcnt of [5, -2, 7, 1, 0]) expect(count.apply(get(refcnt), 1, 1)).toBeUndefined();
  expect(count.suspected).toBe(0);
});

test('a put after which the count is as high as ours before shows that a get went unseen', () => {
  const count = createCount();
  count.loaded();
  expect(count.gaveBackCounted(put(1), 1)).toBe(true);
  expect(count.gaveBackCounted(put(0), 1)).toBe(false);
  // While the module is going nothing can be taken, so no get can be missing.
  expect(count.gaveBackCounted(put(0), 0)).toBe(false);
});
