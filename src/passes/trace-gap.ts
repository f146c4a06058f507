import type { Incarnation } from '../lifetime/changes.ts';
import type { Gap } from '../lifetime/count.ts';
import type { Loss } from '../lifetime/losses.ts';
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
        // What a store let go of was judged before.
        const losses = ledger.losses.filter(({ lost }) => lost.where !== 'let-go');
        const first = losses[0];
        const at = first?.since ?? ledger.incarnations[0]?.first;
        if (first !== undefined && at !== undefined) report(told(losses, first, at));
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
  const times = losses.reduce((sum, loss) => sum + loss.times, 0);
  const again = times === 1 ? '' : ` and at ${times - 1} other places`;
  return makeFinding({
    rule: 'trace-gap',
    severity: 'note',
    certainty: 'observed',
    incarnation: { module: '*', nth: 0 },
    title: `${count} were lost: ${placeOf(first.lost)}${again}`,
    detail: 'No verdict that a lost event could overturn is given as more than possible.',
    culprit: { event: at },
    evidence: [evidence('the event read last before the first loss', at)],
  });
}

function placeOf(lost: Loss['lost']): string {
  if (lost.where === 'head') return 'overwritten before the trace was read';
  if (lost.where === 'anywhere') return 'at places the tracer does not tell';
  return `${onCpu(lost).trimStart()} before line ${lost.line}`.trimStart();
}
