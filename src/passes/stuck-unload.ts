import type { Change, Incarnation, Unload } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { placeName } from '../lifetime/sites.ts';
import type { HungTaskEvent } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import { callName, doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';

type HungUnload = Extract<Change, { type: 'hung-unload' }>;

/** An unload takes milliseconds, and seconds under load; one that waits longer waits for something. */
const PATIENCE_NS = 2e9;

export const stuckUnload: Pass = {
  rule: 'stuck-unload',
  needs: ['syscall_enter', 'hung_task'],
  record: 'events/syscalls/sys_enter_delete_module and sys_exit_delete_module',
  start(ledger, report) {
    /** By task, the latest report: each repeats the one before, with more seconds. */
    const hung = new Map<number, HungUnload>();
    return {
      on: { 'hung-unload': (change) => hung.set(change.task.pid, change) },
      end() {
        for (const unload of ledger.underWay) {
          if (unload.enter === undefined || unload.free !== undefined) continue;
          const told = hung.get(unload.pid);
          const finding = judge(ledger, unload, told?.incarnation === unload.incarnation ? told : undefined);
          if (finding !== undefined) report(finding);
        }
        // With the calls recorded, an unload that is not under way came back.
        if (!ledger.sawUnloadCalls) for (const unload of hung.values()) report(judgeReport(unload));
      },
    };
  },
};

/** All there is without a trace of the call. */
function judgeReport({ task, incarnation, symbol }: HungUnload): Finding {
  return makeFinding({
    rule: 'stuck-unload',
    severity: 'warning',
    certainty: 'possible',
    because: 'the log does not tell whether it came back later',
    overturnedBy: 1,
    incarnation,
    title: `${who(task)} was blocked for more than ${task.seconds} s while it unloaded ${incarnation.module}`,
    detail: `The kernel's own watch on hung tasks found it waiting under ${symbol}(), called by delete_module. What it waits for the log does not tell; a trace with probes on the module's functions would.`,
    culprit: { symbol, event: task },
    evidence: [evidence(blocked(task), task)],
  });
}

function judge(ledger: Ledger, unload: Unload, hung: HungUnload | undefined): Finding | undefined {
  const incarnation = unload.incarnation;
  const last = ledger.last;
  if (incarnation === undefined || last === undefined || unload.enter === undefined) return undefined;
  // The kernel log's clock may be off from the trace's.
  const waited =
    hung !== undefined && last.input !== unload.enter.input
      ? hung.task.seconds * 1e9
      : ledger.now - unload.enter.ts;
  const patient = waited >= PATIENCE_NS;
  const files = ledger.files
    .opened()
    .filter((call) => call.entry.seq < unload.start.seq && ledger.inTextOf(call, incarnation));
  const own = files.find((call) => call.entry.pid === unload.pid);
  const holder = own ?? files[0];
  const exit = unload.exit;
  const inExit = exit !== undefined && exit.returned === undefined;
  // Then two events, not one, must have gone unrecorded if it came back after all.
  const confirmed = patient && (own !== undefined || (hung !== undefined && inExit));
  const unsure =
    doubt(ledger, incarnation, unload.enter, last) ??
    (confirmed ? undefined : `the capture ends ${duration(waited)} after it entered; it may yet come back`);
  const where = inExit ? `${callName(exit)} has not returned` : 'delete_module has not returned';
  const cause =
    own !== undefined
      ? ` The task that unloads is itself the holder: as ${who(own.entry)} it opened a file of ${incarnation.module} with ${callName(own)} and never closed it (stdin or another inherited descriptor), so the wait cannot end.`
      : holder !== undefined
        ? ` ${who(holder.entry)} still has a file of it open, since ${callName(holder)} at line ${holder.entry.line}.`
        : holders(incarnation);
  return makeFinding({
    rule: 'stuck-unload',
    severity: unsure === undefined ? 'error' : patient ? 'warning' : 'note',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    overturnedBy: confirmed ? 2 : 1,
    incarnation,
    title: `${who(unload.start)} ${patient ? `has been unloading ${incarnation.module} for ${duration(waited)} and does not come back` : `is still unloading ${incarnation.module} when the capture ends`}`,
    detail: `${where}.${hung === undefined ? '' : ` The kernel log says it was blocked for more than ${hung.task.seconds} s.`}${cause}${unload.identified === 'inferred' ? ` Which module it unloads is inferred: ${exit === undefined ? `${incarnation.module} is the only one it can be` : `${callName(exit)} ran in its task`}.` : ''}`,
    culprit: { symbol: holder?.name, code: holder?.entry.fn, event: unload.start },
    evidence: [
      ...(holder === undefined ? [] : [evidence(`${callName(holder)} enters`, holder.entry)]),
      evidence('delete_module enters', unload.enter),
      ...(exit === undefined ? [] : [evidence(`${callName(exit)} enters`, exit.entry)]),
      ...(hung === undefined ? [] : [evidence(blocked(hung.task), hung.task)]),
      ...(last === hung?.task ? [] : [evidence('the capture ends, still waiting', last)]),
    ],
  });
}

function blocked({ seconds }: HungTaskEvent): string {
  return `blocked for more than ${seconds} s`;
}

function holders(incarnation: Incarnation): string {
  const open = incarnation.references.open()[0];
  return open === undefined
    ? ' What it waits for was not recorded.'
    : ` ${placeName(open.taker)} holds a reference for ${who(open.get)}.`;
}
