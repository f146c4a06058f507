import type { Incarnation } from '../lifetime/changes.ts';
import type { Gap } from '../lifetime/count.ts';
import type { Loss } from '../lifetime/ledger.ts';
import type { Event } from '../model/event.ts';
import type { Finding } from '../model/report.ts';
import { evidence, makeFinding, onCpu } from './make-finding.ts';
import type { Pass } from './pass.ts';

/** Losses that the tracer tells, and those that only the count shows. */
export const traceGap: Pass = {
  rule: 'trace-gap',
  needs: ['module_get', 'module_put'],
  record: 'events/module',
  start(ledger, report) {
    return {
      change(change) {
        if (change.type === 'gap') report(missing(change.incarnation, change.gap));
      },
      end() {
        const first = ledger.losses[0];
        const at = first?.after ?? ledger.incarnations[0]?.first;
        if (first !== undefined && at !== undefined) report(told(ledger.losses, first, at));
      },
    };
  },
};

function missing(incarnation: Incarnation, gap: Gap): Finding {
  const [count, what] = gap.delta > 0 ? [gap.delta, 'get'] : [-gap.delta, 'put'];
  return makeFinding({
    rule: 'trace-gap',
    severity: 'note',
    certainty: 'observed',
    incarnation,
    title: `${count} ${what}${count === 1 ? '' : 's'} of ${incarnation.module} missing before line ${gap.before.line}`,
    detail: `refcnt reads ${gap.before.refcnt} at line ${gap.before.line}, which the events before it do not add up to; verdicts about ${incarnation.module} are weaker for it.`,
    culprit: { event: gap.before },
    evidence: [
      ...(gap.after === undefined ? [] : [evidence('the last refcnt that adds up', gap.after)]),
      evidence('the first that does not', gap.before),
    ],
  });
}

function told(losses: readonly Loss[], first: Loss, at: Event): Finding {
  const known = losses.reduce((sum, { lost }) => sum + (lost.count ?? 0), 0);
  const uncounted = losses.some(({ lost }) => lost.count === undefined);
  const count = known === 0 ? 'events' : `${uncounted ? 'at least ' : ''}${known} events`;
  const places: Record<Loss['lost']['where'], string> = {
    before: `${onCpu(first.lost).trimStart()} before line ${first.lost.line}`.trimStart(),
    head: 'overwritten before the trace was read',
    anywhere: 'at places the tracer does not tell',
  };
  const again = losses.length === 1 ? '' : ` and at ${losses.length - 1} other places`;
  return makeFinding({
    rule: 'trace-gap',
    severity: 'note',
    certainty: 'observed',
    incarnation: { module: '*', nth: 0 },
    title: `${count} were lost: ${places[first.lost.where]}${again}`,
    detail: 'No verdict that a lost event could overturn is given as more than possible.',
    culprit: { event: at },
    evidence: [evidence('the event read last before the first loss', at)],
  });
}
