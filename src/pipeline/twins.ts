/**
 * What several captures tell of the same event is told once: the same buffer read as `trace` and as `trace_pipe`, the
 * same file twice, two tracers at work at the same time.
 */
import type { Event } from '../model/event.ts';
import { TWINS } from './align.ts';

export interface TwinFilter {
  /** Whether another capture told of this event before. Events come in time order. */
  isTold(event: Event): boolean;
}

interface Told {
  readonly event: Event;
  /** Inputs that told of it. */
  readonly by: number[];
}

export function createTwinFilter(): TwinFilter {
  /** By kind and task, oldest first: events whose twins may still come. */
  const recent = new Map<string, Told[]>();
  let swept = Number.NEGATIVE_INFINITY;

  /** Tasks come and go; what they did last would stay. */
  function sweep(now: number): void {
    if (now - swept < 100 * TWINS) return;
    swept = now;
    for (const [key, events] of recent) if (now - events.at(-1)!.event.ts > TWINS) recent.delete(key);
  }

  return {
    isTold(event) {
      if (event.pid < 0) return false;
      sweep(event.ts);
      const key = `${event.kind} ${event.pid}`;
      const events = recent.get(key);
      if (events === undefined) {
        recent.set(key, [{ event, by: [event.input] }]);
        return false;
      }
      let old = 0;
      while (old < events.length && event.ts - events[old]!.event.ts > TWINS) old++;
      if (old > 0) events.splice(0, old);
      const twin = events.find(({ event: other, by }) => !by.includes(event.input) && areAlike(other, event));
      if (twin === undefined) events.push({ event, by: [event.input] });
      else twin.by.push(event.input);
      return twin !== undefined;
    },
  };
}

/** Of the same kind and task, at the same time: is it the same event? A symbol may have been looked up too late. */
function areAlike(a: Event, b: Event): boolean {
  switch (a.kind) {
    case 'module_load':
    case 'module_free':
    case 'module_get':
    case 'module_put':
      return 'module' in b && a.module === b.module;
    case 'module_request':
      return b.kind === a.kind && a.alias === b.alias;
    case 'function_entry':
    case 'function_return':
      return b.kind === a.kind && (a.probe === b.probe || a.fn.symbol === b.fn.symbol);
    case 'syscall_enter':
    case 'syscall_exit':
      return 'syscall' in b && a.syscall === b.syscall;
    case 'kernel_fault':
      return b.kind === a.kind && a.what === b.what && a.message === b.message;
    case 'hung_task':
      return true;
    case 'module_text':
      return false;
    case 'sched_waking':
    case 'sched_wakeup':
    case 'sched_process_exit':
    case 'sched_process_exec':
    case 'sched_kthread_stop':
    case 'sched_kthread_stop_ret':
      return 'target' in b && a.target === b.target;
    default:
      return 'object' in b && (a.object === b.object || (a.fn !== undefined && a.fn.symbol === b.fn?.symbol));
  }
}
