/**
 * RCU callbacks: given to call_rcu(), and not seen to run. Their ends are seen where the kernel tells of each
 * callback it invokes (CONFIG_RCU_TRACE), or where the function itself is probed.
 */
import type { Code, DeferredEvent, FunctionEntryEvent, FunctionReturnEvent } from '../model/event.ts';
import type { Call } from './calls.ts';
import type { Change, Deferred, Incarnation, RcuCallback } from './changes.ts';
import { pointsInto } from './text-owner.ts';

export interface Callbacks {
  event(event: DeferredEvent): void;
  /** A function in module text began to run: is it one of them? */
  entered(call: Call): boolean;
  /** Functions that return when all callbacks given before have run. */
  barrierEntered(event: FunctionEntryEvent): void;
  barrierReturned(event: FunctionReturnEvent): void;
  /** Those with a function of `incarnation` that had been given by now and had not run. */
  waiting(incarnation: Incarnation): Deferred[];
  /** Its text is freed: those that wait now, or did when exit returned. From now on they only wait to be seen running. */
  orphan(incarnation: Incarnation, leftByExit: readonly Deferred[] | undefined): RcuCallback[];
}

interface Given {
  readonly claim: Deferred;
  readonly queue: Queue;
}

/** Of the same function, given on the same CPU. */
interface Queue {
  /** By rcu_head, in the order in which they were given and will run. */
  readonly waiting: Map<string, Given>;
  /** One of them was seen to run, and all that wait now were given later. */
  ranBefore: boolean;
}

export function createCallbacks(
  incarnations: readonly Incarnation[],
  tell: (change: Change) => void,
): Callbacks {
  /** By rcu_head. */
  const given = new Map<string, Given>();
  /** By function and CPU. */
  const queues = new Map<string, Map<number, Queue>>();
  const orphans = new Map<string, Deferred>();
  /** Functions that were seen to run, and so would be seen again, and what they are called. */
  const seen = new Map<string, string>();
  /** The first event in the text of a module: its functions were not probed before. */
  const probedSince = new Map<string, number>();
  const runs = new WeakMap<Deferred, FunctionEntryEvent>();
  /** By task. */
  const barriers = new Map<number, number>();
  let invocationsAreSeen = false;

  function queueOf(key: string, cpu: number): Queue {
    let byCpu = queues.get(key);
    if (byCpu === undefined) {
      byCpu = new Map();
      queues.set(key, byCpu);
    }
    let queue = byCpu.get(cpu);
    if (queue === undefined) {
      queue = { waiting: new Map(), ranBefore: false };
      byCpu.set(cpu, queue);
    }
    return queue;
  }

  function forget(head: string): void {
    given.get(head)?.queue.waiting.delete(head);
    given.delete(head);
  }

  /** The one that was given first, of all with this function. */
  function oldest(key: string): Given | undefined {
    let oldest: Given | undefined;
    for (const queue of queues.get(key)?.values() ?? []) {
      const first = queue.waiting.values().next().value;
      if (first !== undefined && !(oldest && oldest.claim.armed.seq < first.claim.armed.seq)) oldest = first;
    }
    return oldest;
  }

  function wouldBeSeen({ armed, fn }: Deferred): boolean {
    if (invocationsAreSeen || queues.get(keyOf(fn))?.get(armed.cpu)?.ranBefore === true) return true;
    const since = probedSince.get(fn.module ?? '');
    return seen.has(keyOf(fn)) && (since === undefined || since < armed.seq);
  }

  function waiting(incarnation: Incarnation): Deferred[] {
    return [...given.values()]
      .map(({ claim }) => claim)
      .filter(({ armed, fn }) => pointsInto(fn, armed, incarnation, incarnations));
  }

  return {
    waiting,

    event(event) {
      const { object, fn } = event;
      forget(object);
      const orphan = orphans.get(object);
      orphans.delete(object);
      if (event.kind === 'rcu_invoke_callback') {
        invocationsAreSeen = true;
        if (orphan !== undefined) tell({ type: 'ran-after-free', claim: orphan, event });
      } else if (fn !== undefined) {
        const queue = queueOf(keyOf(fn), event.cpu);
        const one: Given = { claim: { armed: event, fn, running: undefined }, queue };
        given.set(object, one);
        queue.waiting.set(object, one);
      }
    },

    entered({ entry, name, late }) {
      const module = late ? undefined : entry.fn.module;
      if (module !== undefined && !probedSince.has(module)) probedSince.set(module, entry.seq);
      if (given.size === 0) return false;
      const heads = Object.values(entry.args).map((value) => value.replace(/^0x/, ''));
      const head = heads.find((each) => given.has(each));
      const one =
        head === undefined
          ? (oldest(name) ?? oldest(keyOf(entry.fn)) ?? oldest(behindEndbr(entry.fn)))
          : given.get(head);
      if (one === undefined) return false;
      const { armed, fn } = one.claim;
      seen.set(keyOf(fn), name);
      runs.set(one.claim, entry);
      one.queue.ranBefore = armed.cpu >= 0;
      // A CPU runs its callbacks in the order in which it was given them, so the earlier ones have run, too.
      for (const earlier of armed.cpu < 0 ? [] : one.queue.waiting.keys()) {
        if (earlier === armed.object) break;
        forget(earlier);
      }
      forget(armed.object);
      return true;
    },

    barrierEntered(event) {
      barriers.set(event.pid, event.seq);
    },

    barrierReturned(event) {
      const since = barriers.get(event.pid);
      if (since === undefined) return;
      for (const [head, { claim }] of given) if (claim.armed.seq < since) forget(head);
      barriers.delete(event.pid);
    },

    orphan(incarnation, leftByExit) {
      const { module } = incarnation;
      const left = (leftByExit ?? waiting(incarnation)).map((claim): RcuCallback => {
        const name = claim.fn.symbol ?? seen.get(keyOf(claim.fn));
        const fn =
          claim.fn.symbol === undefined && name !== undefined
            ? { text: name, symbol: name, module }
            : claim.fn;
        return { ...claim, fn, wouldBeSeen: wouldBeSeen(claim), ran: runs.get(claim) };
      });
      for (const claim of left) if (given.has(claim.armed.object)) orphans.set(claim.armed.object, claim);
      for (const [head, { claim }] of given) {
        if (pointsInto(claim.fn, claim.armed, incarnation, incarnations)) forget(head);
      }
      for (const byCpu of queues.values()) {
        for (const [cpu, { waiting }] of byCpu) if (waiting.size === 0) byCpu.delete(cpu);
      }
      probedSince.delete(module);
      return left;
    },
  };
}

/** A function by what is printed of it, be it entered or pointed at. */
function keyOf({ symbol, address, text }: Code): string {
  return symbol ?? address ?? text;
}

/** A probe may sit behind the endbr64 that a pointer to the function points at. */
function behindEndbr({ address }: Code): string {
  return address === undefined ? '' : `0x${(BigInt(address) - 4n).toString(16)}`;
}
