/** Invented loads: more of them, and of more names, than are remembered. */
import { expect, test } from 'vitest';
import type { ModuleLoadEvent } from '../model/event.ts';
import type { Incarnation } from './changes.ts';
import { createIncarnations, REMEMBERED, TOGETHER } from './incarnations.ts';

const NAMES = 1500;

function loadsOf(rounds: number) {
  const forgotten: Incarnation[] = [];
  const incarnations = createIncarnations((change) => {
    if (change.type === 'forgotten') forgotten.push(change.incarnation);
  });
  for (let load = 0; load < rounds * NAMES; load++) {
    const event = { kind: 'module_load', module: `mod_${load % NAMES}`, seq: load + 1 };
    const incarnation = incarnations.loaded(event as ModuleLoadEvent);
    incarnation.state = 'freed';
    incarnations.retire(incarnation);
  }
  return { all: incarnations.all, forgotten };
}

test('the latest of each name is not let go of, however many there are', () => {
  const { all, forgotten } = loadsOf(1);
  expect(all.length).toBe(NAMES);
  expect(forgotten).toEqual([]);
});

test('of those that a newer load follows the oldest go first, and each is told', () => {
  const { all, forgotten } = loadsOf(4);
  const before = all.length - NAMES;
  expect(before).toBeGreaterThanOrEqual(REMEMBERED);
  expect(before).toBeLessThan(REMEMBERED + TOGETHER);
  const ids = (list: readonly Incarnation[]) => list.map(({ id }) => id);
  expect([...ids(forgotten), ...ids(all)]).toEqual([...Array(4 * NAMES).keys()].map((id) => id + 1));
});

test('a load whose end is told after the next of its name began is let go of, too', () => {
  const incarnations = createIncarnations(() => {});
  for (let load = 0; load < 4 * REMEMBERED; load++) {
    const event = { kind: 'module_load', module: 'foo', seq: load + 1 } as ModuleLoadEvent;
    const before = incarnations.current.get('foo');
    if (before !== undefined) before.state = 'freed';
    incarnations.loaded(event);
    if (before !== undefined) incarnations.retire(before);
  }
  expect(incarnations.all.length).toBeLessThanOrEqual(REMEMBERED + TOGETHER);
});
