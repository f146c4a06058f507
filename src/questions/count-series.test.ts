import { describe, expect, test } from 'vitest';
import { createCountRecorder, MOST_POINTS } from './count-series.ts';

function recorded(changes: readonly (readonly [ns: number, count: number])[]) {
  const recorder = createCountRecorder();
  for (const [ns, count] of changes) recorder.add(ns, count);
  return recorder;
}

describe('a count over time', () => {
  test('is kept change by change while that fits', () => {
    const { bucket, points } = recorded([
      [10, 1],
      [20, 2],
      [20, 1],
    ]).series(MOST_POINTS);
    expect(bucket).toBe(0);
    expect(points).toEqual([
      { ns: 10, low: 1, high: 1, last: 1 },
      { ns: 20, low: 2, high: 2, last: 2 },
      { ns: 20, low: 1, high: 1, last: 1 },
    ]);
  });

  test('is never drawn with more points than a chart takes, however many changes there are', () => {
    const recorder = createCountRecorder();
    for (let ns = 0; ns < 1_000_000; ns++) recorder.add(ns * 13, ns % 2);
    const { changes, bucket, points } = recorder.series(MOST_POINTS);
    expect(changes).toBe(1_000_000);
    expect(bucket).toBeGreaterThan(0);
    expect(points.length).toBeLessThanOrEqual(MOST_POINTS / 2);
    expect(points.length).toBeGreaterThan(MOST_POINTS / 10);
  });

  test('keeps a single peak among a million changes, the last count, and the order of time', () => {
    const recorder = createCountRecorder();
    for (let ns = 0; ns < 1_000_000; ns++) recorder.add(ns, ns === 654_321 ? 99 : ns % 2);
    const { points } = recorder.series(100);
    expect(points.length).toBeLessThanOrEqual(50);
    expect(points.filter(({ high }) => high === 99)).toHaveLength(1);
    expect(points.find(({ high }) => high === 99)!.ns).toBeLessThanOrEqual(654_321);
    expect(points.at(-1)!.last).toBe(1);
    expect(points.every(({ ns }, index) => index === 0 || ns > points[index - 1]!.ns)).toBe(true);
  });

  test('loses nothing in a long silence: buckets are only kept where something changes', () => {
    const recorder = createCountRecorder();
    for (let ns = 0; ns < 3000; ns++) recorder.add(ns, 1);
    for (let ns = 0; ns < 3000; ns++) recorder.add(1e15 + ns, 2);
    const { points, bucket } = recorder.series(MOST_POINTS);
    expect(bucket).toBeLessThan(100);
    expect(points.length).toBeGreaterThan(100);
  });

  test('does not run backwards where two CPUs printed out of order', () => {
    const { points } = recorded([
      [20, 1],
      [10, 2],
    ]).series(MOST_POINTS);
    expect(points.map(({ ns }) => ns)).toEqual([20, 20]);
  });
});
