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

/** Tasks without open references whose places are kept: mostly they take again. */
const IDLE = 64;

/** A class, so that those of all places are of one shape: getters of an object literal are each its own. */
export class OpenReferences implements Iterable<Reference> {
  size = 0;
  oldest: Reference | undefined = undefined;
  newest: Reference | undefined = undefined;
  private newestOfTask = new Map<number, Reference | undefined>();
  /** How many of them have open references. */
  private tasks = 0;

  newestOf(pid: number): Reference | undefined {
    return this.newestOfTask.get(pid);
  }

  add(reference: Reference): void {
    const { pid } = reference.get;
    const { newest } = this;
    const before = this.newestOfTask.get(pid);
    reference.among = this;
    reference.older = newest;
    reference.olderOfTask = before;
    if (newest === undefined) this.oldest = reference;
    else newest.newer = reference;
    if (before === undefined) this.tasks++;
    else before.newerOfTask = reference;
    this.newest = reference;
    this.newestOfTask.set(pid, reference);
    this.size++;
  }

  /** @param reference is open */
  delete(reference: Reference): void {
    const { older, newer, olderOfTask, newerOfTask, get } = reference;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
    if (olderOfTask !== undefined) olderOfTask.newerOfTask = newerOfTask;
    if (newerOfTask !== undefined) newerOfTask.olderOfTask = olderOfTask;
    else {
      this.newestOfTask.set(get.pid, olderOfTask);
      if (olderOfTask === undefined) this.tasks--;
    }
    reference.among = undefined;
    reference.older = undefined;
    reference.newer = undefined;
    reference.olderOfTask = undefined;
    reference.newerOfTask = undefined;
    this.size--;
    this.forgetIdle();
  }

  *[Symbol.iterator](): Generator<Reference> {
    for (let reference = this.oldest; reference !== undefined; reference = reference.newer) yield reference;
  }

  private forgetIdle(): void {
    if (this.newestOfTask.size <= 2 * this.tasks + IDLE) return;
    this.newestOfTask = new Map([...this.newestOfTask].filter(([, reference]) => reference !== undefined));
  }
}
