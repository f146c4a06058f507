/**
 * Holds events back for a moment. A stack is a record of its own that follows its event, perhaps after other
 * CPUs' records; and some tracers write records out of time order. What leaves here is complete and ordered.
 */
import type { Lost } from '../model/collector.ts';
import type { Event } from '../model/event.ts';

/** A loss in the stream of events, where it was told. */
export interface LossMark {
  readonly kind: 'lost';
  readonly lost: Lost;
}

export type Item = Event | LossMark;

export interface Settler {
  push(item: Item): void;
  /** Hands out all but the newest `keep` items, because the capture ended or its source is idle. */
  release(keep?: number): void;
  /** What has not left yet. */
  held(): readonly Item[];
}

/** Records between an event and its stack, in a merged trace of many CPUs. */
const STACK_DISTANCE = 64;
/** Records that a per-CPU drained perf buffer can be late by: one buffer of 64 pages holds fewer. */
const DISORDER = 8192;

export function createSettler(ordered: () => boolean, out: (item: Item) => void): Settler {
  let queue: Item[] = [];
  let start = 0;

  function compact(): void {
    if (start > 4096 || start === queue.length) {
      queue = queue.slice(start);
      start = 0;
    }
  }

  return {
    push(item) {
      queue.push(item);
      const sorted = ordered();
      if (!sorted && item.kind !== 'lost') {
        let at = queue.length - 1;
        for (; at > start; at--) {
          const before = queue[at - 1]!;
          if (before.kind === 'lost' || before.ts <= item.ts) break;
          queue[at] = before;
        }
        queue[at] = item;
      }
      const depth = sorted ? STACK_DISTANCE : DISORDER;
      while (queue.length - start > depth) out(queue[start++]!);
      compact();
    },
    release(keep = 0) {
      while (queue.length - start > keep) out(queue[start++]!);
      compact();
    },
    held: () => queue.slice(start),
  };
}
