/** Calls that seem to be in flight when the text goes: how sure that is. */
import type { Call } from '../lifetime/calls.ts';
import type { Change, Deferred, Incarnation } from '../lifetime/changes.ts';
import { isInterrupt } from '../lifetime/interrupts.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { callsFromSysfs, readFrame } from '../lifetime/sites.ts';
import { freedAt } from '../lifetime/text-owner.ts';
import type { Event } from '../model/event.ts';
import { callName } from './make-finding.ts';

export type Freed = Extract<Change, { type: 'freed' }>;

/** An entry without a return means running only where returns are recorded, or where the task faulted in that text. */
export function isRunning(ledger: Ledger, call: Call, incarnation: Incarnation): boolean {
  const { fault } = call;
  if (call.returned !== undefined) return true;
  if (!call.over && ledger.calls.returnsAreSeen(call)) return true;
  const address = fault?.at?.address ?? fault?.address;
  if (fault === undefined || address === undefined) return false;
  const freed = freedAt(address, fault, ledger.incarnations);
  return freed?.sure === true && freed.incarnation === incarnation;
}

/**
 * Before the text goes, an unload waits for what runs in interrupts, with synchronize_rcu() in free_module(), and for
 * methods of files in sysfs, which are drained when the files are removed.
 */
export function isWaitedFor({ entry, returned }: Call): boolean {
  if (isInterrupt(entry) || calledFromSysfs(entry)) return true;
  return returned !== undefined && calledFromSysfs(returned);
}

/** As far as `event`, which is in module text, tells who called it. */
export function calledFromSysfs(event: Event): boolean {
  if (event.kind === 'function_return' && callsFromSysfs(event.caller?.symbol ?? '')) return true;
  return event.stack?.some((frame) => callsFromSysfs(readFrame(frame)?.symbol ?? '')) === true;
}

/** Why a call that returned while free_module() was at work did no harm that was seen. */
export const MEANWHILE =
  'free_module() may have freed the text only after it had returned; nothing recorded makes it wait for that';

/** It returned after free_module() had begun, and before that was seen to be over. */
export function returnedMeanwhile({ returned }: Call, { unload }: Freed): boolean {
  return returned !== undefined && returned.seq < (unload.done?.seq ?? 0);
}

/** What may have made the free wait for a call that returned before it, though the capture shows nothing of the kind. */
export function unseenFlush(ledger: Ledger, call: Call): string | undefined {
  return ledger.mayBeFlushed(call)
    ? 'it ran in a work item, which exit may have flushed: no function like flush_work() is recorded, which would tell'
    : undefined;
}

/**
 * One unseen return would explain a call that seems to be in flight. It does not where the task faulted, where the
 * call was seen to return later, or where what called it, a function or the workqueue, is not over either.
 */
export function oneMissing(call: Call, freed: Freed): string | undefined {
  if (call.returned !== undefined || call.fault !== undefined || call.parent !== undefined) return undefined;
  if (freed.pending.some((claim) => runsAs(claim, call))) return undefined;
  return `only the return of ${callName(call)} is missing, which one unrecorded event would explain; the kernel log can settle it`;
}

/**
 * Holds back what one missing event would explain: the task may yet fault, which settles it.
 */
export function awaitFaults(ledger: Ledger, judge: (freed: Freed, call: Call) => void) {
  let waiting: { readonly freed: Freed; readonly call: Call }[] = [];
  function decide(ready: (call: Call) => boolean): void {
    const due = waiting.filter(({ call }) => ready(call));
    waiting = waiting.filter(({ call }) => !ready(call));
    for (const { freed, call } of due) {
      if (call.fault === undefined && isWaitedFor(call)) continue;
      if (isRunning(ledger, call, freed.incarnation)) judge(freed, call);
    }
  }
  return {
    add(freed: Freed, call: Call): void {
      if (call.over) return;
      const isCertain = !isWaitedFor(call) && oneMissing(call, freed) === undefined;
      if (isCertain && isRunning(ledger, call, freed.incarnation)) judge(freed, call);
      else waiting.push({ freed, call });
    },
    fault: () => decide((call) => call.fault !== undefined),
    end: () => decide(() => true),
  };
}

/** Is this call the callback of that work item, timer or head? */
export function runsAs(claim: Deferred, call: Call): boolean {
  return claim.running?.pid === call.entry.pid && claim.running.seq < call.entry.seq;
}
