/** Timers and work items: armed, running, over, and those that outlive their module. */
import { deferredSteps, KTHREAD_DELAY, queuesWork } from '../model/deferred.ts';
import type { Code, DeferredEvent } from '../model/event.ts';
import { placeOf } from './calls.ts';
import type { Change, Deferred, Incarnation } from './changes.ts';
import { pointsInto } from './text-owner.ts';

export interface DeferredClaims {
  event(event: DeferredEvent): void;
  /** What of `incarnation` was armed before `seq` and is not over; from now on it only waits to be seen running. */
  orphan(incarnation: Incarnation, seq: number): Deferred[];
  /** The timer or work item whose function is at this address. */
  at(address: string): Deferred | undefined;
  /** The work item or timer that this task is running. */
  runningIn(pid: number): Deferred | undefined;
}

/** Timers of delayed work items that are remembered, with what they queue. */
const DELAYED = 1 << 12;

export function createDeferredClaims(
  incarnations: readonly Incarnation[],
  tell: (change: Change) => void,
): DeferredClaims {
  const claims = new Map<string, Deferred>();
  /** Pending when their module was freed; they may run yet. */
  const orphans = new Map<string, Deferred>();
  /** By task, in the order they began: an interrupt borrows the task of a work item. */
  const running = new Map<number, Set<Deferred>>();
  /** By its timer, the function of a delayed work item, as seen when it was queued the last time. */
  const delayed = new Map<string, Code>();
  /** Timers of delayed work items that expire, until they queue it. */
  const expiring = new Map<
    string | number,
    { readonly timer: string; readonly orphan: Deferred | undefined }
  >();

  /** What a timer queues is known when it does. */
  function queued(event: DeferredEvent): void {
    const { timer, orphan } = expiring.get(placeOf(event)) ?? {};
    if (timer === undefined || event.fn === undefined) return;
    expiring.delete(placeOf(event));
    if (delayed.size >= DELAYED) delayed.clear();
    delayed.set(timer, event.fn);
    if (orphan !== undefined) orphans.set(event.object, orphan);
  }

  function begin(claim: Deferred, event: DeferredEvent): void {
    over(claim);
    claim.running = event;
    const others = running.get(event.pid);
    if (others === undefined) running.set(event.pid, new Set([claim]));
    else others.add(claim);
  }

  function over(claim: Deferred | undefined): void {
    if (claim?.running === undefined) return;
    const { pid } = claim.running;
    const others = running.get(pid);
    others?.delete(claim);
    if (others?.size === 0) running.delete(pid);
  }

  function forget(object: string): void {
    over(claims.get(object));
    claims.delete(object);
  }

  return {
    event(event) {
      const { does } = deferredSteps[event.kind];
      const orphan = orphans.get(event.object);
      if (does === 'begin' && event.fn?.symbol === KTHREAD_DELAY) {
        orphans.delete(event.object);
        forget(event.object);
        expiring.set(placeOf(event), { timer: event.object, orphan });
        return;
      }
      if (orphan !== undefined) {
        // Nobody can run what was not armed again, whatever the function prints as by now.
        if (does === 'begin') tell({ type: 'ran-after-free', claim: orphan, event });
        if (does === 'begin' || does === 'arm') orphans.delete(event.object);
      }
      switch (does) {
        case 'arm': {
          const fn = delayed.get(event.object) ?? event.fn;
          if (fn !== undefined) {
            over(claims.get(event.object));
            claims.set(event.object, { armed: event, fn, running: undefined });
          }
          if (expiring.size > 0 && queuesWork(event.kind)) queued(event);
          break;
        }
        case 'begin': {
          let claim = claims.get(event.object);
          if (claim === undefined && event.fn !== undefined) {
            claim = { armed: event, fn: event.fn, running: undefined };
            claims.set(event.object, claim);
          }
          if (claim !== undefined) begin(claim, event);
          break;
        }
        case 'cancel':
          // Expiry prints a cancel too, just before the callback runs.
          forget(event.object);
          break;
        case 'end':
          if (expiring.size > 0) expiring.delete(placeOf(event));
          // Re-armed by its own callback, it stays.
          if (claims.get(event.object)?.running !== undefined) forget(event.object);
      }
    },

    orphan(incarnation, seq) {
      const pending = [...claims.values()].filter(
        ({ armed, fn }) => armed.seq < seq && pointsInto(fn, armed, incarnation, incarnations),
      );
      for (const claim of pending) {
        forget(claim.armed.object);
        orphans.set(claim.armed.object, claim);
      }
      return pending;
    },

    at(address) {
      for (const claim of claims.values()) if (claim.fn.address === address) return claim;
      return undefined;
    },

    runningIn(pid) {
      return running.get(pid)?.values().next().value;
    },
  };
}
