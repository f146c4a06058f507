/** Code of a module that still ran, or could have, when its text was freed. */
import type { Call } from '../lifetime/calls.ts';
import type { Deferred } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { placeName } from '../lifetime/sites.ts';
import { deferredSteps, KTHREAD_DELAY, queuesWork } from '../model/deferred.ts';
import type { DeferredEvent, Event, FaultEvent } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import { createLeftCallbacks } from './callbacks-outlived.ts';
import { type Crash, crashAddress, crashInFreedText, functionThere, unexplainedCrash } from './crash.ts';
import {
  awaitFaults,
  type Freed,
  isRunning,
  isWaitedFor,
  MEANWHILE,
  oneMissing,
  returnedMeanwhile,
  runsAs,
  unseenFlush,
} from './in-flight.ts';
import { callName, doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';
import { releaseSign } from './release-method.ts';
import { fixOf, fixOfCall, fixOfDeferred } from './text-in-use-fix.ts';
import { inOrder, unloadStory } from './unload-story.ts';

export const releaseAfterExit: Pass = {
  rule: 'release-after-exit',
  needs: ['function_entry', 'function_return'],
  record:
    'entry and return probes on the release methods and on exit of the module (modlife capture sets them)',
  start(ledger, report) {
    const verdicts = awaitFaults(ledger, (freed, call) =>
      report(stillRunning(ledger, freed, call, 'release-after-exit')),
    );
    return {
      end: verdicts.end,
      on: {
        fault: verdicts.fault,
        freed(change) {
          for (const call of change.inFlight) {
            if (releaseSign(call, ledger.files) === undefined) continue;
            verdicts.add(change, call);
          }
          for (const call of change.unload.returned) {
            if (releaseSign(call, ledger.files) === undefined || isWaitedFor(call)) continue;
            if (ledger.orderedBefore(call, change.unload) !== undefined) continue;
            report(lucky(ledger, change, call));
          }
        },
      },
    };
  },
};

export const textInUse: Pass = {
  rule: 'text-in-use',
  needs: [
    'function_entry',
    'timer_start',
    'hrtimer_start',
    'workqueue_queue_work',
    'workqueue_execute_start',
    'sched_kthread_work_queue_work',
    'sched_kthread_work_execute_start',
    'rcu_callback',
    'kernel_fault',
  ],
  record:
    'events/timer, events/workqueue, events/rcu or a probe on call_rcu, and probes on the functions of the module',
  start(ledger, report) {
    const verdicts = awaitFaults(ledger, (freed, call) =>
      report(stillRunning(ledger, freed, call, 'text-in-use')),
    );
    /** One unrecorded cancel would explain them, until they run. */
    const waiting = new Map<Deferred, Freed>();
    const callbacks = createLeftCallbacks(ledger, report);
    /** In memory of a module whose unload is not told yet, and with it what explains them. */
    let crashes: Crash[] = [];
    function judge(crash: Crash): void {
      if (callbacks.crashed(crash)) return;
      const { incarnation } = crash;
      const { unload } = incarnation;
      const there = leftThere(ledger, crash);
      if (there !== undefined && unload !== undefined) {
        report(pending(ledger, { incarnation, unload }, there, crash));
        return;
      }
      // What was armed is what ran; of several, nothing tells which.
      const armed = [...waiting].filter(
        ([claim, freed]) => freed.incarnation === incarnation && !mayBeCancelled(claim),
      );
      const [claim, freed] = armed[0] ?? [];
      if (claim === undefined || freed === undefined || armed.length > 1) {
        report(unexplainedCrash(ledger, crash));
        return;
      }
      waiting.delete(claim);
      report(pending(ledger, freed, claim, crash));
    }
    /** Tasks that faulted: the trace and the kernel log beside it tell the same fault. */
    const faulted = new Set<number>();
    return {
      end() {
        verdicts.end();
        callbacks.end();
        for (const crash of crashes) if (crash.incarnation.free === undefined) judge(crash);
        for (const [claim, freed] of waiting) report(pending(ledger, freed, claim));
      },
      on: {
        fault({ fault }) {
          verdicts.fault();
          const crash = faulted.has(fault.pid) ? undefined : crashInFreedText(ledger, fault);
          if (fault.what === 'oops') faulted.add(fault.pid);
          if (crash === undefined) return;
          if (crash.incarnation.unload?.done === undefined) crashes.push(crash);
          else judge(crash);
        },
        'ran-after-free'({ claim, event }) {
          callbacks.ran(event);
          const freed = waiting.get(claim);
          waiting.delete(claim);
          if (freed !== undefined) report(pending(ledger, freed, claim, event));
        },
        freed(change) {
          for (const calls of byTask(change.inFlight)) {
            // Told as the release that it is in.
            if (calls.some((call) => releaseSign(call, ledger.files) !== undefined)) continue;
            // One finding a task, for its outermost call: the thread function, not the step it was in.
            verdicts.add(
              change,
              calls.find((call) => isRunning(ledger, call, change.incarnation)) ?? calls[0]!,
            );
          }
          for (const claim of change.pending) {
            // Told as the call that it is in.
            if (!change.inFlight.some((call) => runsAs(claim, call))) waiting.set(claim, change);
          }
          callbacks.freed(change);
          for (const crash of crashes)
            if (crash.incarnation === change.incarnation && crash.call === undefined) judge(crash);
          crashes = crashes.filter(({ incarnation }) => incarnation !== change.incarnation);
          const files = openFiles(ledger, change);
          if (files.length > 0) report(filesOpen(ledger, change, files));
        },
      },
    };
  },
};

function byTask(calls: readonly Call[]): Iterable<Call[]> {
  const tasks = new Map<number, Call[]>();
  for (const call of calls) {
    const task = tasks.get(call.entry.pid);
    if (task === undefined) tasks.set(call.entry.pid, [call]);
    else task.push(call);
  }
  return tasks.values();
}

function stillRunning(
  ledger: Ledger,
  freed: Freed,
  call: Call,
  rule: 'release-after-exit' | 'text-in-use',
): Finding {
  const { incarnation, unload } = freed;
  const free = unload.free!;
  const gap = doubt(ledger, incarnation, call.entry, free);
  const unsure = gap ?? oneMissing(call, freed);
  const meanwhile = returnedMeanwhile(call, freed);
  const outlived =
    call.returned === undefined
      ? call.fault === undefined
        ? 'It was never seen to return.'
        : `It never returned: ${faultTime(call.fault, free)}its task faulted.`
      : meanwhile
        ? `It returned ${duration(call.returned.ts - free.ts)} after free_module() had begun.`
        : `It returned ${duration(call.returned.ts - free.ts)} after the text was gone.`;
  const waited =
    unload.exit?.returned === undefined
      ? ''
      : ` ${callName(unload.exit)} had returned without waiting for it.`;
  return makeFinding({
    rule,
    severity: gap !== undefined ? 'note' : unsure === undefined && !meanwhile ? 'error' : 'warning',
    certainty: unsure !== undefined ? 'possible' : meanwhile ? 'predicted' : 'observed',
    because: unsure ?? (meanwhile ? MEANWHILE : undefined),
    overturnedBy:
      call.fault !== undefined || call.returned !== undefined
        ? undefined
        : oneMissing(call, freed) === undefined
          ? 2
          : 1,
    incarnation,
    title: `${callName(call)} was still running in ${who(call.entry)} when ${who(free)} freed ${incarnation.module}`,
    detail: `Entered ${duration(free.ts - call.entry.ts)} before the free.${waited} ${outlived}`,
    culprit: { code: codeOf(call, incarnation.module), symbol: call.name, event: call.entry },
    fix: rule === 'text-in-use' ? fixOfCall(call) : undefined,
    evidence: inOrder(unloadStory(freed), [
      evidence(`${callName(call)} enters`, call.entry),
      ...(call.returned === undefined
        ? []
        : [
            evidence(
              `${callName(call)} returns ${meanwhile ? 'while the text is being freed' : 'into freed text'}`,
              call.returned,
            ),
          ]),
      ...(call.fault === undefined ? [] : [evidence(`its task faults: ${call.fault.message}`, call.fault)]),
    ]),
  });
}

/** The kernel log's clock may be off from the trace's, so only a fault in the trace itself has a distance. */
function faultTime(fault: FaultEvent, free: Event): string {
  return fault.input === free.input ? `${duration(fault.ts - free.ts)} after the free ` : '';
}

function lucky(ledger: Ledger, freed: Freed, call: Call): Finding {
  const { incarnation, unload } = freed;
  const margin = unload.free!.ts - call.returned!.ts;
  const woke = unload.wakeups.find(
    ({ pid, context, seq }) =>
      context === call.entry.context &&
      pid === call.entry.pid &&
      seq > call.entry.seq &&
      seq < call.returned!.seq,
  );
  const hidden = unseenFlush(ledger, call);
  const unsure = doubt(ledger, incarnation, call.entry, unload.free!) ?? hidden;
  const sign = releaseSign(call, ledger.files);
  return makeFinding({
    rule: 'release-after-exit',
    severity: unsure === undefined ? 'warning' : 'note',
    certainty: unsure === undefined ? 'predicted' : 'possible',
    because:
      unsure ??
      `it returned in time, but no wakeup, flush or join in the capture makes the free wait for that${sign === 'name' ? '; that it is a release method is inferred from its name' : ''}`,
    // A wakeup or a join that went unseen.
    overturnedBy: 1,
    incarnation,
    title: `${callName(call)} ran in ${who(call.entry)} while ${who(unload.free!)} was unloading ${incarnation.module}, and nothing ${hidden !== undefined ? 'in this capture shows that the free waits' : 'makes the free wait'} for its return`,
    detail: `This time it returned ${duration(margin)} before the text was freed. A reschedule ${woke === undefined ? 'before' : `between its wakeup of ${who(unload.free!)} and`} its return would have let the exit path overtake it.`,
    culprit: { code: codeOf(call, incarnation.module), symbol: call.name, event: call.entry },
    evidence: inOrder(unloadStory(freed), [
      evidence(`${callName(call)} enters`, call.entry),
      ...(woke === undefined ? [] : [evidence(`it wakes ${who(unload.free!)}`, woke)]),
      evidence(`${callName(call)} returns, this time before the free`, call.returned!),
    ]),
    race: {
      margin_ns: margin,
      ordered: false,
      witness: `no edge leads from the return of ${callName(call)} at line ${call.returned!.line} to the free at line ${unload.free!.line}`,
    },
  });
}

/** The function, as a place: late symbols keep the probe's name but not the module they were printed with. */
function codeOf(call: Call, module: string) {
  return call.late ? { text: call.name, symbol: call.name, module } : call.entry.fn;
}

/** A work item that waits in its queue is cancelled without an event. */
function mayBeCancelled({ armed, running }: Deferred): boolean {
  return queuesWork(armed.kind) && running === undefined;
}

/** What was armed, when the module was freed, to call the function where a task crashed. */
function leftThere(ledger: Ledger, crash: Crash): Deferred | undefined {
  const { fault, incarnation, call } = crash;
  const claim = call === undefined ? ledger.deferredAt(crashAddress(fault)!) : undefined;
  if (claim === undefined || incarnation.free === undefined) return undefined;
  if (claim.armed.seq < incarnation.first.seq || claim.armed.seq > incarnation.free.seq) return undefined;
  return { ...claim, fn: functionThere(ledger, crash) ?? claim.fn };
}

/** @param harm it was seen running after the free, or what crashed in the memory of its module */
function pending(
  ledger: Ledger,
  freed: Pick<Freed, 'incarnation' | 'unload'>,
  claim: Deferred,
  harm?: DeferredEvent | Crash,
): Finding {
  const { incarnation, unload } = freed;
  const free = unload.free!;
  const step = deferredSteps[claim.armed.kind];
  // The timer's own function is the core's, which then queues it.
  const isDelayed = claim.armed.fn?.symbol === KTHREAD_DELAY;
  const what = isDelayed ? 'a delayed work item' : step.what;
  // What was armed before the capture began is first seen running.
  const isArmed = step.does === 'arm';
  const ran = harm !== undefined && 'kind' in harm ? harm : undefined;
  const crash = harm !== undefined && 'fault' in harm ? harm : undefined;
  const gap = doubt(ledger, incarnation, claim.armed, free);
  const silent = harm === undefined && mayBeCancelled(claim);
  const unsure =
    gap ??
    (ran !== undefined
      ? undefined
      : crash !== undefined
        ? crash.unsure
        : silent
          ? 'it may have been cancelled, which leaves no event'
          : 'its end may be the one event that went unrecorded');
  const wasRunning = claim.running !== undefined && claim.running.seq < free.seq;
  return makeFinding({
    rule: 'text-in-use',
    severity: unsure === undefined ? 'error' : gap !== undefined || silent ? 'note' : 'warning',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    overturnedBy: harm === undefined ? 1 : undefined,
    incarnation,
    title: `${what} with ${placeName(claim.fn)} was ${wasRunning ? 'running' : 'still armed'} when ${incarnation.module} was freed${ran === undefined ? '' : ', and ran'}`,
    detail: [
      `${who(claim.armed)} ${isArmed ? 'armed' : 'began to run'} it ${duration(free.ts - claim.armed.ts)} before the free, and no ${isArmed ? 'cancel' : 'end of it'} was seen${ran === undefined ? '' : `; it ran ${duration(ran.ts - free.ts)} after the text was gone`}.`,
      ...(crash === undefined
        ? []
        : [
            crashAddress(crash.fault) === claim.armed.fn?.address
              ? `${who(crash.fault)} then crashed where its function begins: ${crash.fault.message}.`
              : `${who(crash.fault)} then crashed in that memory: ${crash.fault.message}. That it was this one is inferred.`,
          ]),
    ].join(' '),
    culprit: { code: claim.fn, event: claim.armed },
    fix: fixOfDeferred(claim.armed),
    evidence: inOrder(unloadStory(freed), [
      ...(isArmed ? [evidence(`${what} is armed`, claim.armed, claim.fn)] : []),
      ...(claim.running === undefined ? [] : [evidence(`${what} runs`, claim.running, claim.fn)]),
      ...(ran === undefined ? [] : [evidence(`${what} runs in freed text`, ran, claim.fn)]),
      ...(crash === undefined ? [] : [evidence(`the task faults: ${crash.fault.message}`, crash.fault)]),
    ]),
  });
}

/** Files of this module that were opened, not closed, and not counted: their fops have no owner. */
function openFiles(ledger: Ledger, { incarnation, unload, outstanding, usersAtFree }: Freed): Call[] {
  if (outstanding.length > 0 || usersAtFree > 0) return [];
  return ledger.files
    .opened()
    .filter(
      (call) =>
        call.entry.seq < unload.free!.seq &&
        call.entry.seq > incarnation.first.seq &&
        ledger.inTextOf(call, incarnation),
    );
}

function filesOpen(ledger: Ledger, freed: Freed, files: readonly Call[]): Finding {
  const { incarnation, unload } = freed;
  const file = files[0]!;
  const gap = doubt(ledger, incarnation, file.entry, unload.free!);
  const closes = ledger.files.closesAreSeen(file);
  return makeFinding({
    rule: 'text-in-use',
    severity: gap === undefined && closes ? 'warning' : 'note',
    certainty: 'possible',
    because:
      gap ??
      (closes
        ? 'the close may be the one event that went unrecorded'
        : 'the close may be a function without a probe'),
    overturnedBy: 1,
    incarnation,
    title: `${files.length === 1 ? 'a file' : `${files.length} files`} opened with ${callName(file)} may have been open when ${incarnation.module} was freed`,
    detail: `${who(file.entry)} opened it ${duration(unload.free!.ts - file.entry.ts)} before the free; no reference was held for it and no close was seen.`,
    culprit: { code: file.entry.fn, symbol: file.name, event: file.entry },
    fix: fixOf('a file'),
    evidence: inOrder(unloadStory(freed), [evidence(`${callName(file)} enters`, file.entry)]),
  });
}
