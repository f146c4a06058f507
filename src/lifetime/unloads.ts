/**
 * What the soft-reference RFC of 2004 asked of every unload: had the memory been freed only when nothing used it any
 * more, when would that have been, and would the wait have ended at all?
 */
import type { Call } from './calls.ts';
import type { Change, Deferred, Unload } from './changes.ts';
import type { Ledger } from './ledger.ts';

export interface UnloadAccount {
  readonly unload: Unload;
  /** Soft references outstanding when the text was freed: calls in flight, timers, work, callbacks. */
  readonly claims: number;
  /** When the last of them ended; undefined while one has not. Equal to the free when there were none. */
  readonly lastEnd: number | undefined;
  /** Could the wait have ended? Not where a task waits for itself; unknown while a claim is still open. */
  readonly couldEnd: boolean | undefined;
}

export interface UnloadAccounts {
  change(change: Change): void;
  /** As they stand now: claims may still end. */
  accounts(ledger: Ledger): UnloadAccount[];
  /** Older ones that are not kept. */
  readonly omitted: number;
}

/** Accounts that are kept, of those with claims and of those without. */
const KEPT = 1024;

type Freed = Extract<Change, { type: 'freed' }>;

export function createUnloadAccounts(): UnloadAccounts {
  const claimed: Freed[] = [];
  const plain: Freed[] = [];
  let omitted = 0;
  const ran = new Map<Deferred, number>();

  function endOfCall(call: Call): number | undefined {
    return call.returned?.ts;
  }

  return {
    get omitted() {
      return omitted;
    },
    change(change) {
      if (change.type === 'freed') {
        const { inFlight, pending, callbacks } = change;
        const list = inFlight.length + pending.length + callbacks.length > 0 ? claimed : plain;
        list.push(change);
        if (list.length > KEPT) {
          omitted++;
          for (const claim of [...list[0]!.pending, ...list[0]!.callbacks]) ran.delete(claim);
          list.shift();
        }
      } else if (change.type === 'ran-after-free') ran.set(change.claim, change.event.ts);
    },
    accounts(ledger) {
      const freed = [...claimed, ...plain].sort((a, b) => a.unload.free!.seq - b.unload.free!.seq);
      const done = freed.map(({ unload, inFlight, pending, callbacks }): UnloadAccount => {
        const calls = inFlight.filter(
          (call) => !call.over && (call.returned !== undefined || ledger.calls.returnsAreSeen(call)),
        );
        const deferred = [...pending, ...callbacks.filter(({ wouldBeSeen }) => wouldBeSeen)];
        const ends = [...calls.map(endOfCall), ...deferred.map((claim) => ran.get(claim))];
        const open = ends.some((end) => end === undefined);
        const faulted = calls.some(({ fault }) => fault !== undefined);
        return {
          unload,
          claims: ends.length,
          lastEnd: open ? undefined : Math.max(unload.free!.ts, ...ends.map((end) => end!)),
          couldEnd: open && !faulted ? undefined : true,
        };
      });
      const stuck = ledger.underWay
        .filter(
          ({ enter, free, incarnation }) =>
            enter !== undefined && free === undefined && incarnation !== undefined,
        )
        .map((unload): UnloadAccount => {
          const files = ledger.files.opened().filter((call) => ledger.inTextOf(call, unload.incarnation!));
          const waitsForItself = files.some((call) => call.entry.pid === unload.pid);
          return {
            unload,
            claims: files.length,
            lastEnd: undefined,
            couldEnd: waitsForItself ? false : undefined,
          };
        });
      return [...done, ...stuck];
    },
  };
}
