/** Unloads that met references: text freed under holders, and rmmod refused because of them. */
import type { Incarnation } from '../lifetime/changes.ts';
import type { Reference } from '../lifetime/references.ts';
import { placeName } from '../lifetime/sites.ts';
import { isForced, isInUse } from '../lifetime/unloading.ts';
import type { SyscallExitEvent } from '../model/event.ts';
import { grouped } from '../model/grouped.ts';
import type { Finding } from '../model/report.ts';
import { doubt, duration, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';

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
              detail: `${who(unload.free!)} freed it${forced ? ' by force (O_TRUNC)' : ''}${holder === undefined ? '' : ` although ${holderName(holder)} held it for ${duration(unload.free!.ts - holder.get.ts)}`}.`,
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

/** Refusals of a load that had the same to tell. */
interface Again {
  times: number;
  exit: SyscallExitEvent;
  /** Why it may have been another module. */
  readonly unsure: string | undefined;
}

export const busyUnload: Pass = {
  rule: 'busy-unload',
  needs: ['syscall_exit'],
  record: 'events/syscalls/sys_enter_delete_module and sys_exit_delete_module',
  start(ledger, report) {
    /** By the place that its oldest reference was taken at; a script may try very many times. */
    const told = new Map<Incarnation, Map<string, Again>>();

    function tellAgain(incarnation: Incarnation): void {
      for (const [place, again] of told.get(incarnation) ?? [])
        if (again.times > 0) report(refusedAgain(incarnation, place, again));
      told.delete(incarnation);
    }

    return {
      on: {
        forgotten: ({ incarnation }) => tellAgain(incarnation),
        'unload-refused'({ unload, exit }) {
          if (!isInUse(exit)) return;
          const held = ledger.incarnations.filter(
            ({ state, count }) => (state === 'live' || state === 'coming') && count.users > 0,
          );
          const incarnation = unload.incarnation ?? mostLikely(held);
          if (incarnation === undefined) return;
          const holders = incarnation.references.open();
          const places = told.get(incarnation) ?? new Map<string, Again>();
          told.set(incarnation, places);
          const place = holders[0] === undefined ? '' : placeName(holders[0].taker);
          const before = places.get(place);
          if (before !== undefined) {
            before.times++;
            before.exit = exit;
            return;
          }
          const unsure =
            unload.incarnation === undefined
              ? `the system call does not tell the name; ${held.length === 1 ? 'this is the only module in use' : `of ${held.length} modules in use this was loaded last`}`
              : undefined;
          places.set(place, { times: 0, exit, unsure });
          const { users } = incarnation.count;
          report(
            makeFinding({
              rule: 'busy-unload',
              severity: 'note',
              certainty: unsure === undefined ? 'observed' : 'possible',
              because: unsure,
              incarnation,
              title: `${who(exit)} could not unload ${incarnation.module}: ${users > 0 ? `${users} reference${users === 1 ? '' : 's'} out` : 'its holder was not recorded'}`,
              detail: heldBy(incarnation, exit),
              culprit: { code: holders[0]?.taker, event: holders[0]?.get ?? exit },
              evidence: [
                ...holders.slice(0, 4).map((held) => evidence('takes a reference', held.get, held.taker)),
                evidence(`delete_module returns ${exit.ret}`, exit),
              ],
            }),
          );
        },
      },
      end() {
        for (const incarnation of [...told.keys()]) tellAgain(incarnation);
      },
    };
  },
};

function heldBy(incarnation: Incarnation, exit: SyscallExitEvent): string {
  const holders = incarnation.references.open();
  if (holders.length === 0)
    return incarnation.load === undefined
      ? 'They were taken before the capture began.'
      : 'No reference of this load was seen that was out.';
  const few = holders.slice(0, 3).map((held) => `${holderName(held)} for ${duration(exit.ts - held.get.ts)}`);
  const more = holders.length > few.length ? ` and ${holders.length - few.length} more` : '';
  return `Held by ${few.join(', ')}${more}.`;
}

function refusedAgain(incarnation: Incarnation, place: string, { times, exit, unsure }: Again): Finding {
  return makeFinding({
    rule: 'busy-unload',
    severity: 'note',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    incarnation,
    title: `${incarnation.module} could not be unloaded ${grouped(times)} more time${times === 1 ? '' : 's'}, the last by ${who(exit)}`,
    detail: `${times === 1 ? 'Once more' : `The last of ${grouped(times)} more times`}, ${place === '' ? 'its holder was not recorded' : `held by what ${place} took, as before`}.`,
    culprit: { symbol: place === '' ? undefined : place, event: exit },
    evidence: [evidence(`delete_module returns ${exit.ret}`, exit)],
  });
}

/** The task, and the function that took it. */
function holderName({ get, taker }: Reference): string {
  return `${who(get)} through ${placeName(taker)}`;
}

/** Of several that are in use: who unloads in a capture has mostly loaded in it, too. */
function mostLikely(held: readonly Incarnation[]): Incarnation | undefined {
  return held.findLast(({ load }) => load !== undefined) ?? (held.length === 1 ? held[0] : undefined);
}
