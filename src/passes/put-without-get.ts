import type { UnmatchedPut } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { placeName } from '../lifetime/sites.ts';
import type { Finding } from '../model/report.ts';
import { doubt, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';
import { unloadBegins } from './unload-story.ts';

/**
 * Both rules ask why a put has no get. Whether the module was going when the put came is often known only once
 * it is freed, so each asks again then, and at the end.
 */
function unmatchedPuts(rule: 'put-without-get' | 'put-after-failed-get'): Pass {
  return {
    rule,
    needs: ['module_put'],
    record: 'events/module/module_get and module_put, and a probe on try_module_get',
    start(ledger, report) {
      let waiting: UnmatchedPut[] = [];
      function decide(those: (put: UnmatchedPut) => boolean): void {
        const ready = waiting.filter(those);
        waiting = waiting.filter((put) => !those(put));
        const groups = new Map<string, UnmatchedPut[]>();
        for (const put of ready) {
          if (ruleFor(put) !== rule) continue;
          const key = `${put.incarnation.id} ${placeName(put.dropper)}`;
          const group = groups.get(key);
          if (group === undefined) groups.set(key, [put]);
          else group.push(put);
        }
        for (const group of groups.values()) report(finding(ledger, rule, group));
      }
      return {
        on: {
          'unmatched-put'(put) {
            // Puts of closed families have partners by construction; one alone means that the capture began late.
            if (!['tracer', 'dependency', 'init'].includes(put.family)) waiting.push(put);
          },
          freed: ({ incarnation }) => decide((put) => put.incarnation === incarnation),
        },
        end: () => decide(() => true),
      };
    },
  };
}

export const putWithoutGet = unmatchedPuts('put-without-get');
export const putAfterFailedGet = unmatchedPuts('put-after-failed-get');

function wasGoing(put: UnmatchedPut): boolean {
  const unload = put.incarnation.unload;
  return unload !== undefined && unload.start.seq < put.put.seq;
}

/** A get fails, and leaves no event, only when the module is going; a put with nothing taken then follows one. */
function ruleFor(put: UnmatchedPut): 'put-without-get' | 'put-after-failed-get' {
  // try_module_get fails only while the module is going, or once its count is zero.
  const couldFail = wasGoing(put) || put.put.refcnt === 0;
  if (put.failedGet !== undefined && couldFail) return 'put-after-failed-get';
  return wasGoing(put) && put.usersBefore <= 0 && put.family !== 'own'
    ? 'put-after-failed-get'
    : 'put-without-get';
}

function finding(ledger: Ledger, rule: UnmatchedRule, group: readonly UnmatchedPut[]): Finding {
  const first = group[0]!;
  const { put, incarnation, dropper, usersBefore, within, robbed } = first;
  const failedGet = rule === 'put-after-failed-get' ? first.failedGet : undefined;
  const place = placeName(dropper);
  const times = group.length === 1 ? '' : ` ${group.length} times`;
  const victim =
    robbed ??
    (usersBefore > 0 ? incarnation.references.open().find((open) => open.get.seq < put.seq) : undefined);
  const unsure =
    doubt(ledger, incarnation, incarnation.first, robbed?.put ?? put) ??
    (incarnation.load === undefined && put.refcnt > 0
      ? 'the capture begins after the module was loaded; the get may lie before it'
      : undefined);
  const unload = incarnation.unload;
  const isGoing = wasGoing(first);
  return makeFinding({
    rule,
    severity: unsure === undefined ? 'error' : 'note',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    // With somebody's reference out, an unseen get and an unseen put add up to the same count.
    overturnedBy: put.refcnt > 0 ? 2 : undefined,
    incarnation,
    title:
      rule === 'put-after-failed-get'
        ? `${place} put ${incarnation.module}${times} after its try_module_get had failed`
        : usersBefore > 0
          ? `${place} gave back a reference to ${incarnation.module}${times} that it never took`
          : `${place} put ${incarnation.module}${times} while nobody held it`,
    detail:
      rule === 'put-after-failed-get'
        ? failedGet !== undefined
          ? `${who(put)} entered try_module_get(), took nothing (no module_get followed), and called module_put() all the same; refcnt reads ${put.refcnt}.`
          : `${who(put)} called module_put() while ${incarnation.module} was going and nobody held it; refcnt reads ${put.refcnt}. That its get had failed is inferred: a failed get leaves no event.`
        : usersBefore > 0
          ? `refcnt reads ${put.refcnt} after it; of the ${usersBefore === 1 ? 'one reference' : `${usersBefore} references`} out before, none was this one's to give back.${victim === undefined ? '' : ` The one of ${placeName(victim.taker)} by ${who(victim.get)} is no longer counted.`}${robbed === undefined ? '' : ` ${who(put)} had given back its own before.`}`
          : `refcnt reads ${put.refcnt} after it; every reference taken so far had been given back.`,
    culprit: { code: dropper, event: put },
    evidence: [
      ...(isGoing && unload !== undefined ? unloadBegins(unload) : []),
      ...(victim === undefined ? [] : [evidence('takes a reference', victim.get, victim.taker)]),
      ...(within === undefined ? [] : [evidence(`enters ${within.name}()`, within.entry)]),
      ...(failedGet === undefined
        ? []
        : [evidence('try_module_get fails: no module_get follows', failedGet.attempt)]),
      evidence(usersBefore > 0 ? 'gives back what it did not take' : 'puts what nobody holds', put, dropper),
      ...(robbed?.put === undefined ? [] : [evidence('gives back what is gone', robbed.put)]),
    ].sort((a, b) => a.ns - b.ns),
  });
}

type UnmatchedRule = 'put-without-get' | 'put-after-failed-get';
