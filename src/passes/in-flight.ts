/** Calls that seem to be in flight when the text goes: how sure that is. */
import type { Call } from '../lifetime/calls.ts';
import type { Change, Deferred } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { callName } from './make-finding.ts';

export type Freed = Extract<Change, { type: 'freed' }>;

/** An entry without a return means running only where returns are recorded. */
export function canSayRunning(ledger: Ledger, call: Call): boolean {
  return call.returned !== undefined || (!call.over && ledger.calls.returnsAreSeen(call));
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
export function awaitFaults(judge: (freed: Freed, call: Call) => void) {
  let waiting: { readonly freed: Freed; readonly call: Call }[] = [];
  function decide(ready: (call: Call) => boolean): void {
    const due = waiting.filter(({ call }) => ready(call));
    waiting = waiting.filter(({ call }) => !ready(call));
    for (const { freed, call } of due) judge(freed, call);
  }
  return {
    add(freed: Freed, call: Call): void {
      if (oneMissing(call, freed) === undefined) judge(freed, call);
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
