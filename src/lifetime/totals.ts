/** What all loads of a module took and gave back together: loads that were forgotten, and those that are remembered. */

import type { Past } from '../model/past.ts';
import type { Family } from '../model/standing.ts';
import type { Incarnation } from './changes.ts';
import { placeName } from './sites.ts';

export interface SiteTotals {
  readonly taker: string;
  family: Family;
  gets: number;
  puts: number;
  held: number;
  /** Pairs in which the same task gave back what it took. */
  sameTask: number;
  /** Nanoseconds. */
  longestHold: number;
  /** How often each place gave back what was taken here. */
  readonly partners: Map<string, number>;
}

export interface ModuleTotals {
  readonly module: string;
  incarnations: number;
  gets: number;
  puts: number;
  /** Puts that no get was found for. */
  unpaired: number;
  maxRefcnt: number | undefined;
  /** The latest load. */
  last: Incarnation;
  readonly sites: Map<string, SiteTotals>;
}

export interface Totals {
  /** What is counted goes on after this. @param remembered the loads that are known of it */
  goOnFrom(past: Past, remembered: readonly Incarnation[]): void;
  /** `incarnation` is about to be forgotten. */
  forget(incarnation: Incarnation): void;
  /** By module, in the order in which they were first mentioned. */
  of(remembered: readonly Incarnation[]): ModuleTotals[];
}

export function createTotals(): Totals {
  const forgotten = new Map<string, ModuleTotals>();
  return {
    goOnFrom({ modules }, remembered) {
      const before = new Map(modules.map((past) => [past.module, past]));
      for (const incarnation of remembered) {
        const totals = totalsOf(forgotten, incarnation);
        const { gets, puts } = before.get(incarnation.module)!;
        totals.gets += gets;
        totals.puts += puts;
      }
    },
    forget: (incarnation) => add(forgotten, incarnation),
    of(remembered) {
      const all = new Map([...forgotten].map(([module, totals]) => [module, copy(totals)]));
      for (const incarnation of remembered) add(all, incarnation);
      return [...all.values()];
    },
  };
}

function totalsOf(all: Map<string, ModuleTotals>, incarnation: Incarnation): ModuleTotals {
  const { module } = incarnation;
  let totals = all.get(module);
  if (totals === undefined) {
    totals = {
      module,
      incarnations: 0,
      gets: 0,
      puts: 0,
      unpaired: 0,
      maxRefcnt: undefined,
      last: incarnation,
      sites: new Map(),
    };
    all.set(module, totals);
  }
  return totals;
}

function add(all: Map<string, ModuleTotals>, incarnation: Incarnation): void {
  const { nth, gets, puts, maxRefcnt, initDone, references } = incarnation;
  const totals = totalsOf(all, incarnation);
  totals.incarnations = Math.max(totals.incarnations, nth);
  totals.gets += gets;
  totals.puts += puts;
  totals.last = incarnation;
  if (maxRefcnt !== undefined && maxRefcnt > (totals.maxRefcnt ?? maxRefcnt - 1))
    totals.maxRefcnt = maxRefcnt;
  // The loader's own hold has a put and no get.
  let paired = initDone === undefined ? 0 : 1;
  for (const site of references.sites.values()) {
    const taker = placeName(site.taker);
    let sum = totals.sites.get(taker);
    if (sum === undefined) {
      const { family } = site;
      sum = { taker, family, gets: 0, puts: 0, held: 0, sameTask: 0, longestHold: 0, partners: new Map() };
      totals.sites.set(taker, sum);
    }
    sum.family = site.family;
    sum.gets += site.gets;
    sum.puts += site.puts;
    sum.held += site.open.size;
    sum.sameTask += site.sameTask;
    sum.longestHold = Math.max(sum.longestHold, site.longestHold);
    for (const [dropper, times] of site.partners) {
      const name = placeName(dropper);
      sum.partners.set(name, (sum.partners.get(name) ?? 0) + times);
    }
    paired += site.puts;
  }
  totals.unpaired += Math.max(0, puts - paired);
}

function copy(totals: ModuleTotals): ModuleTotals {
  const sites = [...totals.sites].map(
    ([taker, site]) => [taker, { ...site, partners: new Map(site.partners) }] as const,
  );
  return { ...totals, sites: new Map(sites) };
}
