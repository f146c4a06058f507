import { errorReturned } from '../lifetime/arguments.ts';
import type { Carrier } from '../lifetime/carriers.ts';
import type { Incarnation, Unload } from '../lifetime/changes.ts';
import type { GoneTaker } from '../lifetime/gone-text.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { type Reference, type TakingSite, usualHold } from '../lifetime/references.ts';
import { placeName } from '../lifetime/sites.ts';
import { isInUse } from '../lifetime/unloading.ts';
import type { Evidence, Finding } from '../model/report.ts';
import { callName, doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';

/** So many normal pairs make a habit … */
const HABIT = 3;
/** … and a reference held so much longer than the longest of them has broken it. */
const TIMES_LONGER = 20;
const AT_LEAST_NS = 100e6;
/** Gets without one put, from as many operations, are a drift. */
const DRIFT = 5;
/** Rises at so many different times, with operations in between that gave back what they took, are one too. */
const RISES = 3;
const MUCH_LONGER = 5;

/** Why a reference that is still out is one that will stay out, strongest first. */
interface Reason {
  readonly certain: boolean;
  /** Whose code took it, where that is inferred. */
  readonly takenBy?: GoneTaker;
  readonly text: string;
  readonly proof: readonly Evidence[];
  /** It is this reference that stayed out, however pairs are read. */
  readonly isThis?: true;
  /** The one that stayed out, where it is not the one that is unpaired. */
  readonly reference?: Reference;
  /** How many references it speaks of, when it does not speak of each by itself. */
  readonly count?: number;
  /** A refcnt printed after this that still counts the reference confirms it, where that is not what is last in `proof`. */
  readonly since?: number;
}

export const refLeak: Pass = {
  rule: 'ref-leak',
  needs: ['module_get'],
  record: 'events/module/module_get and module_put',
  start(ledger, report) {
    const refused: Unload[] = [];
    return {
      on: {
        'unload-refused'({ unload, exit }) {
          if (isInUse(exit)) refused.push(unload);
        },
      },
      end() {
        for (const incarnation of ledger.incarnations) {
          if (incarnation.state === 'freed') continue;
          for (const site of incarnation.references.sites.values()) {
            const finding = judge(ledger, incarnation, site, refused);
            if (finding !== undefined) report(finding);
          }
        }
      },
    };
  },
};

/** An open file, a dependency, the loader and the tracer give back by themselves: they hold, they do not leak. */
function mayLeak({ family }: TakingSite | Reference): boolean {
  return ['own', 'foreign', 'core', 'hidden'].includes(family);
}

/** What can be said of a reference while its put may yet come. The verdict has the same fingerprint. */
export function suspectedLeak(incarnation: Incarnation, reference: Reference): Finding | undefined {
  const { get, taker, missedBy } = reference;
  if (missedBy === undefined || !mayLeak(reference)) return undefined;
  const giver = callName(missedBy);
  return makeFinding({
    rule: 'ref-leak',
    severity: 'warning',
    certainty: 'possible',
    incarnation,
    title: `${placeName(taker)} took a reference to ${incarnation.module} that ${giver} did not give back`,
    detail: `${who(get)} took it; ${giver}, which gives it back elsewhere, returned in the same task without doing so.`,
    because: 'a later put would clear it',
    overturnedBy: 1,
    culprit: { code: taker, event: get },
    evidence: [
      evidence('takes the reference', get, taker),
      evidence(`enters ${giver}`, missedBy.entry),
      ...(missedBy.returned === undefined ? [] : [evidence('returns without module_put', missedBy.returned)]),
    ],
  });
}

function judge(
  ledger: Ledger,
  incarnation: Incarnation,
  site: TakingSite,
  refused: readonly Unload[],
): Finding | undefined {
  if (site.open.size === 0 || !mayLeak(site)) return undefined;
  const leaked: { reference: Reference; reason: Reason }[] = [];
  for (const reference of site.open) {
    const reason = whyLeaked(ledger, reference, site, incarnation, refused, reference === site.open.newest);
    if (reason !== undefined) leaked.push({ reference, reason });
    if (leaked.length >= 1000) break;
  }
  if (leaked.length === 0) return undefined;
  leaked.sort((a, b) => Number(b.reason.certain) - Number(a.reason.certain));
  const { reason } = leaked[0]!;
  const reference = reason.reference ?? leaked[0]!.reference;
  const count = reason.count ?? leaked.length;
  const gap = doubt(ledger, incarnation, reference.get, undefined);
  // A refcnt printed since, that still counts it, shows that its put is not merely missing from the trace.
  const since = reason.since ?? reason.proof.at(-1)?.ns ?? reference.get.ts;
  const confirmed = (incarnation.count.agreed?.ts ?? 0) > since;
  const unsure =
    gap ??
    (!reason.certain
      ? reason.takenBy === undefined
        ? 'the capture ends while it is held; a later put would clear it'
        : `only an address is known of the code; that it was ${reason.takenBy.incarnation.module}'s is inferred from when it ran`
      : confirmed
        ? undefined
        : 'no refcnt was printed since; one unrecorded put would explain it');
  // Given back by other tasks, or from elsewhere, any of them may be the one.
  const isReading =
    reason.isThis === undefined &&
    reason.reference === undefined &&
    site.puts > Math.max(site.sameTask, site.carried);
  const taker = reason.takenBy?.code ?? reference.taker;
  const place = placeName(taker);
  const others = [...incarnation.references.sites.values()]
    .flatMap((other) => [...other.open].slice(0, 3))
    .filter((open) => open.taker !== reference.taker && open.family !== 'tracer')
    .slice(0, 5);
  return makeFinding({
    rule: 'ref-leak',
    severity: gap !== undefined ? 'note' : unsure === undefined ? 'error' : 'warning',
    certainty: unsure === undefined ? 'observed' : 'possible',
    incarnation,
    title: `${place} took ${count === 1 ? 'a reference' : `${count} references`} to ${incarnation.module} that ${count === 1 ? 'was' : 'were'} never given back`,
    detail: `${who(reference.get)} took it ${duration(ledger.now - reference.get.ts)} before the capture ends; ${reason.text}. Of ${site.gets} references taken there, ${site.puts} came back${isReading ? '; which of them, the order in which they did only suggests' : ''}.`,
    because: unsure,
    // A put that went unseen shows in the next refcnt, unless a get did too.
    overturnedBy: reason.certain && confirmed ? 2 : 1,
    culprit: { code: taker, event: reference.get },
    evidence: [
      ...(reference.within === undefined
        ? []
        : [evidence(`enters ${callName(reference.within)}`, reference.within.entry)]),
      evidence('takes the reference', reference.get, taker),
      ...reason.proof,
    ].sort((a, b) => a.ns - b.ns),
    ...(others.length === 0
      ? {}
      : {
          candidates: others.map((other) => ({
            symbol: placeName(other.taker),
            task: { comm: other.get.comm, pid: other.get.pid },
            reading: `also holds one since line ${other.get.line}${other.missedBy === undefined ? '' : '; it too was not given back'}`,
          })),
        }),
  });
}

function whyLeaked(
  ledger: Ledger,
  reference: Reference,
  site: TakingSite,
  incarnation: Incarnation,
  refused: readonly Unload[],
  isNewest: boolean,
): Reason | undefined {
  const { get, within, missedBy, carrier } = reference;
  const failure = within?.returned === undefined ? undefined : errorReturned(within.returned);
  if (within?.returned !== undefined && failure !== undefined) {
    return {
      certain: true,
      isThis: true,
      text: `${callName(within)} failed with ${failure} and kept it`,
      proof: [evidence(`fails with ${failure}`, within.returned)],
    };
  }
  if (missedBy !== undefined) {
    return {
      certain: true,
      isThis: true,
      text: `${callName(missedBy)}, which gives it back elsewhere, returned in the same task without doing so`,
      proof: [
        evidence(`enters ${callName(missedBy)}`, missedBy.entry),
        evidence('returns without module_put', missedBy.returned!),
      ],
    };
  }
  if (carrier?.cancelled !== undefined && site.carried >= HABIT) {
    return {
      // Who cancels may be about to give it back.
      certain: ledger.now - carrier.cancelled.ts > AT_LEAST_NS,
      isThis: true,
      text: `${carrierName(carrier)}, which gave back ${site.carried} others, was cancelled before it could`,
      proof: [
        evidence(`arms ${carrierName(carrier)}`, carrier.armed),
        evidence('cancels it', carrier.cancelled),
      ],
    };
  }
  const short = isNewest ? shortfall(ledger, site, incarnation) : undefined;
  if (short !== undefined) return short;
  const gone = takerFreed(ledger, reference, site);
  if (gone !== undefined) return gone;
  const held = ledger.now - get.ts;
  const proof = (): Evidence[] => {
    const wasRefused = refused.find(
      (unload) =>
        unload.start.seq > get.seq &&
        (unload.incarnation === undefined || unload.incarnation === incarnation),
    );
    return wasRefused === undefined ? [] : [evidence('delete_module is refused', wasRefused.start)];
  };
  if (
    site.family === 'own' &&
    site.puts >= HABIT &&
    site.sameTask === site.puts &&
    held > Math.max(AT_LEAST_NS, site.longestHold * TIMES_LONGER)
  ) {
    return {
      certain: false,
      text: `all ${site.puts} others from there came back within ${duration(site.longestHold)}, by the task that took them`,
      proof: proof(),
    };
  }
  if (
    carrier === undefined &&
    within?.returned !== undefined &&
    site.carried >= HABIT &&
    site.carried === site.puts &&
    held > Math.max(AT_LEAST_NS, site.longestHold * TIMES_LONGER)
  ) {
    return {
      certain: false,
      text: `the calls that took the ${site.puts} others each left it to a timer or work item to give back; this one left it to nobody`,
      proof: [evidence(`returns from ${callName(within)}`, within.returned), ...proof()],
    };
  }
  // Of the site as a whole, and so told once.
  return isNewest ? (otherWay(ledger, site, proof()) ?? drift(ledger, site, proof())) : undefined;
}

/** As many are out as were taken by calls that then returned, where all others went on to one and the same function. */
function otherWay(ledger: Ledger, site: TakingSite, proof: readonly Evidence[]): Reason | undefined {
  const returned = site.wentOn.get('');
  const [usual, ...more] = [...site.wentOn].filter(([next]) => next !== '');
  if (returned?.times !== site.open.size || usual?.[1].times !== site.puts || more.length > 0)
    return undefined;
  const { latest, times } = returned;
  const held = ledger.now - latest.get.ts;
  if (site.puts < times * HABIT || held <= Math.max(AT_LEAST_NS, site.longestHold * TIMES_LONGER))
    return undefined;
  return {
    certain: false,
    reference: latest,
    count: times,
    text: `the calls that took the ${site.puts} others each went on to ${usual[0]}(); ${times === 1 ? 'this one' : 'these'} did not`,
    proof: [evidence(`returns from ${callName(latest.within!)}`, latest.within!.returned!), ...proof],
  };
}

/** The module whose code took it has been freed since. Certain where that code alone was seen to give back what is taken
 *  there: else somebody else may yet. */
function takerFreed({ goneText }: Ledger, reference: Reference, site: TakingSite): Reason | undefined {
  const gone = goneText.takerOf(reference);
  if (gone === undefined) return undefined;
  const { incarnation, inferred } = gone;
  const { module } = incarnation;
  if ([...site.partners.keys()].some((giver) => !goneText.mayBeIn(giver, incarnation))) return undefined;
  return {
    certain: site.puts > 0 && !inferred,
    ...(inferred ? { takenBy: gone } : {}),
    text: `${module}, whose code took it, was freed without giving it back`,
    proof: [evidence(`${module} is freed`, incarnation.free!)],
    since: reference.get.ts,
  };
}

/**
 * A function that gives back what is taken here was called once for all that was taken, and some of its calls gave
 * less than the others do: whichever task it ran in, as many references are out as it fell short of.
 */
function shortfall(ledger: Ledger, site: TakingSite, incarnation: Incarnation): Reason | undefined {
  if (site.partners.size !== 1) return undefined;
  const giver = [...site.partners.keys()][0]!.symbol;
  if (giver === undefined) return undefined;
  // However pairs are read: what was taken last before the count stayed up.
  const reference = site.rise.at(-1);
  const { returned, nets, empty } = ledger.calls.effects(giver, incarnation.module);
  const [usual] = [...nets].sort((a, b) => b[1] - a[1])[0] ?? [];
  if (usual === undefined || usual >= 0 || returned * -usual !== site.gets) return undefined;
  return {
    certain: true,
    ...(reference === undefined ? {} : { reference }),
    count: site.open.size,
    text: `${giver}() was called for each of the ${site.gets} taken there, and gave back ${site.puts}`,
    proof:
      empty?.returned === undefined || reference === undefined || empty.entry.seq < reference.get.seq
        ? []
        : [
            evidence(`enters ${callName(empty)}`, empty.entry),
            evidence('returns without module_put', empty.returned),
          ],
  };
}

/** The count rises again and again, with operations in between that came back to where they began. */
function drift(ledger: Ledger, site: TakingSite, proof: readonly Evidence[]): Reason | undefined {
  if (site.family !== 'own' && site.family !== 'foreign') return undefined;
  const never = site.puts === 0 && site.rise.length >= DRIFT;
  const usual = usualHold(site) * MUCH_LONGER;
  // The latest may be on their way back.
  const steps = never ? site.rise : site.rise.filter(({ get }) => ledger.now - get.ts > usual);
  const times = new Set(steps.map(({ putsBefore }) => putsBefore)).size;
  const risen = times >= RISES && site.puts >= HABIT;
  if (!never && !risen) return undefined;
  return {
    certain: false,
    count: steps.length,
    text: never
      ? `the count has gone up ${site.gets} times from there and never down`
      : `between operations that gave back what they took, the count rose ${steps.length} times from there and did not come down`,
    proof: [...steps.slice(-4, -1).map(({ get }) => evidence('takes another', get, site.taker)), ...proof],
  };
}

function carrierName({ armed }: Carrier): string {
  return armed.fn === undefined ? 'what was armed' : `${armed.fn.symbol ?? armed.fn.text}()`;
}
