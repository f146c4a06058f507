import type { Incarnation } from '../lifetime/changes.ts';
import type { Gap } from '../lifetime/count.ts';
import type { Loss } from '../lifetime/losses.ts';
import type { Event } from '../model/event.ts';
import { plural } from '../model/grouped.ts';
import type { Finding } from '../model/report.ts';
import { evidence, makeFinding, onCpu } from './make-finding.ts';
import type { Pass } from './pass.ts';

/** So many of one load are told one by one, as they are seen; a lossy source may have very many. */
const EACH = 16;

interface Gaps {
  told: number;
  /** Beyond those. */
  more: number;
  last: Gap;
}

/** Losses that the tracer tells, and those that only the count shows. */
export const traceGap: Pass = {
  rule: 'trace-gap',
  needs: ['module_get', 'module_put'],
  record: 'events/module',
  start(ledger, report) {
    const gaps = new Map<Incarnation, Gaps>();

    function tellMore(incarnation: Incarnation): void {
      const known = gaps.get(incarnation);
      gaps.delete(incarnation);
      if (known !== undefined && known.more > 0) report(andMore(incarnation, known));
    }

    return {
      on: {
        forgotten: ({ incarnation }) => tellMore(incarnation),
        gap({ incarnation, gap }) {
          const known = gaps.get(incarnation) ?? { told: 0, more: 0, last: gap };
          gaps.set(incarnation, known);
          known.last = gap;
          if (known.told === EACH) known.more += Math.abs(gap.delta);
          else {
            known.told++;
            report(missing(incarnation, gap));
          }
        },
      },
      end() {
        for (const incarnation of gaps.keys()) tellMore(incarnation);
        // What a store let go of was judged before.
        const losses = ledger.losses.filter(({ lost }) => lost.where !== 'let-go' && lost.where !== 'end');
        const first = losses[0];
        const at = first?.since ?? ledger.incarnations[0]?.first;
        if (first !== undefined && at !== undefined) report(told(losses, first, at));
        for (const { lost, after } of ledger.losses)
          if (lost.where === 'end' && after !== undefined) report(cutOff(lost, after));
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

function andMore(incarnation: Incarnation, { more, last }: Gaps): Finding {
  return makeFinding({
    rule: 'trace-gap',
    severity: 'note',
    certainty: 'observed',
    incarnation,
    title: `${more} more gets and puts of ${incarnation.module} missing, the last before line ${last.before.line}`,
    detail: `Its refcnt did not add up ${EACH} times before; the first of them are told one by one.`,
    culprit: { event: last.before },
    evidence: [evidence('the last refcnt that does not add up', last.before)],
  });
}

function told(losses: readonly Loss[], first: Loss, at: Event): Finding {
  const known = losses.reduce((sum, { lost }) => sum + (lost.count ?? 0), 0);
  const uncounted = losses.some(({ lost }) => lost.count === undefined);
  const count = known === 0 ? 'events' : `${uncounted ? 'at least ' : ''}${plural(known, 'event')}`;
  const times = losses.reduce((sum, loss) => sum + loss.times, 0);
  const again = times === 1 ? '' : ` and at ${times - 1} other places`;
  return makeFinding({
    rule: 'trace-gap',
    severity: 'note',
    certainty: 'observed',
    incarnation: { module: '*', nth: 0 },
    title: `${count} ${known === 1 ? 'was' : 'were'} lost: ${placeOf(first.lost)}${again}`,
    detail: 'No verdict that a lost event could overturn is given as more than possible.',
    culprit: { event: at },
    evidence: [evidence('the event read last before the first loss', at)],
  });
}

function cutOff({ line }: Loss['lost'], last: Event): Finding {
  return makeFinding({
    rule: 'trace-gap',
    severity: 'note',
    certainty: 'observed',
    incarnation: { module: '*', nth: 0 },
    title: `the file is cut off after line ${line}`,
    detail: 'No verdict that the rest of it could overturn is given as more than possible.',
    culprit: { event: last },
    evidence: [evidence('the event read last', last)],
    fix: {
      text: 'Fetch the file again, or pack it again: it ends before its end.',
      pattern: 'fetch it again',
    },
  });
}

function placeOf(lost: Loss['lost']): string {
  if (lost.where === 'head') return 'overwritten before the trace was read';
  if (lost.where === 'anywhere') return 'at places the tracer does not tell';
  return `${onCpu(lost).trimStart()} before line ${lost.line}`.trimStart();
}
