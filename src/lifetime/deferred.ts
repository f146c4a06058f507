/** Timers and work items: armed, running, over, and those that outlive their module. */
import type { DeferredEvent } from '../model/event.ts';
import type { Change, Deferred, Incarnation } from './changes.ts';
import { pointsInto } from './text-owner.ts';

export interface DeferredClaims {
  event(event: DeferredEvent): void;
  /** What of `incarnation` was armed before `seq` and is not over; from now on it only waits to be seen running. */
  orphan(incarnation: Incarnation, seq: number): Deferred[];
  /** The work item or timer that this task is running. */
  runningIn(pid: number): Deferred | undefined;
}

export function createDeferredClaims(
  incarnations: readonly Incarnation[],
  tell: (change: Change) => void,
): DeferredClaims {
  const claims = new Map<string, Deferred>();
  /** Pending when their module was freed; they may run yet. */
  const orphans = new Map<string, Deferred>();

  return {
    event(event) {
      const orphan = orphans.get(event.object);
      if (orphan !== undefined) {
        // Nobody can run what was not armed again, whatever the function prints as by now.
        if (starts(event.kind)) tell({ type: 'ran-after-free', claim: orphan, event });
        if (starts(event.kind) || arms(event.kind)) orphans.delete(event.object);
      }
      switch (event.kind) {
        case 'timer_start':
        case 'hrtimer_start':
        case 'workqueue_queue_work':
          if (event.fn !== undefined)
            claims.set(event.object, { armed: event, fn: event.fn, running: undefined });
          break;
        case 'timer_expire_entry':
        case 'hrtimer_expire_entry':
        case 'workqueue_execute_start': {
          const claim = claims.get(event.object);
          if (claim !== undefined) claim.running = event;
          else if (event.fn !== undefined)
            claims.set(event.object, { armed: event, fn: event.fn, running: event });
          break;
        }
        case 'timer_cancel': {
          // Expiry prints a cancel too, just before the callback runs.
          claims.delete(event.object);
          break;
        }
        case 'hrtimer_cancel':
        case 'timer_expire_exit':
        case 'hrtimer_expire_exit':
        case 'workqueue_execute_end': {
          const claim = claims.get(event.object);
          // Re-armed by its own callback, it stays.
          if (claim !== undefined && (claim.running !== undefined || event.kind === 'hrtimer_cancel')) {
            claims.delete(event.object);
          }
          break;
        }
        default:
      }
    },

    orphan(incarnation, seq) {
      const pending = [...claims.values()].filter(
        ({ armed, fn }) => armed.seq < seq && pointsInto(fn, armed, incarnation, incarnations),
      );
      for (const claim of pending) {
        claims.delete(claim.armed.object);
        orphans.set(claim.armed.object, claim);
      }
      return pending;
    },

    runningIn(pid) {
      for (const claim of claims.values()) if (claim.running?.pid === pid) return claim;
      return undefined;
    },
  };
}

function starts(kind: DeferredEvent['kind']): boolean {
  return /_expire_entry$|_execute_start$/.test(kind);
}

function arms(kind: DeferredEvent['kind']): boolean {
  return kind === 'timer_start' || kind === 'hrtimer_start' || kind === 'workqueue_queue_work';
}
