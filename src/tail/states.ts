/** Tells when a module's state changes. The ledger tells what happened to claims; a state it only keeps. */
import type { Change, Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Event } from '../model/event.ts';
import type { TailLine } from '../model/tail-lines.ts';

export interface StateWatch {
  change(change: Change): void;
  /** To be called when the ledger has seen `event`. */
  after(event: Event): void;
  end(): void;
  /** The latest load of each name. */
  readonly modules: ReadonlyMap<string, Incarnation>;
}

export function createStateWatch(ledger: Ledger, tell: (line: TailLine) => void): StateWatch {
  const modules = new Map<string, Incarnation>();
  const told = new WeakMap<Incarnation, Incarnation['state']>();
  /** Told to be going: their unload may yet end without a free. */
  const going = new Set<Incarnation>();

  function check(incarnation: Incarnation | undefined): void {
    if (incarnation === undefined || told.get(incarnation) === incarnation.state) return;
    const { module, nth, state } = incarnation;
    const before = modules.get(module);
    if (before !== undefined && before.nth < nth) check(before);
    if (before === undefined || before.nth <= nth) modules.set(module, incarnation);
    const known = told.has(incarnation);
    told.set(incarnation, state);
    if (state === 'going') going.add(incarnation);
    else going.delete(incarnation);
    // Mentioned before anything was seen to change it; loading takes references before module_load.
    if (!known && state === 'live' && incarnation.initDone === undefined) return;
    const event = ledger.last ?? incarnation.last;
    tell({
      type: 'state',
      module,
      incarnation: nth,
      state,
      users: Math.max(0, incarnation.count.users),
      ...placeOf(event),
    });
  }

  function checkGoing(): void {
    for (const { incarnation } of ledger.underWay) check(incarnation);
    for (const incarnation of going) check(incarnation);
  }

  return {
    modules,
    change(change) {
      if ('incarnation' in change) check(change.incarnation);
      else if (change.type === 'unload-refused') {
        const { unload, exit } = change;
        const { incarnation } = unload;
        tell({
          type: 'state',
          module: incarnation?.module ?? unload.enter?.module ?? null,
          incarnation: incarnation?.nth ?? null,
          state: 'refused',
          users: Math.max(0, incarnation?.count.users ?? 0),
          ret: exit.ret,
          ...placeOf(exit),
        });
      }
    },
    after(event) {
      switch (event.kind) {
        case 'module_load':
        case 'module_free':
        case 'module_get':
        case 'module_put':
          check(modules.get(event.module));
          return;
        case 'function_entry':
        case 'syscall_enter':
        case 'syscall_exit':
          checkGoing();
          return;
        default:
      }
    },
    end: checkGoing,
  };
}

export function placeOf({ ts, input, line, comm, pid }: Event) {
  return { task: { comm, pid }, ns: ts, input, line };
}
