import type { Incarnation, Unload } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { placeName } from '../lifetime/sites.ts';
import type { Finding } from '../model/report.ts';
import { callName, doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';

/** An unload takes milliseconds, and seconds under load; one that waits longer waits for something. */
const PATIENCE_NS = 2e9;

export const stuckUnload: Pass = {
  rule: 'stuck-unload',
  needs: ['syscall_enter'],
  record: 'events/syscalls/sys_enter_delete_module and sys_exit_delete_module',
  start(ledger, report) {
    return {
      change() {},
      end() {
        for (const unload of ledger.underWay) {
          if (unload.enter === undefined || unload.free !== undefined) continue;
          const finding = judge(ledger, unload);
          if (finding !== undefined) report(finding);
        }
      },
    };
  },
};

function judge(ledger: Ledger, unload: Unload): Finding | undefined {
  const incarnation = unload.incarnation;
  const last = ledger.last;
  if (incarnation === undefined || last === undefined || unload.enter === undefined) return undefined;
  const waited = ledger.now - unload.enter.ts;
  const patient = waited >= PATIENCE_NS;
  const files = ledger.files
    .opened()
    .filter((call) => call.entry.seq < unload.start.seq && ledger.inTextOf(call, incarnation));
  const own = files.find((call) => call.entry.pid === unload.pid);
  const holder = own ?? files[0];
  const unsure =
    doubt(ledger, incarnation, unload.enter, last) ??
    (patient && own !== undefined
      ? undefined
      : `the capture ends ${duration(waited)} after it entered; it may yet come back`);
  const exit = unload.exit;
  const where =
    exit === undefined || exit.returned !== undefined
      ? 'delete_module has not returned'
      : `${callName(exit)} has not returned`;
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
    incarnation,
    title: `${who(unload.start)} has been unloading ${incarnation.module} for ${duration(waited)} and does not come back`,
    detail: `${where}.${cause}${unload.identified === 'inferred' ? ` Which module it unloads is inferred: ${incarnation.module} is the only one it can be.` : ''}`,
    culprit: { symbol: holder?.name, code: holder?.entry.fn, event: unload.start },
    evidence: [
      ...(holder === undefined ? [] : [evidence(`${callName(holder)} enters`, holder.entry)]),
      evidence('delete_module enters', unload.enter),
      ...(exit === undefined ? [] : [evidence(`${callName(exit)} enters`, exit.entry)]),
      evidence('the capture ends, still waiting', last),
    ],
  });
}

function holders(incarnation: Incarnation): string {
  const open = incarnation.references.open()[0];
  return open === undefined
    ? ' What it waits for was not recorded.'
    : ` ${placeName(open.taker)} holds a reference for ${who(open.get)}.`;
}
