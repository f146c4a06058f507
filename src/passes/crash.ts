/** A crash in the memory of a module that was gone. */
import type { Call } from '../lifetime/calls.ts';
import type { Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { freedAt, ownerNow } from '../lifetime/text-owner.ts';
import type { Code, FaultEvent } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import { isRunning } from './in-flight.ts';
import { callName, evidence, makeFinding, who } from './make-finding.ts';
import { unloadBegins } from './unload-story.ts';

export interface Crash {
  readonly fault: FaultEvent;
  readonly incarnation: Incarnation;
  /** Of its task, in the text of `incarnation`, whose end the capture lacks. */
  readonly call?: Call;
  /** Why it may have been other memory. */
  readonly unsure: string | undefined;
}

/** Where a task crashed. */
export function crashAddress({ what, at, address }: FaultEvent): string | undefined {
  return what === 'oops' ? (at?.address ?? address) : undefined;
}

/** The load whose memory a task crashed in. */
export function freedMemory(ledger: Ledger, fault: FaultEvent): ReturnType<typeof freedAt> {
  const address = crashAddress(fault);
  return address === undefined ? undefined : freedAt(address, fault, ledger.incarnations);
}

/** Undefined for a fault elsewhere, and for one that a call in flight explains when its text is freed. */
export function crashInFreedText(ledger: Ledger, fault: FaultEvent): Crash | undefined {
  const address = crashAddress(fault);
  if (address === undefined) return undefined;
  const freed = freedMemory(ledger, fault);
  // One that is never seen to return may have done so long ago.
  const isIn = (call: Call) =>
    ledger.calls.returnsAreSeen(call) || (freed !== undefined && isRunning(ledger, call, freed.incarnation));
  const calls = ledger.calls
    .inFlight()
    .filter((call) => call.fault !== undefined && call.entry.pid === fault.pid && isIn(call));
  if (calls.length > 0) return inCallCutOff(ledger, fault, calls);
  if (freed === undefined) return undefined;
  const unsure = freed.sure
    ? undefined
    : `that ${address} was its memory is inferred: no other module was freed in the capture`;
  return { fault, incarnation: freed.incarnation, unsure };
}

/**
 * A trace that the crash cut off may lack the free, and so what would tell of a call in flight. The kernel names what it
 * unloaded last; that it cannot name where the task was says that nothing lies there any more.
 */
function inCallCutOff(ledger: Ledger, fault: FaultEvent, calls: readonly Call[]): Crash | undefined {
  if (fault.lastUnloaded === undefined || fault.at === undefined || fault.at.symbol !== undefined)
    return undefined;
  const living = ledger.incarnations.filter(({ free }) => free === undefined);
  for (const call of calls) {
    const incarnation = ownerNow(call, living);
    if (incarnation?.module === fault.lastUnloaded) return { fault, incarnation, call, unsure: undefined };
  }
  return undefined;
}

/** The function of the module that begins where a task crashed, as far as a probe tells. */
export function functionThere({ calls }: Ledger, { fault, incarnation }: Crash): Code | undefined {
  const { module, first } = incarnation;
  const symbol = calls.nameAt(crashAddress(fault)!, first);
  return symbol === undefined ? undefined : { text: `${symbol} [${module}]`, symbol, module };
}

export function unexplainedCrash(ledger: Ledger, crash: Crash): Finding {
  const { fault, incarnation, call, unsure } = crash;
  const address = fault.at?.address ?? fault.address;
  // A snapshot of its symbols may tell what was called there, or a probe on its first instruction.
  const fn = fault.at?.module === incarnation.module ? fault.at : functionThere(ledger, crash);
  const where = fn?.symbol === undefined ? `at ${address}` : `in ${fn.symbol}()`;
  return makeFinding({
    rule: 'text-in-use',
    severity: unsure === undefined ? 'error' : 'warning',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    incarnation,
    title: `${who(fault)} faulted ${where}, in the memory of ${incarnation.module}, which was gone`,
    detail: `The kernel reports: ${fault.message}. ${incarnation.initFailed ? `The init of ${incarnation.module} had failed. ` : ''}${incarnation.free === undefined ? `${incarnation.unload === undefined ? 'Its unload' : 'The end of its unload'} was not recorded, but the kernel says that ${incarnation.module} was the last to go. ` : ''}${
      call === undefined
        ? `What led there was not recorded${fn === undefined ? `; probes on the functions of ${incarnation.module} would tell` : ''}.`
        : `The task was in ${callName(call)}, which had not returned when the trace ends.`
    }`,
    culprit:
      call === undefined
        ? { event: fault, code: fn }
        : { code: call.entry.fn, symbol: call.name, event: call.entry },
    evidence: [
      ...(call === undefined ? [] : [evidence(`${callName(call)} enters`, call.entry)]),
      ...(incarnation.unload === undefined ? [] : unloadBegins(incarnation.unload)),
      ...(incarnation.free === undefined ? [] : [evidence('the text is freed', incarnation.free)]),
      evidence(`the task faults: ${fault.message}`, fault),
    ],
  });
}
