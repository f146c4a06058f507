/** References that a module takes and drops on itself, where nobody else keeps it alive meanwhile. */
import type { Call } from '../lifetime/calls.ts';
import type { Change, Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Reference } from '../lifetime/references.ts';
import { familyOf, placeName } from '../lifetime/sites.ts';
import type { FaultEvent } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import { freedMemory } from './crash.ts';
import {
  awaitFaults,
  calledFromSysfs,
  type Freed,
  isWaitedFor,
  MEANWHILE,
  oneMissing,
  returnedMeanwhile,
  unseenFlush,
} from './in-flight.ts';
import { callName, doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';
import { unloadBegins } from './unload-story.ts';

type Taken = Extract<Change, { type: 'taken' }>;
type GivenBack = Extract<Change, { type: 'given-back' }>;

export const unprotectedGet: Pass = {
  rule: 'unprotected-get',
  needs: ['module_get'],
  record: 'events/module/module_get and module_put',
  start(ledger, report) {
    const bySite = new Map<string, { first: Taken; times: number }>();
    return {
      on: {
        taken(change) {
          const { incarnation, reference, usersBefore } = change;
          // While init runs the loader holds the module; with a user, that user does.
          if (reference.family !== 'own' || usersBefore > 0 || incarnation.state !== 'live') return;
          if (reference.get.refcnt > 2 || calledFromSysfs(reference.get)) return;
          const key = `${incarnation.module} ${placeName(reference.taker)}`;
          const known = bySite.get(key);
          if (known === undefined) bySite.set(key, { first: change, times: 1 });
          else known.times++;
        },
      },
      end() {
        for (const { first, times } of bySite.values()) {
          const { incarnation, reference } = first;
          if (reference.within !== undefined && isWaitedFor(reference.within)) continue;
          const unsure =
            doubt(ledger, incarnation, incarnation.first, reference.get) ?? drainedByName(reference);
          report(
            makeFinding({
              rule: 'unprotected-get',
              severity: unsure === undefined ? 'warning' : 'note',
              certainty: unsure === undefined ? 'predicted' : 'possible',
              because: unsure ?? 'no unload came between the call and the get in this capture',
              incarnation,
              title: `${placeName(reference.taker)} takes a reference to its own module while nobody holds it`,
              detail: `${times === 1 ? 'Once' : `${times} times`}; the first by ${who(reference.get)}, refcnt ${reference.get.refcnt} after it. Until the get, an unload may free the text that is running.`,
              culprit: { code: reference.taker, event: reference.get },
              evidence: [
                ...(reference.within === undefined
                  ? []
                  : [evidence(`${callName(reference.within)} enters`, reference.within.entry)]),
                evidence('takes the first reference, from inside', reference.get, reference.taker),
              ],
            }),
          );
        }
      },
    };
  },
};

/** As methods of files in sysfs are called; their callers tell only where they are recorded. */
const SYSFS_METHOD = /_(?:store|show)$/;

function drainedByName({ taker }: Reference): string | undefined {
  return SYSFS_METHOD.test(taker.symbol ?? '')
    ? 'by its name it is a method of a sysfs file, and to remove the file waits for that'
    : undefined;
}

/** Puts of functions without a probe that are remembered: a module may come and go for ever. */
const UNSEEN = 64;

export const earlyPut: Pass = {
  rule: 'early-put',
  needs: ['module_put'],
  record: 'events/module/module_put, and entry and return probes on the functions that call module_put()',
  start(ledger, report) {
    /** The latest last puts from inside, per incarnation: an unload may follow. */
    const lastPuts = new Map<Incarnation, GivenBack[]>();
    const byCall = new Map<Call, GivenBack>();
    /** By functions that were not probed, so that only a crash would tell whether they had returned. */
    const unseen: { readonly given: GivenBack; readonly freed: Freed }[] = [];
    const crashed = new Map<GivenBack, FaultEvent>();
    const verdicts = awaitFaults(ledger, (freed, call) => judge(byCall.get(call)!, freed, call));
    return {
      end() {
        verdicts.end();
        // Of one place, the latest tells enough; that of a crash tells most.
        const byPlace = new Map<string, (typeof unseen)[number]>();
        for (const own of unseen) {
          const { incarnation, reference } = own.given;
          const place = `${incarnation.module} ${incarnation.nth} ${placeName(reference.put!.callSite)}`;
          const known = byPlace.get(place);
          if (known === undefined || !crashed.has(known.given)) byPlace.set(place, own);
        }
        for (const { given, freed } of byPlace.values())
          report(notReturned(ledger, given, freed, crashed.get(given)));
      },
      on: {
        fault({ fault }) {
          verdicts.fault();
          crash(fault);
        },
        'given-back'(change) {
          const { incarnation, reference, usersAfter } = change;
          const put = reference.put!;
          if (usersAfter > 0 || familyOf(put.callSite, incarnation.module) !== 'own') return;
          const list = lastPuts.get(incarnation) ?? [];
          list.push(change);
          lastPuts.set(incarnation, list.slice(-16));
        },
        freed(change) {
          for (const put of lastPuts.get(change.incarnation) ?? []) consider(put, change);
          lastPuts.delete(change.incarnation);
        },
      },
    };

    function consider(given: GivenBack, freed: Freed): void {
      const { within, reference } = given;
      if (within === undefined) {
        const { context, pid, seq } = reference.put!;
        // A task that goes on to free the module itself has returned from there.
        if (context === 'task' && pid !== freed.unload.pid && seq < freed.unload.start.seq)
          unseen.push({ given, freed });
        if (unseen.length > UNSEEN) unseen.shift();
        return;
      }
      if (freed.inFlight.includes(within)) {
        byCall.set(within, given);
        verdicts.add(freed, within);
      } else if (freed.unload.returned.includes(within) && reference.put!.seq < freed.unload.start.seq) {
        if (isWaitedFor(within) || ledger.orderedBefore(within, freed.unload) !== undefined) return;
        judge(given, freed, within);
      }
    }

    function crash(fault: FaultEvent): void {
      const gone = freedMemory(ledger, fault);
      // The only one that was freed, and the last: with its task in that module's code that is sure, too.
      if (gone === undefined || (!gone.sure && fault.lastUnloaded !== gone.incarnation.module)) return;
      const own = unseen.find(
        ({ given, freed }) =>
          given.reference.put!.pid === fault.pid && freed.incarnation === gone.incarnation,
      );
      if (own !== undefined) crashed.set(own.given, fault);
    }

    function judge(given: GivenBack, freed: Freed, within: Call): void {
      const { incarnation, reference } = given;
      const put = reference.put!;
      const running = freed.inFlight.includes(within);
      const observed = running && !returnedMeanwhile(within, freed);
      const free = freed.unload.free!;
      const gap =
        doubt(ledger, incarnation, put, free) ?? (running ? undefined : unseenFlush(ledger, within));
      const unsure = gap ?? (running ? oneMissing(within, freed) : undefined);
      report(
        makeFinding({
          rule: 'early-put',
          severity: gap !== undefined ? 'note' : observed && unsure === undefined ? 'error' : 'warning',
          certainty: unsure !== undefined ? 'possible' : observed ? 'observed' : 'predicted',
          because:
            unsure ??
            (observed
              ? undefined
              : running
                ? MEANWHILE
                : 'it returned before the text was freed, but nothing makes the free wait for that'),
          overturnedBy: within.fault !== undefined ? undefined : 1,
          incarnation,
          title: `${callName(within)} dropped the last reference to its own module and ${running ? 'was still running' : 'had yet to return'} when ${running ? 'the text was freed' : 'the unload began'}`,
          detail: `${who(put)} put it ${duration(free.ts - put.ts)} before ${who(free)} freed ${incarnation.module}; refcnt ${put.refcnt} after it, so nothing kept the text that still had to return.`,
          culprit: { code: put.callSite, event: put },
          evidence: [
            evidence(`${callName(within)} enters`, within.entry),
            evidence('takes the reference', reference.get, reference.taker),
            evidence('drops the last reference, from inside', put),
            ...unloadBegins(freed.unload),
            evidence('the text is freed', free),
            ...(within.returned === undefined
              ? []
              : [evidence(`${callName(within)} returns`, within.returned)]),
          ].sort((a, b) => a.ns - b.ns),
          ...(running || within.returned === undefined
            ? {}
            : {
                race: {
                  margin_ns: free.ts - within.returned.ts,
                  ordered: false,
                  witness: `no edge leads from the return of ${callName(within)} at line ${within.returned.line} to the free at line ${free.line}`,
                },
              }),
        }),
      );
    }
  },
};

/** Of a put whose function was not probed: a crash of its task in the freed text tells that it had not returned. */
function notReturned(ledger: Ledger, given: GivenBack, freed: Freed, fault: FaultEvent | undefined): Finding {
  const { incarnation, reference } = given;
  const put = reference.put!;
  const free = freed.unload.free!;
  const name = placeName(put.callSite);
  const gap = doubt(ledger, incarnation, put, free);
  const unsure =
    gap ??
    (fault === undefined
      ? `no probe on ${name} tells whether it had returned by then, nor what waits for it`
      : undefined);
  return makeFinding({
    rule: 'early-put',
    severity: unsure === undefined ? 'error' : 'note',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    incarnation,
    title: `${name} dropped the last reference to its own module, which ${fault === undefined ? 'was then unloaded' : 'was freed before it returned'}`,
    detail: `${who(put)} put it ${duration(free.ts - put.ts)} before ${who(free)} freed ${incarnation.module}; refcnt ${put.refcnt} after it, so nothing kept the text that still had to return.${fault === undefined ? '' : ` The same task then crashed in that memory: ${fault.message}.`}`,
    culprit: { code: put.callSite, event: put },
    evidence: [
      evidence('takes the reference', reference.get, reference.taker),
      evidence('drops the last reference, from inside', put),
      ...unloadBegins(freed.unload),
      evidence('the text is freed', free),
      ...(fault === undefined ? [] : [evidence(`its task faults: ${fault.message}`, fault)]),
    ],
  });
}
