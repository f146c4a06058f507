import { evidence, makeFinding } from './make-finding.ts';
import type { Pass } from './pass.ts';

/** Only what the count itself shows; losses that the tracer tells are in the document's inputs. */
export const traceGap: Pass = {
  rule: 'trace-gap',
  needs: ['module_get', 'module_put'],
  record: 'events/module',
  start(_ledger, report) {
    return {
      change(change) {
        if (change.type !== 'gap') return;
        const { incarnation, gap } = change;
        const [missing, what] = gap.delta > 0 ? [gap.delta, 'get'] : [-gap.delta, 'put'];
        const events = `${missing} ${what}${missing === 1 ? '' : 's'}`;
        report(
          makeFinding({
            rule: 'trace-gap',
            severity: 'note',
            certainty: 'observed',
            incarnation,
            title: `${events} of ${incarnation.module} missing before line ${gap.before.line}`,
            detail: `refcnt reads ${gap.before.refcnt} at line ${gap.before.line}, which the events before it do not add up to; verdicts about ${incarnation.module} are weaker for it.`,
            culprit: { event: gap.before },
            evidence: [
              ...(gap.after === undefined ? [] : [evidence('the last refcnt that adds up', gap.after)]),
              evidence('the first that does not', gap.before),
            ],
          }),
        );
      },
    };
  },
};
