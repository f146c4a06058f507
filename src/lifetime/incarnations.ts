/** Every load of every module: the same name loaded again is another incarnation. */
import type { Event, FunctionEntryEvent, ModuleLoadEvent } from '../model/event.ts';
import { moduleAddress } from './arguments.ts';
import type { Change, Incarnation } from './changes.ts';
import { createCount } from './count.ts';
import { createReferenceBook } from './references.ts';

export interface Incarnations {
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
const REMEMBERED = 1024;

/** Joins the struct module address that a probe prints, an identity, with the name. */
export function identify(incarnation: Incarnation, event: FunctionEntryEvent): void {
  incarnation.address ??= moduleAddress(event);
}

export function createIncarnations(tell: (change: Change) => void): Incarnations {
  const all: Incarnation[] = [];
  /** Oldest first. */
  const retired = new Set<Incarnation>();
  let count = 0;
  const current = new Map<string, Incarnation>();

  function of(module: string, event: Event, fresh: boolean): Incarnation {
    let incarnation = current.get(module);
    if (incarnation === undefined || (incarnation.state === 'freed' && fresh)) {
      incarnation = {
        id: ++count,
        module,
        nth: incarnation === undefined ? 1 : incarnation.nth + 1,
        first: event,
        last: event,
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
        gaps: [],
      };
      all.push(incarnation);
      current.set(module, incarnation);
    }
    incarnation.last = event;
    return incarnation;
  }

  function retire(incarnation: Incarnation): void {
    retired.add(incarnation);
    if (retired.size <= REMEMBERED) return;
    for (const oldest of retired) {
      if (current.get(oldest.module) === oldest) continue;
      retired.delete(oldest);
      all.splice(all.indexOf(oldest), 1);
      tell({ type: 'forgotten', incarnation: oldest });
      return;
    }
  }

  return {
    all,
    current,
    of,
    retire,
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
