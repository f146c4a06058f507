/** Calls that seem to be in flight when the text goes: how sure that is. */
import type { Call } from '../lifetime/calls.ts';
import type { Change, Deferred, Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { freedAt } from '../lifetime/text-owner.ts';
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
    for (const { freed, call } of due) if (isRunning(ledger, call, freed.incarnation)) judge(freed, call);
  }
  return {
    add(freed: Freed, call: Call): void {
      if (call.over) return;
      if (oneMissing(call, freed) === undefined && isRunning(ledger, call, freed.incarnation))
        judge(freed, call);
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
