/**
 * What several captures tell of the same event is told once: the same buffer read as `trace` and as `trace_pipe`, the
 * same file twice, two tracers at work at the same time.
 */
import type { Event, Nanoseconds } from '../model/event.ts';
import { TWINS } from './align.ts';

export interface TwinFilter {
  /** Whether another capture told of this event before. Events come in time order. */
  isTold(event: Event): boolean;
}

interface Told {
  readonly ts: Nanoseconds;
  /** Inputs that told of it. */
  readonly by: number[];
}

/** Events that are alike and whose twins may still come, oldest first. */
interface Row {
  readonly events: Told[];
  /** So many were dropped before the first of `events`. */
  dropped: number;
  /** By input: it told of all before this one, counted from the first ever. However many events a moment has, none is
   *  looked at twice for one input. */
  readonly untold: number[];
}

export function createTwinFilter(): TwinFilter {
  const rows = new Map<string, Row>();
  let swept = Number.NEGATIVE_INFINITY;

  /** Tasks and objects come and go; what was last told of them would stay. */
  function sweep(now: number): void {
    if (now - swept < 100 * TWINS) return;
    swept = now;
    for (const [name, { events }] of rows) if (now - events.at(-1)!.ts > TWINS) rows.delete(name);
  }

  /** The oldest in the row that this input has not told of yet. */
  function twinIn(row: Row | undefined, event: Event): Told | undefined {
    if (row === undefined) return undefined;
    let at = Math.max(0, (row.untold[event.input] ?? 0) - row.dropped);
    for (; at < row.events.length; at++) {
      const { ts, by } = row.events[at]!;
      if (event.ts - ts <= TWINS && !by.includes(event.input)) break;
    }
    row.untold[event.input] = row.dropped + at;
    return row.events[at];
  }

  function add(name: string, told: Told): void {
    const row = rows.get(name);
    if (row === undefined) {
      rows.set(name, { events: [told], dropped: 0, untold: [] });
      return;
    }
    const { events } = row;
    events.push(told);
    // Half at once, so that what is dropped costs as much as what came.
    const half = events.length >> 1;
    if (told.ts - events[half]!.ts <= TWINS) return;
    events.splice(0, half);
    row.dropped += half;
  }

  return {
    isTold(event) {
      if (event.pid < 0) return false;
      sweep(event.ts);
      const names = likenesses(event).map((likeness) => `${event.kind} ${event.pid} ${likeness}`);
      let twin: Told | undefined;
      for (const name of names) {
        const found = twinIn(rows.get(name), event);
        if (found !== undefined && (twin === undefined || found.ts < twin.ts)) twin = found;
      }
      if (twin !== undefined) {
        twin.by.push(event.input);
        return true;
      }
      const told = { ts: event.ts, by: [event.input] };
      for (const name of names) add(name, told);
      return false;
    },
  };
}

/** Events of one kind and task at one time are the same if one of these is: a symbol may have been looked up too late. */
function likenesses(event: Event): readonly string[] {
  switch (event.kind) {
    case 'module_load':
    case 'module_free':
    case 'module_get':
    case 'module_put':
      return [event.module];
    case 'module_request':
      return [event.alias];
    case 'function_entry':
    case 'function_return':
      return [`probe ${event.probe}`, `symbol ${event.fn.symbol}`];
    case 'syscall_enter':
    case 'syscall_exit':
      return [event.syscall];
    case 'kernel_fault':
      return [`${event.what} ${event.message}`];
    case 'hung_task':
      return [''];
    case 'module_text':
      return [];
    case 'sched_waking':
    case 'sched_wakeup':
    case 'sched_process_exit':
    case 'sched_process_exec':
    case 'sched_kthread_stop':
    case 'sched_kthread_stop_ret':
      return [`${event.target}`];
    default:
      return [`object ${event.object}`, ...(event.fn === undefined ? [] : [`symbol ${event.fn.symbol}`])];
  }
}
