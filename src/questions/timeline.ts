/** What the ledger tells while a capture is read, as tracks over time. */
import type { Change, Incarnation } from '../lifetime/changes.ts';
import { placeName } from '../lifetime/sites.ts';
import type { ModuleRefEvent } from '../model/event.ts';
import type { TimelineItem } from '../model/timeline.ts';
import type { Analysis } from '../pipeline/analyze.ts';
import { extent, statesOf } from './dossier.ts';

export interface Timeline {
  change(change: Change): void;
  end(analysis: Analysis): void;
}

/** @param tell is told each piece as soon as it is known, so not in order of time */
export function createTimeline(tell: (item: TimelineItem) => void): Timeline {
  function reference({ module, nth }: Incarnation, event: ModuleRefEvent, pair: number | undefined): void {
    const { ts, comm, pid, cpu, context, callSite, refcnt, input, line } = event;
    tell({
      type: 'reference',
      what: event.kind === 'module_get' ? 'get' : 'put',
      module,
      incarnation: nth,
      ns: ts,
      task: { comm, pid },
      cpu,
      context,
      site: placeName(callSite),
      refcnt,
      pair,
      input,
      line,
    });
  }

  const count = ({ module, count: { users } }: Incarnation, ns: number) =>
    tell({ type: 'count', module, ns, count: users });

  /** @param end how long its last state has lasted, where it is not freed */
  function life(incarnation: Incarnation, end: number): void {
    const { module, nth } = incarnation;
    const states = statesOf(incarnation);
    for (const [index, { state, event }] of states.entries()) {
      if (state === 'freed') continue;
      const to = Math.max(event.ts, states[index + 1]?.event.ts ?? end);
      tell({ type: 'state', module, incarnation: nth, state, from: event.ts, to });
    }
  }

  return {
    change(change) {
      switch (change.type) {
        case 'loaded':
          tell({ type: 'count', module: change.event.module, ns: change.event.ts, count: 0 });
          return;
        case 'taken':
          reference(change.incarnation, change.reference.get, change.reference.get.seq);
          count(change.incarnation, change.reference.get.ts);
          return;
        case 'given-back': {
          const { incarnation, reference: taken } = change;
          const put = taken.put!;
          reference(incarnation, put, taken.get.seq);
          count(incarnation, put.ts);
          return;
        }
        case 'unmatched-put':
          reference(change.incarnation, change.put, undefined);
          count(change.incarnation, change.put.ts);
          return;
        case 'gap':
          count(change.incarnation, change.gap.before.ts);
          return;
        case 'forgotten':
          life(change.incarnation, change.incarnation.last.ts);
          return;
        case 'freed': {
          const { incarnation, unload } = change;
          if (unload.free !== undefined)
            tell({ type: 'count', module: incarnation.module, ns: unload.free.ts, count: 0 });
          return;
        }
      }
    },

    end({ report, engine }) {
      const [, to] = extent(report.inputs, engine.ledger.now);
      for (const incarnation of engine.ledger.incarnations) life(incarnation, to);
      for (const finding of report.findings) tell({ type: 'finding', finding });
      tell({ type: 'end', tool: report.tool, inputs: report.inputs });
    },
  };
}
