/** RCU callbacks that exit left behind: the free waits for a grace period, and only rcu_barrier() for callbacks. */
import type { Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { placeName } from '../lifetime/sites.ts';
import type { DeferredEvent } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import type { Crash } from './crash.ts';
import type { Freed } from './in-flight.ts';
import { doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import { inOrder, unloadStory } from './unload-story.ts';

/** @param harm the crash in the module's memory, or the callback seen running after the free */
function callbacksLeft(ledger: Ledger, freed: Freed, harm?: Crash | DeferredEvent): Finding {
  const { incarnation, unload } = freed;
  const free = unload.free!;
  const known = freed.callbacks.filter(({ wouldBeSeen }) => wouldBeSeen);
  const callbacks = known.length > 0 ? known : freed.callbacks;
  const first = callbacks[0]!;
  const last = callbacks.at(-1)!;
  const lossy = doubt(ledger, incarnation, first.armed, free);
  const crash = harm !== undefined && 'fault' in harm ? harm : undefined;
  const ran = harm !== undefined && 'kind' in harm ? harm : undefined;
  const blind =
    known.length === 0 ? 'no such callback was ever seen to run: its run may not be recorded' : undefined;
  const isObserved = ran !== undefined || (crash !== undefined && crash.unsure === undefined);
  const single = callbacks.length === 1;
  const weak = lossy ?? blind;
  const unsure = isObserved
    ? undefined
    : (weak ??
      crash?.unsure ??
      (single
        ? 'its run may be the one event that went unrecorded'
        : 'they may yet have run in time: probes on a module are gone before its text is'));
  const functions = [...new Set(callbacks.map(({ fn }) => placeName(fn)))].join(', ');
  const what = single ? 'an RCU callback' : `${callbacks.length} RCU callbacks`;
  const when = unload.exit?.returned === undefined ? `${incarnation.module} was freed` : 'exit returned';
  return makeFinding({
    rule: 'text-in-use',
    severity: isObserved ? 'error' : weak === undefined ? 'warning' : 'note',
    certainty: isObserved ? 'observed' : weak !== undefined || single ? 'possible' : 'predicted',
    because: unsure,
    overturnedBy: isObserved ? undefined : blind === undefined ? callbacks.length : 1,
    incarnation,
    title: `${what} with ${functions} had not run when ${when}`,
    detail: `${who(first.armed)} gave ${single ? 'it' : 'the first of them'} to call_rcu() ${duration(free.ts - first.armed.ts)} before the free. The free waits for a grace period, not for callbacks; rcu_barrier() does.${crash === undefined ? '' : ` The kernel reports: ${crash.fault.message}.`}${ran === undefined ? '' : ` One ran ${duration(ran.ts - free.ts)} after the text was gone.`}`,
    culprit: { code: first.fn, event: first.armed },
    evidence: inOrder(
      unloadStory(freed),
      [evidence('an RCU callback is given', first.armed, first.fn)],
      single ? [] : [evidence('the last of them is given', last.armed, last.fn)],
      crash === undefined ? [] : [evidence(`the task faults: ${crash.fault.message}`, crash.fault)],
      ran === undefined ? [] : [evidence('an RCU callback runs in freed text', ran, first.fn)],
    ),
    race: isObserved
      ? undefined
      : {
          margin_ns: free.ts - last.armed.ts,
          ordered: false,
          witness: `no run of these callbacks, and so no rcu_barrier(), lies between call_rcu() at line ${last.armed.line} and the ${unload.exit?.returned === undefined ? 'free' : `return of exit at line ${unload.exit.returned.line}`}`,
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
