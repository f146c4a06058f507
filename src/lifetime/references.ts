/**
 * Hard references of one incarnation: which are out, and which get a put gives back.
 *
 * The kernel counts, it does not pair, so a pairing is our reading. It prefers, in this order: families that the
 * kernel itself pairs, pairs of call sites seen before in this capture, the same task, related names.
 */
import type { Code, ModuleRefEvent } from '../model/event.ts';
import type { Family } from '../model/standing.ts';
import { errorReturned } from './arguments.ts';
import type { Call } from './calls.ts';
import type { Carrier } from './carriers.ts';
import { type Links, OpenReferences } from './open-references.ts';
import { mayPair, placeName, relatedNames } from './sites.ts';

export interface Reference extends Links {
  readonly get: ModuleRefEvent;
  /** The function that took it: the call site, or what a stack or an enclosing call says where that is hidden. */
  readonly taker: Code;
  readonly family: Family;
  /** The probed function the taking task was in, if any. */
  readonly within: Call | undefined;
  /** References from the same place that had been given back by then. */
  readonly putsBefore: number;
  put: ModuleRefEvent | undefined;
  /** Another open reference could as well have been the one given back. */
  ambiguous: boolean;
  /** A call that should have given it back and returned without doing so. */
  missedBy: Call | undefined;
  /** What was armed to give it back. */
  carrier: Carrier | undefined;
}

/** References from one taking place. */
export interface TakingSite {
  readonly taker: Code;
  readonly family: Family;
  /** Of all places, in the order in which they took first. */
  readonly nth: number;
  gets: number;
  puts: number;
  /** How often each put site gave back what was taken here. */
  readonly partners: Map<Code, number>;
  /** Pairs in which the same task gave back what it took. */
  sameTask: number;
  /** How often what was armed by the call that took a reference gave it back. */
  carried: number;
  longestHold: number;
  /** The latest holds, for what is usual: the longest may be a mistaken pairing. */
  readonly holds: number[];
  /** What the calls that took went on to call next, by its name; '' where they returned instead. */
  readonly wentOn: Map<string, WentOn>;
  /** Gets not followed by as many puts, whoever put: how the count rises however pairs are read. */
  readonly rise: Reference[];
  readonly open: OpenReferences;
  /** Is it looked at when something is given back? */
  isBusy: boolean;
}

export interface WentOn {
  times: number;
  latest: Reference;
}

/** Odd, so that there is a middle one. */
const HOLDS = 31;

/** How long references from here are usually held. */
export function usualHold({ holds }: TakingSite): number {
  const sorted = [...holds].filter((hold) => hold !== undefined).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}

export interface ReferenceBook {
  readonly sites: ReadonlyMap<string, TakingSite>;
  take(get: ModuleRefEvent, taker: Code, family: Family, within: Call | undefined): Reference;
  /** The call that took it called this function next, or returned: ''. */
  wentOn(reference: Reference, next: string): void;
  /** The reference that `put` gives back, now closed; undefined when none fits.
   *  @param carried what the callback that puts was armed to give back */
  giveBack(
    put: ModuleRefEvent,
    dropper: Code,
    family: Family,
    carried: Reference | undefined,
  ): Reference | undefined;
  /** Open references, oldest first. */
  open(): Reference[];
  /** The newest open reference taken by `pid`, optionally only those that `accept` lets pass. */
  newestOf(pid: number, accept?: (reference: Reference) => boolean): Reference | undefined;
}

/** Objects by which places are remembered. */
const CODES = 1 << 10;

export function createReferenceBook(): ReferenceBook {
  const sites = new Map<string, TakingSite>();
  /** The same: the same code is mostly the same object. */
  const byCode = new Map<Code, TakingSite>();
  /** Those that may have open references, in no order: however many places there were, few have any at a time. */
  const busy: TakingSite[] = [];

  function siteOf(taker: Code, family: Family): TakingSite {
    const site = byCode.get(taker) ?? siteNamed(placeName(taker), taker, family);
    if (byCode.size === CODES) byCode.clear();
    byCode.set(taker, site);
    return site;
  }

  function siteNamed(key: string, taker: Code, family: Family): TakingSite {
    let site = sites.get(key);
    if (site === undefined) {
      site = {
        taker,
        family,
        nth: sites.size,
        gets: 0,
        puts: 0,
        partners: new Map(),
        sameTask: 0,
        carried: 0,
        longestHold: 0,
        holds: [],
        wentOn: new Map(),
        rise: [],
        open: new OpenReferences(),
        isBusy: false,
      };
      sites.set(key, site);
    }
    return site;
  }

  /** `busy`, without those that have none any more. */
  function holding(): readonly TakingSite[] {
    for (let i = busy.length - 1; i >= 0; i--) {
      const site = busy[i]!;
      if (site.open.size > 0) continue;
      site.isBusy = false;
      busy[i] = busy.at(-1)!;
      busy.pop();
    }
    return busy;
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
        putsBefore: site.puts,
        put: undefined,
        ambiguous: false,
        missedBy: undefined,
        carrier: undefined,
        among: undefined,
        older: undefined,
        newer: undefined,
        olderOfTask: undefined,
        newerOfTask: undefined,
      };
      site.gets++;
      site.rise.push(reference);
      site.open.add(reference);
      if (!site.isBusy) {
        site.isBusy = true;
        busy.push(site);
      }
      return reference;
    },

    wentOn(reference, next) {
      const { wentOn } = siteOf(reference.taker, reference.family);
      const known = wentOn.get(next);
      if (known === undefined) wentOn.set(next, { times: 1, latest: reference });
      else {
        known.times++;
        known.latest = reference;
      }
    },

    giveBack(put, dropper, family, carried) {
      let fitting = 0;
      let carrying: TakingSite | undefined;
      let best: TakingSite | undefined;
      let most = -1;
      const candidates = holding();
      for (const site of candidates) {
        if (!mayPair(site.family, family)) continue;
        fitting++;
        if (carried?.among === site.open) carrying = site;
        const own = candidates.length === 1 ? 0 : signs(site, put, dropper, family);
        // Of equals, the place that took first.
        if (own < most || (own === most && site.nth > best!.nth)) continue;
        most = own;
        best = site;
      }
      best = carrying ?? best;
      if (best === undefined) return undefined;
      const mine = ownOf(best, put.pid);
      const certain = carrying === undefined ? mine : carried;
      const reference = certain ?? best.open.oldest!;
      reference.ambiguous = certain === undefined && (fitting > 1 || best.open.size > 1);
      reference.put = put;
      best.open.delete(reference);
      best.puts++;
      best.partners.set(dropper, (best.partners.get(dropper) ?? 0) + 1);
      if (reference === mine) best.sameTask++;
      if (carrying !== undefined) best.carried++;
      best.rise.pop();
      best.longestHold = Math.max(best.longestHold, put.ts - reference.get.ts);
      best.holds[best.puts % HOLDS] = put.ts - reference.get.ts;
      return reference;
    },

    open() {
      const all = holding().flatMap((site) => [...site.open]);
      return all.sort((a, b) => a.get.seq - b.get.seq);
    },

    newestOf(pid, accept = () => true) {
      let newest: Reference | undefined;
      for (const site of holding()) {
        const candidate = site.open.newestOf(pid);
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

/** How many that its failed calls kept a task is looked through for one that is to be given back. */
const KEPT = 8;

/** The newest that this task took and has reason to give back: what a call that failed kept, nobody knows of. */
function ownOf(site: TakingSite, pid: number): Reference | undefined {
  const newest = site.open.newestOf(pid);
  let own = newest;
  for (let i = 0; own !== undefined && isKept(own); i++) own = i < KEPT ? own.olderOfTask : undefined;
  return own ?? newest;
}

/** Was it taken in a call that has failed since? */
function isKept({ within }: Reference): boolean {
  return within?.returned !== undefined && errorReturned(within.returned) !== undefined;
}

/** How much speaks for a place as that whose reference is given back: the most telling sign decides. */
function signs(site: TakingSite, put: ModuleRefEvent, dropper: Code, family: Family): number {
  return (
    (site.family === family ? 16 : 0) +
    (site.partners.has(dropper) ? 8 : 0) +
    (site.open.newestOf(put.pid) !== undefined ? 4 : 0) +
    (related(site.taker, dropper) ? 2 : 0) +
    (site.partners.size === 0 ? 1 : 0)
  );
}

function related(a: Code, b: Code): boolean {
  return (
    a.symbol !== undefined &&
    b.symbol !== undefined &&
    a.module === b.module &&
    relatedNames(a.symbol, b.symbol)
  );
}
