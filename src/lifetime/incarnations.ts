/** Every load of every module: the same name loaded again is another incarnation. */
import type { Event, FunctionEntryEvent, ModuleLoadEvent } from '../model/event.ts';
import type { PastModule } from '../model/past.ts';
import { moduleAddress } from './arguments.ts';
import type { Change, Incarnation } from './changes.ts';
import { createCount } from './count.ts';
import { createReferenceBook } from './references.ts';

export interface Incarnations {
  /** Loads that began before anything is told. */
  goOnFrom(modules: readonly PastModule[]): void;
  readonly all: readonly Incarnation[];
  /** The latest incarnation of each name, freed or not. */
  readonly current: ReadonlyMap<string, Incarnation>;
  /** The incarnation that `event` is about; `fresh` when it cannot be about one that was freed. */
  of(module: string, event: Event, fresh: boolean): Incarnation;
  loaded(event: ModuleLoadEvent): Incarnation;
  /** It is freed and all that followed at once has been told. */
  retire(incarnation: Incarnation): void;
}

/** Freed loads that are remembered beside the latest of each name: what comes late is mostly about one of them. */
export const REMEMBERED = 1024;
/** So many more before the oldest are let go of together: each time all that is remembered is gone through. */
export const TOGETHER = 128;

/** Joins the struct module address that a probe prints, an identity, with the name. */
export function identify(incarnation: Incarnation, event: FunctionEntryEvent): void {
  incarnation.address ??= moduleAddress(event);
}

export function createIncarnations(tell: (change: Change) => void): Incarnations {
  const all: Incarnation[] = [];
  /** Freed, all of it told. */
  const over = new WeakSet<Incarnation>();
  /** Of them, those that a newer load of their name follows; the oldest first. */
  let superseded: Incarnation[] = [];
  let count = 0;
  const current = new Map<string, Incarnation>();

  function begin(id: number, module: string, nth: number, first: Event): Incarnation {
    const incarnation: Incarnation = {
      id,
      module,
      nth,
      first,
      last: first,
      state: 'live',
      count: createCount(),
      references: createReferenceBook(),
      gets: 0,
      puts: 0,
      maxRefcnt: undefined,
      load: undefined,
      initDone: undefined,
      free: undefined,
      unload: undefined,
      initFailed: false,
      address: undefined,
      gap: undefined,
    };
    const before = current.get(module);
    all.push(incarnation);
    current.set(module, incarnation);
    if (before !== undefined && over.has(before)) supersede(before);
    return incarnation;
  }

  function of(module: string, event: Event, fresh: boolean): Incarnation {
    let incarnation = current.get(module);
    if (incarnation === undefined || (incarnation.state === 'freed' && fresh))
      incarnation = begin(++count, module, (incarnation?.nth ?? 0) + 1, event);
    incarnation.last = event;
    return incarnation;
  }

  function retire(incarnation: Incarnation): void {
    if (over.has(incarnation)) return;
    over.add(incarnation);
    if (current.get(incarnation.module) !== incarnation) supersede(incarnation);
  }

  function supersede(incarnation: Incarnation): void {
    superseded.push(incarnation);
    if (superseded.length < REMEMBERED + TOGETHER) return;
    const oldest = superseded.slice(0, TOGETHER);
    superseded = superseded.slice(TOGETHER);
    const forgotten = new Set(oldest);
    let kept = 0;
    for (const each of all) if (!forgotten.has(each)) all[kept++] = each;
    all.length = kept;
    for (const each of oldest) tell({ type: 'forgotten', incarnation: each });
  }

  return {
    all,
    current,
    of,
    retire,
    goOnFrom(modules) {
      for (const { module, id, nth, first, free, ended, maxRefcnt } of modules) {
        const incarnation = begin(id, module, nth, first);
        count = Math.max(count, id);
        incarnation.free = free;
        incarnation.maxRefcnt = maxRefcnt ?? undefined;
        if (ended) {
          incarnation.state = 'freed';
          retire(incarnation);
        }
      }
    },
    loaded(event) {
      const before = current.get(event.module);
      // References taken while the loader still sets it up come before module_load; a capture that lost the free
      // shows a second load of a module that is already known to be past its own.
      const isNew = before !== undefined && (before.load !== undefined || before.initDone !== undefined);
      if (isNew && before.state !== 'freed') {
        before.state = 'freed';
        retire(before);
      }
      const incarnation = of(event.module, event, true);
      incarnation.load = event;
      incarnation.state = 'coming';
      incarnation.count.loaded();
      return incarnation;
    },
  };
}
