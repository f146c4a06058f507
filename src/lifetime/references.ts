/**
 * Hard references of one incarnation: which are out, and which get a put gives back.
 *
 * The kernel counts, it does not pair, so a pairing is our reading. It prefers, in this order: families that the
 * kernel itself pairs, pairs of call sites seen before in this capture, the same task, related names.
 */
import type { Code, ModuleRefEvent } from '../model/event.ts';
import type { Call } from './calls.ts';
import { type Family, mayPair, placeName, relatedNames } from './sites.ts';

export interface Reference {
  readonly get: ModuleRefEvent;
  /** The function that took it: the call site, or what a stack or an enclosing call says where that is hidden. */
  readonly taker: Code;
  readonly family: Family;
  /** The probed function the taking task was in, if any. */
  readonly within: Call | undefined;
  put: ModuleRefEvent | undefined;
  /** Another open reference could as well have been the one given back. */
  ambiguous: boolean;
  /** A call that should have given it back and returned without doing so. */
  missedBy: Call | undefined;
}

/** References from one taking place. */
export interface TakingSite {
  readonly taker: Code;
  readonly family: Family;
  gets: number;
  puts: number;
  /** How often each put site gave back what was taken here. */
  readonly partners: Map<Code, number>;
  /** Pairs in which the same task gave back what it took. */
  sameTask: number;
  longestHold: number;
  readonly open: Set<Reference>;
  readonly openOfTask: Map<number, Reference[]>;
}

export interface ReferenceBook {
  readonly sites: ReadonlyMap<string, TakingSite>;
  take(get: ModuleRefEvent, taker: Code, family: Family, within: Call | undefined): Reference;
  /** The reference that `put` gives back, now closed; undefined when none fits. */
  giveBack(put: ModuleRefEvent, dropper: Code, family: Family): Reference | undefined;
  /** Open references, oldest first. */
  open(): Reference[];
  openCount(): number;
  /** The newest open reference taken by `pid`, optionally only those that `accept` lets pass. */
  newestOf(pid: number, accept?: (reference: Reference) => boolean): Reference | undefined;
}

export function createReferenceBook(): ReferenceBook {
  const sites = new Map<string, TakingSite>();
  let openCount = 0;

  function siteOf(taker: Code, family: Family): TakingSite {
    const key = placeName(taker);
    let site = sites.get(key);
    if (site === undefined) {
      site = {
        taker,
        family,
        gets: 0,
        puts: 0,
        partners: new Map(),
        sameTask: 0,
        longestHold: 0,
        open: new Set(),
        openOfTask: new Map(),
      };
      sites.set(key, site);
    }
    return site;
  }

  /** Closed references stay in the per-task lists until they surface here. */
  function newestOpen(site: TakingSite, pid: number): Reference | undefined {
    const list = site.openOfTask.get(pid);
    while (list !== undefined && list.length > 0) {
      const last = list.at(-1)!;
      if (last.put === undefined) return last;
      list.pop();
    }
    if (list !== undefined) site.openOfTask.delete(pid);
    return undefined;
  }

  return {
    sites,
    take(get, taker, family, within) {
      const site = siteOf(taker, family);
      const reference: Reference = {
        get,
        taker: site.taker,
        family,
        within,
        put: undefined,
        ambiguous: false,
        missedBy: undefined,
      };
      site.gets++;
      site.open.add(reference);
      const ofTask = site.openOfTask.get(get.pid);
      if (ofTask === undefined) site.openOfTask.set(get.pid, [reference]);
      else ofTask.push(reference);
      openCount++;
      return reference;
    },

    giveBack(put, dropper, family) {
      let best: TakingSite | undefined;
      let bestScore = -1;
      let rivals = 0;
      for (const site of sites.values()) {
        if (site.open.size === 0 || !mayPair(site.family, family)) continue;
        const seen = site.partners.get(dropper) ?? 0;
        const score =
          (site.family === family ? 16 : 0) +
          (seen > 0 ? 8 : 0) +
          (newestOpen(site, put.pid) === undefined ? 0 : 4) +
          (related(site.taker, dropper) ? 2 : 0) +
          (site.partners.size === 0 ? 1 : 0);
        if (score > bestScore) {
          rivals = best === undefined ? 0 : rivals + 1;
          best = site;
          bestScore = score;
        } else rivals++;
      }
      if (best === undefined) return undefined;
      const mine = newestOpen(best, put.pid);
      const reference = mine ?? (best.open.values().next().value as Reference);
      reference.ambiguous = mine === undefined && (rivals > 0 || best.open.size > 1);
      reference.put = put;
      best.open.delete(reference);
      best.puts++;
      best.partners.set(dropper, (best.partners.get(dropper) ?? 0) + 1);
      if (mine !== undefined) best.sameTask++;
      best.longestHold = Math.max(best.longestHold, put.ts - reference.get.ts);
      openCount--;
      return reference;
    },

    open() {
      const all = [...sites.values()].flatMap((site) => [...site.open]);
      return all.sort((a, b) => a.get.seq - b.get.seq);
    },
    openCount: () => openCount,

    newestOf(pid, accept = () => true) {
      let newest: Reference | undefined;
      for (const site of sites.values()) {
        const candidate = newestOpen(site, pid);
        if (
          candidate !== undefined &&
          accept(candidate) &&
          (newest === undefined || candidate.get.seq > newest.get.seq)
        ) {
          newest = candidate;
        }
      }
      return newest;
    },
  };
}

function related(a: Code, b: Code): boolean {
  return (
    a.symbol !== undefined &&
    b.symbol !== undefined &&
    a.module === b.module &&
    relatedNames(a.symbol, b.symbol)
  );
}
