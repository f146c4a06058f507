/** A count over time in bounded memory, however many changes it has. */
import type { CountPoint, CountSeries } from '../model/dossier.ts';

export interface CountRecorder {
  add(ns: number, count: number): void;
  /** @param most points; fewer than were kept, if need be */
  series(most: number): CountSeries;
}

type Point = { -readonly [Key in keyof CountPoint]: CountPoint[Key] };

/** Points that can be drawn side by side. A reduced one is a low and a high, so half as many of them. */
export const MOST_POINTS = 2000;

/**
 * Exact as long as every change fits. After that neighbours in time share a point, which keeps the lowest and the
 * highest count among them, so that no peak is lost; time without changes costs nothing.
 */
export function createCountRecorder(): CountRecorder {
  let points: Point[] = [];
  let bucket = 0;
  let changes = 0;

  return {
    add(ns, count) {
      changes++;
      const newest = points.at(-1);
      // Records of two CPUs may come a little out of order; a line in a chart runs one way.
      const time = newest === undefined ? ns : Math.max(ns, newest.ns);
      if (newest !== undefined && bucket > 0 && slot(newest.ns, bucket) === slot(time, bucket)) {
        widen(newest, count, count, count);
        return;
      }
      points.push({ ns: time, low: count, high: count, last: count });
      if (points.length > (bucket === 0 ? MOST_POINTS : MOST_POINTS / 2)) {
        ({ points, bucket } = reduce(points, bucket, MOST_POINTS / 4));
      }
    },
    series(most) {
      const fits = points.length <= (bucket === 0 ? most : most / 2);
      return { changes, ...(fits ? { points, bucket } : reduce(points, bucket, Math.max(1, most / 2))) };
    },
  };
}

function slot(ns: number, bucket: number): number {
  return Math.floor(ns / bucket);
}

function widen(point: Point, low: number, high: number, last: number): void {
  point.low = Math.min(point.low, low);
  point.high = Math.max(point.high, high);
  point.last = last;
}

/** Powers of two nest, so that reducing twice loses no more than reducing once. */
function reduce(
  exact: readonly Point[],
  before: number,
  most: number,
): { readonly points: Point[]; readonly bucket: number } {
  let points: readonly Point[] = exact;
  let bucket = before;
  do {
    bucket = Math.max(1, bucket * 2);
    const wider: Point[] = [];
    for (const point of points) {
      const newest = wider.at(-1);
      if (newest !== undefined && slot(newest.ns, bucket) === slot(point.ns, bucket)) {
        widen(newest, point.low, point.high, point.last);
      } else wider.push({ ...point });
    }
    points = wider;
  } while (points.length > most);
  return { points: [...points], bucket };
}
