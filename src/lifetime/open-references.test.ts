import { expect, test } from 'vitest';
import { random } from '../testing/damage.ts';
import { OpenReferences } from './open-references.ts';
import type { Reference } from './references.ts';

test('are those of a Set, whatever comes and goes', () => {
  const below = random(3);
  const open = new OpenReferences();
  const other = new OpenReferences();
  const set = new Set<Reference>();
  for (let i = 0; i < 5000; i++) {
    // Tasks come once, too, so that idle ones are forgotten.
    const pid = below(4) === 0 ? 100 + i : below(10);
    if (below(2) === 0 || set.size === 0) {
      const reference = { get: { pid } } as Reference;
      open.add(reference);
      set.add(reference);
    } else {
      const gone = [...set][below(set.size)]!;
      open.delete(gone);
      set.delete(gone);
      expect(gone.among).toBeUndefined();
    }
    const all = [...set];
    const newestOf = all.findLast(({ get }) => get.pid === pid);
    expect(open.size).toBe(set.size);
    expect(open.oldest).toBe(all[0]);
    expect(open.newest).toBe(all.at(-1));
    expect(open.newestOf(pid)).toBe(newestOf);
    expect(newestOf?.olderOfTask).toBe(all.findLast((older) => older.get.pid === pid && older !== newestOf));
  }
  expect([...open].every((reference) => set.has(reference) && reference.among === open)).toBe(true);
  expect([...open]).toHaveLength(set.size);
  expect([...other]).toEqual([]);
});
