/**
 * Puts of a task that had already given back what it took. Each takes the reference of somebody else, which may be in
 * order: what one task takes another may give back, and what the core takes a module. It was a put too many when the
 * taker then gives it back as well.
 */
import type { Code } from '../model/event.ts';
import type { Family } from '../model/standing.ts';
import type { Call } from './calls.ts';
import type { UnmatchedPut } from './changes.ts';
import type { Reference } from './references.ts';
import { placeName } from './sites.ts';

export interface ExtraPuts {
  /** A put gave `reference` back. */
  gaveBack(reference: Reference, put: Put): void;
  /** The put that took away what `put` gives back in vain; told once. */
  robbing(put: Put): UnmatchedPut | undefined;
}

type Put = Omit<UnmatchedPut, 'robbed'>;

/** Not the reference, with which its events would be kept. */
interface Pair {
  /** The call that took it, or the place where none is recorded. */
  readonly taker: Call | Code;
  readonly family: Family;
}

/** More than there can be: PID_MAX_LIMIT of include/linux/threads.h. */
const PIDS = 1 << 22;
/** Tasks whose latest pair is remembered, and puts that may yet turn out to be one too many. */
const REMEMBERED = 1 << 12;

export function createExtraPuts(): ExtraPuts {
  /** What each task took and gave back last, by task and incarnation. */
  let pairs = new Map<number, Pair>();
  const keyOf = ({ put, incarnation }: Put) => incarnation.id * PIDS + put.pid;
  const extra = new Set<UnmatchedPut & { readonly robbed: Reference }>();

  /** Had this call taken a reference and given it back? Where no call is recorded, the place tells. */
  function followsPair(put: Put): boolean {
    const { taker } = pairs.get(keyOf(put)) ?? {};
    if (taker === undefined) return false;
    if ('entry' in taker) return put.within !== undefined && isAround(taker, put.within);
    return put.within === undefined && (taker === put.dropper || placeName(taker) === placeName(put.dropper));
  }

  /** Does it give back what another kind of code took, after its own kind had given back what it took in this task? */
  function crosses(reference: Reference, put: Put): boolean {
    return put.family === 'own' && reference.family === 'core' && pairs.get(keyOf(put))?.family === 'own';
  }

  return {
    gaveBack(reference, put) {
      const isOwn = reference.get.pid === put.put.pid;
      // Where no call is recorded, nothing tells which of its own a task gives back.
      const mayBeExtra = put.within === undefined ? !isOwn : !isAround(reference.within, put.within);
      if (crosses(reference, put) || (mayBeExtra && followsPair(put))) {
        if (extra.size >= REMEMBERED) extra.clear();
        extra.add({ ...put, robbed: reference });
      } else if (isOwn) {
        // A Map that is cleared holds on to its table as one that grows does: open-references.ts.
        if (pairs.size >= REMEMBERED) pairs = new Map();
        pairs.set(keyOf(put), { taker: reference.within ?? reference.taker, family: reference.family });
      }
    },
    robbing(put) {
      // It is one too many itself.
      if (followsPair(put)) return undefined;
      for (const told of extra) {
        if (told.incarnation !== put.incarnation || told.robbed.get.pid !== put.put.pid) continue;
        extra.delete(told);
        told.robbed.put = put.put;
        return told;
      }
      return undefined;
    },
  };
}

function isAround(outer: Call | undefined, call: Call): boolean {
  for (let at: Call | undefined = call; at !== undefined; at = at.parent) if (at === outer) return true;
  return false;
}
