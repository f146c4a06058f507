import { expect, test } from 'vitest';
import type { Event } from '../model/event.ts';
import { createLosses } from './losses.ts';

/** Invented: only where they are in the order matters. */
const at = (seq: number) => ({ seq }) as Event;

test('of very many losses none is forgotten, only where exactly it was', () => {
  const most = 16;
  const losses = createLosses(most);
  const seqs = [...Array(1000).keys()].map((i) => 1 + i * 7);
  for (const seq of seqs) losses.add({ count: 2, where: 'before', line: seq, cpu: 1 }, 0, at(seq));
  expect(losses.all.length).toBeLessThanOrEqual(most);
  for (const seq of seqs)
    expect(
      losses.all.some(({ since, after }) => since!.seq <= seq && seq <= after!.seq),
      `${seq}`,
    ).toBe(true);
  expect(losses.all.reduce((sum, { lost }) => sum + lost.count!, 0)).toBe(2000);
  expect(losses.all.reduce((sum, { times }) => sum + times, 0)).toBe(1000);
  expect(losses.all.every(({ lost }) => lost.cpu === 1)).toBe(true);
});

test('what is not counted makes the sum uncounted, and no place becomes another', () => {
  const losses = createLosses(3);
  losses.add({ count: 5, where: 'head', line: 1 }, 0, undefined);
  losses.add({ count: 1, where: 'before', line: 3, cpu: 0 }, 0, at(3));
  losses.add({ where: 'before', line: 4, cpu: 1 }, 0, at(4));
  losses.add({ count: 1, where: 'before', line: 9, cpu: 1 }, 1, at(9));
  expect(losses.all).toMatchObject([
    { lost: { where: 'head', count: 5 }, times: 1 },
    { lost: { where: 'before', line: 4 }, since: { seq: 3 }, after: { seq: 4 }, times: 2 },
    { lost: { where: 'before', line: 9, count: 1 }, times: 1 },
  ]);
  expect(losses.all[1]!.lost).toEqual({ where: 'before', line: 4 });
});
