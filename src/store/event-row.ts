/**
 * An event as a row and back. What differs between two events of one kind and place is in the row; the rest is
 * its shape (schema.ts). Both directions stand here so that they stay each other's inverse.
 */
import { assertNever } from '../model/assert-never.ts';
import type {
  Code,
  Event,
  EventKind,
  ExecContext,
  FaultEvent,
  ModuleSyscall,
  ModuleTextEvent,
} from '../model/event.ts';

/** What a shape says, ids resolved. */
export interface Shape {
  readonly input: number;
  readonly kind: EventKind;
  readonly context: ExecContext;
  readonly module: string | null;
  readonly code: Code | undefined;
  readonly name: string | null;
}

/** Ids of what is kept in tables of its own. */
export interface Interner {
  code(input: number, code: Code): number;
  object(text: string): number;
}

/** The way back. */
export interface Lookup {
  task(id: number): { readonly pid: number; readonly comm: string };
  shape(id: number): Shape;
  code(id: number): Code;
  object(id: number): string;
  stack(id: number): readonly string[];
}

/** A row of event_rows, in the order of its columns. */
export type EventRow = readonly [
  seq: number,
  ts: number,
  line: number,
  cpu: number,
  task: number,
  shape: number,
  value: number | null,
  stack: number | null,
  detail: string | null,
];

export function eventCode(event: Event): Code | undefined {
  switch (event.kind) {
    case 'module_get':
    case 'module_put':
    case 'module_request':
      return event.callSite;
    case 'kernel_fault':
      return event.at;
    case 'module_load':
    case 'module_free':
    case 'syscall_enter':
    case 'syscall_exit':
    case 'sched_waking':
    case 'sched_wakeup':
    case 'sched_process_exit':
    case 'sched_process_exec':
    case 'sched_kthread_stop':
    case 'sched_kthread_stop_ret':
    case 'hung_task':
    case 'module_text':
      return undefined;
    default:
      return event.fn;
  }
}

export function eventModule(event: Event): string | null {
  switch (event.kind) {
    case 'module_get':
    case 'module_put':
    case 'module_load':
    case 'module_free':
    case 'module_text':
      return event.module;
    case 'syscall_enter':
      return event.module ?? null;
    default:
      return null;
  }
}

export function eventName(event: Event): string | null {
  switch (event.kind) {
    case 'module_load':
      return event.taints;
    case 'module_request':
      return event.alias;
    case 'function_entry':
    case 'function_return':
      return event.probe;
    case 'syscall_enter':
    case 'syscall_exit':
      return event.syscall;
    case 'kernel_fault':
      return event.what;
    case 'workqueue_queue_work':
      return event.queue ?? null;
    default:
      return null;
  }
}

export function eventValue(event: Event, intern: Interner): number | null {
  switch (event.kind) {
    case 'module_get':
    case 'module_put':
      return event.refcnt;
    case 'sched_waking':
    case 'sched_wakeup':
    case 'sched_process_exit':
    case 'sched_process_exec':
    case 'sched_kthread_stop':
    case 'sched_kthread_stop_ret':
      return event.target;
    case 'module_load':
    case 'module_free':
    case 'kernel_fault':
    case 'module_text':
      return null;
    case 'hung_task':
      return event.seconds;
    case 'module_request':
      return event.wait ? 1 : 0;
    case 'function_entry':
      return event.printed === undefined ? null : intern.code(event.input, event.printed);
    case 'function_return':
      return event.caller === undefined ? null : intern.code(event.input, event.caller);
    case 'syscall_enter':
      return event.flags ?? null;
    case 'syscall_exit':
      return event.ret;
    default:
      return intern.object(event.object);
  }
}

export function eventDetail(event: Event): string | null {
  switch (event.kind) {
    case 'function_entry':
    case 'function_return':
      for (const _ in event.args) return JSON.stringify(event.args);
      return null;
    case 'kernel_fault':
      return JSON.stringify({
        message: event.message,
        address: event.address,
        lastUnloaded: event.lastUnloaded,
      });
    case 'module_text':
      return JSON.stringify({ place: event.place, functions: event.functions });
    default:
      return null;
  }
}

export function toEvent(row: EventRow, lookup: Lookup): Event {
  const event = withoutStack(row, lookup);
  const stack = row[7];
  if (stack !== null) event.stack = lookup.stack(stack);
  return event;
}

/** Every field is spelt out: spreading a common part makes an event fifty times dearer (V8 of Node 20). */
function withoutStack(row: EventRow, lookup: Lookup): Event {
  const [seq, ts, line, cpu, task, shape, value, , detail] = row;
  const { pid, comm } = lookup.task(task);
  const { kind, input, context, module, code, name } = lookup.shape(shape);
  switch (kind) {
    case 'module_get':
    case 'module_put':
      return {
        kind,
        seq,
        input,
        line,
        ts,
        cpu,
        pid,
        comm,
        context,
        module: module!,
        callSite: code!,
        refcnt: value!,
      };
    case 'sched_waking':
    case 'sched_wakeup':
    case 'sched_process_exit':
    case 'sched_process_exec':
    case 'sched_kthread_stop':
    case 'sched_kthread_stop_ret':
      return { kind, seq, input, line, ts, cpu, pid, comm, context, target: value! };
    case 'timer_start':
    case 'timer_cancel':
    case 'timer_expire_entry':
    case 'timer_expire_exit':
    case 'hrtimer_start':
    case 'hrtimer_cancel':
    case 'hrtimer_expire_entry':
    case 'hrtimer_expire_exit':
    case 'workqueue_queue_work':
    case 'workqueue_execute_start':
    case 'workqueue_execute_end':
    case 'sched_kthread_work_queue_work':
    case 'sched_kthread_work_execute_start':
    case 'sched_kthread_work_execute_end':
    case 'rcu_callback':
    case 'rcu_invoke_callback': {
      const object = lookup.object(value!);
      if (code === undefined) return { kind, seq, input, line, ts, cpu, pid, comm, context, object };
      if (name === null || name === undefined) {
        return { kind, seq, input, line, ts, cpu, pid, comm, context, object, fn: code };
      }
      return { kind, seq, input, line, ts, cpu, pid, comm, context, object, fn: code, queue: name };
    }
    case 'function_entry': {
      const args = argsOf(detail);
      if (value === null)
        return { kind, seq, input, line, ts, cpu, pid, comm, context, fn: code!, probe: name!, args };
      const printed = lookup.code(value);
      return { kind, seq, input, line, ts, cpu, pid, comm, context, fn: code!, printed, probe: name!, args };
    }
    case 'function_return': {
      const args = argsOf(detail);
      if (value === null)
        return { kind, seq, input, line, ts, cpu, pid, comm, context, fn: code!, probe: name!, args };
      const caller = lookup.code(value);
      return { kind, seq, input, line, ts, cpu, pid, comm, context, fn: code!, probe: name!, caller, args };
    }
    case 'syscall_enter': {
      const syscall = name as ModuleSyscall;
      return {
        kind,
        seq,
        input,
        line,
        ts,
        cpu,
        pid,
        comm,
        context,
        syscall,
        ...(value !== null && { flags: value }),
        ...(module !== null && { module }),
      };
    }
    case 'syscall_exit':
      return {
        kind,
        seq,
        input,
        line,
        ts,
        cpu,
        pid,
        comm,
        context,
        syscall: name as ModuleSyscall,
        ret: value!,
      };
    case 'module_load':
      return { kind, seq, input, line, ts, cpu, pid, comm, context, module: module!, taints: name! };
    case 'module_free':
      return { kind, seq, input, line, ts, cpu, pid, comm, context, module: module! };
    case 'module_request':
      return {
        kind,
        seq,
        input,
        line,
        ts,
        cpu,
        pid,
        comm,
        context,
        alias: name!,
        wait: value === 1,
        callSite: code!,
      };
    case 'kernel_fault': {
      const { message, address, lastUnloaded } = JSON.parse(detail!) as Pick<
        FaultEvent,
        'message' | 'address' | 'lastUnloaded'
      >;
      return {
        kind,
        seq,
        input,
        line,
        ts,
        cpu,
        pid,
        comm,
        context,
        what: name as 'oops' | 'warn',
        message,
        ...(address !== undefined && { address }),
        ...(lastUnloaded !== undefined && { lastUnloaded }),
        ...(code !== undefined && { at: code }),
      };
    }
    case 'hung_task':
      return { kind, seq, input, line, ts, cpu, pid, comm, context, seconds: value! };
    case 'module_text': {
      const { place, functions } = JSON.parse(detail!) as Pick<ModuleTextEvent, 'place' | 'functions'>;
      return {
        kind,
        seq,
        input,
        line,
        ts,
        cpu,
        pid,
        comm,
        context,
        module: module!,
        functions,
        ...(place !== undefined && { place }),
      };
    }
    default:
      return assertNever(kind);
  }
}

function argsOf(detail: string | null): Record<string, string> {
  return detail === null ? {} : (JSON.parse(detail) as Record<string, string>);
}
