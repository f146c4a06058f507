/** Unloads that met references: text freed under holders, and rmmod refused because of them. */
import type { Incarnation } from '../lifetime/changes.ts';
import { placeName } from '../lifetime/sites.ts';
import { isForced } from '../lifetime/unloading.ts';
import { doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';

const EWOULDBLOCK = -11;
const EBUSY = -16;

export const forcedUnload: Pass = {
  rule: 'forced-unload',
  needs: ['module_free'],
  record: 'events/module',
  start(ledger, report) {
    return {
      on: {
        freed({ incarnation, unload, outstanding, usersAtFree }) {
          if (incarnation.initFailed || usersAtFree <= 0) return;
          const forced = isForced(unload);
          // Unforced, the kernel frees at zero only: what is missing then is a put in the trace, not a holder's.
          if (unload.enter?.flags !== undefined && !forced) return;
          // Where system calls are recorded, a free without one is the clean-up after an init that failed.
          if (unload.enter === undefined && ledger.sawUnloadCalls) return;
          if (outstanding.length > 0 && outstanding.every(({ family }) => family === 'tracer')) return;
          const holder = outstanding.find(({ family }) => family !== 'tracer') ?? outstanding[0];
          const gap = doubt(ledger, incarnation, incarnation.first, unload.free);
          const unsure =
            gap ??
            (forced || usersAtFree > 1
              ? undefined
              : 'the system call was not recorded; one unrecorded put would explain it as well');
          report(
            makeFinding({
              rule: 'forced-unload',
              severity: gap !== undefined ? 'note' : unsure === undefined ? 'error' : 'warning',
              certainty: unsure === undefined ? 'observed' : 'possible',
              because: unsure,
              overturnedBy: forced ? undefined : usersAtFree,
              incarnation,
              title: `${incarnation.module} was freed while ${usersAtFree} reference${usersAtFree === 1 ? ' was' : 's were'} out`,
              detail: `${who(unload.free!)} freed it${forced ? ' by force (O_TRUNC)' : ''}${holder === undefined ? '' : ` although ${placeName(holder.taker)} held it for ${who(holder.get)} since ${duration(unload.free!.ts - holder.get.ts)}`}.`,
              culprit: { code: holder?.taker, event: holder?.get ?? unload.free! },
              evidence: [
                ...outstanding.slice(0, 4).map((held) => evidence('takes a reference', held.get, held.taker)),
                ...(unload.enter === undefined
                  ? []
                  : [evidence(forced ? 'delete_module by force' : 'delete_module', unload.enter)]),
                evidence('the text is freed', unload.free!),
              ],
            }),
          );
        },
      },
    };
  },
};

export const busyUnload: Pass = {
  rule: 'busy-unload',
  needs: ['syscall_exit'],
  record: 'events/syscalls/sys_enter_delete_module and sys_exit_delete_module',
  start(ledger, report) {
    return {
      on: {
        'unload-refused'({ unload, exit }) {
          if (exit.ret !== EWOULDBLOCK && exit.ret !== EBUSY) return;
          const held = ledger.incarnations.filter(
            ({ state, count }) => (state === 'live' || state === 'coming') && count.users > 0,
          );
          const incarnation = unload.incarnation ?? mostLikely(held);
          if (incarnation === undefined) return;
          const holders = incarnation.references.open();
          report(
            makeFinding({
              rule: 'busy-unload',
              severity: 'note',
              certainty: unload.incarnation === undefined ? 'possible' : 'observed',
              because:
                unload.incarnation === undefined
                  ? `the system call does not tell the name; ${held.length === 1 ? 'this is the only module in use' : `of ${held.length} modules in use this was loaded last`}`
                  : undefined,
              incarnation,
              title: `${who(exit)} could not unload ${incarnation.module}: ${incarnation.count.users} reference${incarnation.count.users === 1 ? '' : 's'} out`,
              detail:
                holders.length === 0
                  ? 'They were taken before the capture began.'
                  : `Held by ${holders
                      .slice(0, 3)
                      .map(
                        (held) =>
                          `${placeName(held.taker)} for ${who(held.get)} since ${duration(exit.ts - held.get.ts)}`,
                      )
                      .join(', ')}${holders.length > 3 ? ` and ${holders.length - 3} more` : ''}.`,
              culprit: { code: holders[0]?.taker, event: holders[0]?.get ?? exit },
              evidence: [
                ...holders.slice(0, 4).map((held) => evidence('takes a reference', held.get, held.taker)),
                evidence(`delete_module returns ${exit.ret}`, exit),
              ],
            }),
          );
        },
      },
    };
  },
};

/** Of several that are in use: who unloads in a capture has mostly loaded in it, too. */
function mostLikely(held: readonly Incarnation[]): Incarnation | undefined {
  return held.findLast(({ load }) => load !== undefined) ?? (held.length === 1 ? held[0] : undefined);
}
