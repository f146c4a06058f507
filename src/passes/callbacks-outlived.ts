/** RCU callbacks that exit left behind: the free waits for a grace period, and only rcu_barrier() for callbacks. */
import type { Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { placeName } from '../lifetime/sites.ts';
import type { DeferredEvent } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import type { Crash } from './crash.ts';
import type { Freed } from './in-flight.ts';
import { doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import { fixOf } from './text-in-use-fix.ts';
import { inOrder, unloadStory } from './unload-story.ts';

/** @param harm the crash in the module's memory, or the callback seen running after the free */
function callbacksLeft(ledger: Ledger, freed: Freed, harm?: Crash | DeferredEvent): Finding {
  const { incarnation, unload } = freed;
  const free = unload.free!;
  const known = freed.callbacks.filter(({ wouldBeSeen }) => wouldBeSeen);
  const callbacks = known.length > 0 ? known : freed.callbacks;
  const first = callbacks[0]!;
  const last = callbacks.at(-1)!;
  const single = callbacks.length === 1;
  const crash = harm !== undefined && 'fault' in harm ? harm : undefined;
  const late = harm !== undefined && 'kind' in harm ? harm : undefined;
  const isObserved = late !== undefined || (crash !== undefined && crash.unsure === undefined);
  const inTime = callbacks.flatMap(({ ran }) => ran ?? []).filter(({ seq }) => seq < free.seq);
  const weak =
    doubt(ledger, incarnation, first.armed, free) ??
    (known.length > 0 ? undefined : 'no such callback was ever seen to run: its run may not be recorded');
  const unrecorded =
    weak === undefined && single && inTime.length === 0
      ? 'its run may be the one event that went unrecorded'
      : undefined;
  const isPossible = weak !== undefined || unrecorded !== undefined;
  const functions = [...new Set(callbacks.map(({ fn }) => placeName(fn)))].join(', ');
  const returned = unload.exit?.returned;
  const when = returned === undefined ? `${incarnation.module} was freed` : 'exit returned';
  return makeFinding({
    rule: 'text-in-use',
    severity: isObserved ? 'error' : weak === undefined ? 'warning' : 'note',
    certainty: isObserved ? 'observed' : isPossible ? 'possible' : 'predicted',
    because: isObserved
      ? undefined
      : (weak ??
        unrecorded ??
        crash?.unsure ??
        (inTime.length > 0
          ? `${inTime.length === callbacks.length ? 'this time they' : `${inTime.length} of them`} ran before the free, which nothing made wait for that`
          : 'they may yet have run in time: probes on a module are gone before its text is')),
    // None that exit waited for can run after it returned.
    overturnedBy: isObserved || inTime.length > 0 ? undefined : known.length > 0 ? callbacks.length : 1,
    incarnation,
    title: `${single ? 'an RCU callback' : `${callbacks.length} RCU callbacks`} with ${functions} had not run when ${when}`,
    detail: [
      `${who(first.armed)} gave ${single ? 'it' : 'the first of them'} to call_rcu() ${duration(free.ts - first.armed.ts)} before the free.`,
      'The free waits for a grace period, not for callbacks; rcu_barrier() does.',
      ...(crash === undefined ? [] : [`The kernel reports: ${crash.fault.message}.`]),
      ...(late === undefined ? [] : [`One ran ${duration(late.ts - free.ts)} after the text was gone.`]),
    ].join(' '),
    culprit: { code: first.fn, event: first.armed },
    fix: fixOf('an RCU callback'),
    evidence: inOrder(
      unloadStory(freed),
      [evidence('an RCU callback is given', first.armed, first.fn)],
      single ? [] : [evidence('the last of them is given', last.armed, last.fn)],
      inTime
        .slice(-1)
        .map((ran) => evidence('an RCU callback runs, this time before the free', ran, first.fn)),
      crash === undefined ? [] : [evidence(`the task faults: ${crash.fault.message}`, crash.fault)],
      late === undefined ? [] : [evidence('an RCU callback runs in freed text', late, first.fn)],
    ),
    race: isObserved
      ? undefined
      : {
          margin_ns: free.ts - (inTime.at(-1) ?? last.armed).ts,
          ordered: false,
          witness: `no run of these callbacks, and so no rcu_barrier(), lies between call_rcu() at line ${last.armed.line} and the ${returned === undefined ? 'free' : `return of exit at line ${returned.line}`}`,
        },
  });
}

/** Modules freed with callbacks that had not run: the harm comes later, if it comes. */
export function createLeftCallbacks(ledger: Ledger, report: (finding: Finding) => void) {
  const left = new Map<Incarnation, Freed>();
  function settle(incarnation: Incarnation, harm?: Crash | DeferredEvent): boolean {
    const freed = left.get(incarnation);
    if (freed === undefined) return false;
    left.delete(incarnation);
    report(callbacksLeft(ledger, freed, harm));
    return true;
  }
  return {
    freed(freed: Freed): void {
      if (freed.callbacks.length > 0) left.set(freed.incarnation, freed);
    },
    /** @returns false when no callbacks explain this crash */
    crashed: (crash: Crash) => settle(crash.incarnation, crash),
    ran(event: DeferredEvent): void {
      for (const [incarnation, { callbacks }] of left) {
        if (callbacks.some(({ armed }) => armed.object === event.object)) settle(incarnation, event);
      }
    },
    end(): void {
      for (const incarnation of [...left.keys()]) settle(incarnation);
    },
  };
}
