/**
 * Trace Event Format, JSON, which Perfetto and Chrome open: a process for each module, with a track of its states, a
 * counter of its references, and a track for each task that takes or gives back one.
 */
import type { TimelineItem } from '../model/timeline.ts';
import { toJsonLine } from './json.ts';

/** @returns what to write for each item, one after the other; the `end` item closes the document */
export function createPerfettoWriter(): (item: TimelineItem) => string {
  const processes = new Map<string, { readonly pid: number; readonly tids: Map<string, number> }>();
  // Of processes and threads alike: a reader may take a thread that is numbered like a process for its main one.
  let ids = 0;
  let first = true;

  /** Before the first event of the document stands what opens it. */
  function written(events: readonly object[]): string {
    let text = '';
    for (const event of events) {
      text += `${first ? '{"displayTimeUnit":"ns","traceEvents":[\n' : ',\n'}${toJsonLine(event).trimEnd()}`;
      first = false;
    }
    return text;
  }

  function processOf(module: string, news: object[]) {
    let process = processes.get(module);
    if (process === undefined) {
      process = { pid: ++ids, tids: new Map() };
      processes.set(module, process);
      const name = module === '*' ? 'capture' : `module ${module}`;
      news.push({ ph: 'M', name: 'process_name', pid: process.pid, args: { name } });
      // They come last and stand first.
      for (const [index, first] of ['findings', 'state'].entries()) {
        const { pid, tid } = track(module, first, news);
        news.push({ ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: -1 - index } });
      }
    }
    return process;
  }

  function track(module: string, name: string, news: object[]): { pid: number; tid: number } {
    const { pid, tids } = processOf(module, news);
    let tid = tids.get(name);
    if (tid === undefined) {
      tid = ++ids;
      tids.set(name, tid);
      news.push({ ph: 'M', name: 'thread_name', pid, tid, args: { name } });
    }
    return { pid, tid };
  }

  function eventsOf(item: Exclude<TimelineItem, { type: 'end' }>): object[] {
    const events: object[] = [];
    switch (item.type) {
      case 'reference': {
        const { what, module, ns, task, site, cpu, context, refcnt, incarnation, pair, input, line } = item;
        const where = track(module, taskName(task), events);
        const args = { call_site: site, refcnt, incarnation, cpu, context, input, line };
        events.push({
          ph: 'X',
          cat: 'reference',
          name: `${what} ${site}`,
          ...where,
          ts: micros(ns),
          dur: 0,
          // Flow events ('s', 'f') are bound by track and time, which a get and its put may share.
          ...(pair === undefined ? {} : { bind_id: `0x${pair.toString(16)}`, [FLOW[what]]: true }),
          args,
        });
        return events;
      }
      case 'count': {
        const { pid } = processOf(item.module, events);
        events.push({ ph: 'C', name: 'references', pid, ts: micros(item.ns), args: { held: item.count } });
        return events;
      }
      case 'state': {
        const { module, state, incarnation, from, to } = item;
        const where = track(module, 'state', events);
        // Readers add a duration to the start, and round: states would overlap. Some know an end by all that began.
        const slice = { cat: 'state', name: state, ...where };
        const args = { incarnation };
        // Of one time, Perfetto takes the ends first: what begins and ends in it would never end.
        if (from === to) events.push({ ph: 'X', ts: micros(from), dur: 0, ...slice, args });
        else
          events.push({ ph: 'B', ts: micros(from), ...slice, args }, { ph: 'E', ts: micros(to), ...slice });
        return events;
      }
      case 'finding': {
        const { rule, severity, certainty, module, title, detail, fingerprint, at, fix } = item.finding;
        const where = track(module, 'findings', events);
        // Above the modules that are only busier.
        events.push({ ph: 'M', name: 'process_sort_index', pid: where.pid, args: { sort_index: -1 } });
        const args = { title, detail, certainty, fix: fix.text, fingerprint, input: at.input, line: at.line };
        events.push({
          ph: 'i',
          // Of a process, Perfetto would show it on a track of its own.
          s: 't',
          cat: 'finding',
          name: `${severity} ${rule}`,
          ...where,
          ts: micros(at.ns),
          args,
        });
        return events;
      }
      default:
        return item satisfies never;
    }
  }

  return (item) => {
    if (item.type !== 'end') return written(eventsOf(item));
    const { tool, inputs } = item;
    const opening = first ? '{"displayTimeUnit":"ns","traceEvents":[' : '';
    return `${opening}\n],"otherData":${toJsonLine({ tool, inputs }).trimEnd()}}\n`;
  };
}

const FLOW = { get: 'flow_out', put: 'flow_in' } as const;

function micros(ns: number): number {
  return ns / 1000;
}

function taskName({ comm, pid }: { readonly comm: string; readonly pid: number }): string {
  return `${comm}/${pid}`;
}
