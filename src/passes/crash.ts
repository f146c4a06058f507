/** A crash in the memory of a module that was gone. */
import type { Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { freedAt } from '../lifetime/text-owner.ts';
import type { FaultEvent } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import { evidence, makeFinding, who } from './make-finding.ts';

export interface Crash {
  readonly fault: FaultEvent;
  readonly incarnation: Incarnation;
  /** Why it may have been other memory. */
  readonly unsure: string | undefined;
}

/** Undefined for a fault elsewhere, and for one that a call in flight explains. */
export function crashInFreedText(ledger: Ledger, fault: FaultEvent): Crash | undefined {
  const address = fault.at?.address ?? fault.address;
  if (fault.what !== 'oops' || address === undefined) return undefined;
  if (ledger.calls.inFlight().some((call) => call.fault === fault)) return undefined;
  const freed = freedAt(address, fault, ledger.incarnations);
  if (freed === undefined) return undefined;
  const unsure = freed.sure
    ? undefined
    : `that ${address} was its memory is inferred: no other module was freed in the capture`;
  return { fault, incarnation: freed.incarnation, unsure };
}

export function unexplainedCrash({ fault, incarnation, unsure }: Crash): Finding {
  return makeFinding({
    rule: 'text-in-use',
    severity: unsure === undefined ? 'error' : 'warning',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    incarnation,
    title: `${who(fault)} faulted at ${fault.at?.address ?? fault.address}, in the memory of ${incarnation.module}, which was gone`,
    detail: `The kernel reports: ${fault.message}. ${incarnation.free === undefined ? `Its unload was not recorded, but the kernel says that ${incarnation.module} was the last to go. ` : ''}What led there was not recorded; probes on the functions of ${incarnation.module} would tell.`,
    culprit: { event: fault },
    evidence: [
      ...(incarnation.unload === undefined ? [] : [evidence('the unload begins', incarnation.unload.start)]),
      ...(incarnation.free === undefined ? [] : [evidence('the text is freed', incarnation.free)]),
      evidence(`the task faults: ${fault.message}`, fault),
    ],
  });
}
