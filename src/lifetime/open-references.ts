/**
 * The open references of one place, oldest first. They come and go for ever, so they are linked through themselves: a Map
 * or a Set leaves a table behind whenever it makes room, and V8, once it has taken one of those for old, keeps what all
 * later ones held.
 */
import type { Reference } from './references.ts';

/** Where an open reference is, and its neighbours: of all, and of those that its task took. */
export interface Links {
  among: OpenReferences | undefined;
  older: Reference | undefined;
  newer: Reference | undefined;
  olderOfTask: Reference | undefined;
  newerOfTask: Reference | undefined;
}

export interface OpenReferences extends Iterable<Reference> {
  readonly size: number;
  readonly oldest: Reference | undefined;
  readonly newest: Reference | undefined;
  newestOf(pid: number): Reference | undefined;
  add(reference: Reference): void;
  /** `reference` is open. */
  delete(reference: Reference): void;
}

/** Tasks without open references whose places are kept: mostly they take again. */
const IDLE = 64;

export function createOpenReferences(): OpenReferences {
  let size = 0;
  let oldest: Reference | undefined;
  let newest: Reference | undefined;
  let newestOfTask = new Map<number, Reference | undefined>();
  /** How many of them have open references. */
  let tasks = 0;

  function forgetIdle(): void {
    if (newestOfTask.size <= 2 * tasks + IDLE) return;
    newestOfTask = new Map([...newestOfTask].filter(([, reference]) => reference !== undefined));
  }

  const all: OpenReferences = {
    get size() {
      return size;
    },
    get oldest() {
      return oldest;
    },
    get newest() {
      return newest;
    },
    newestOf: (pid) => newestOfTask.get(pid),

    add(reference) {
      const { pid } = reference.get;
      const before = newestOfTask.get(pid);
      reference.among = all;
      reference.older = newest;
      reference.olderOfTask = before;
      if (newest === undefined) oldest = reference;
      else newest.newer = reference;
      if (before === undefined) tasks++;
      else before.newerOfTask = reference;
      newest = reference;
      newestOfTask.set(pid, reference);
      size++;
    },

    delete(reference) {
      const { older, newer, olderOfTask, newerOfTask, get } = reference;
      if (older === undefined) oldest = newer;
      else older.newer = newer;
      if (newer === undefined) newest = older;
      else newer.older = older;
      if (olderOfTask !== undefined) olderOfTask.newerOfTask = newerOfTask;
      if (newerOfTask !== undefined) newerOfTask.olderOfTask = olderOfTask;
      else {
        newestOfTask.set(get.pid, olderOfTask);
        if (olderOfTask === undefined) tasks--;
      }
      reference.among = undefined;
      reference.older = undefined;
      reference.newer = undefined;
      reference.olderOfTask = undefined;
      reference.newerOfTask = undefined;
      size--;
      forgetIdle();
    },

    *[Symbol.iterator]() {
      for (let reference = oldest; reference !== undefined; reference = reference.newer) yield reference;
    },
  };
  return all;
}
