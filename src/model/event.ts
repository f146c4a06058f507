/**
 * What a kernel says, one record at a time. Kinds are spelt as the tracepoint or, for probes people define
 * themselves, as what the probe did: a function was entered, a function returned.
 */

/** Nanoseconds on the capture's clock. Exact up to 2^53 ns, i.e. 104 days of uptime; past that it rounds to
 *  2 ns and `seq` keeps the order. On a clock that does not tell time (`counter`, `x86-tsc`) it is that
 *  clock's own unit, and `InputSummary.clock` says `ticks`. */
export type Nanoseconds = number;

/** Where the CPU was, from ftrace's third flag column (Documentation/trace/ftrace.rst):
 *  Z z → nmi, H h → hardirq, s → softirq, . → task.
 *  A probe that cannot tell yields `unknown`, which no pass may read as `task`. */
export type ExecContext = 'task' | 'softirq' | 'hardirq' | 'nmi' | 'unknown';

/** A place in code as a tracer printed it: `dm_create [dm_mod]`, `foo_open+0x4/0x20 [foo]` or a bare address.
 *  One object per spelling and capture, so that two mentions of the same place are the same object. */
export interface Code {
  /** Exactly as printed. */
  readonly text: string;
  /** Function name; absent when only an address was printed. */
  readonly symbol?: string;
  /** Module whose text it is, where the tracer said so. Absent for vmlinux and for tracers that omit it. */
  readonly module?: string;
  /** Bytes into the function, where printed. */
  readonly offset?: number;
  /** Hex with 0x: a 64-bit address does not fit a JS number. */
  readonly address?: string;
}

interface EventBase {
  /** 1-based position in the merged stream; breaks ties between equal timestamps. */
  seq: number;
  /** Index of the capture in this run's inputs. */
  input: number;
  /** 1-based line (or record, in a binary capture), so that a finding can quote its source. */
  readonly line: number;
  /** Moved when captures with different clocks are merged. */
  ts: Nanoseconds;
  /** -1 when the source does not say. */
  readonly cpu: number;
  /** The kernel's pid, i.e. a thread id; 0 is the idle task, -1 when the source does not say. */
  readonly pid: number;
  /** At most 15 bytes (TASK_COMM_LEN - 1); may hold spaces, dashes, colons, anything. In a tracefs file it is
   *  the latest comm of that pid, not the one it had then. */
  readonly comm: string;
  readonly context: ExecContext;
  /** Innermost frame first, as printed, tracing's own frames removed. Read after the event itself. */
  stack?: readonly string[];
}

/** tracepoint:module:module_load. Fires before init() runs: it proves nothing about success. */
export interface ModuleLoadEvent extends EventBase {
  readonly kind: 'module_load';
  readonly module: string;
  /** Letters as printed: P O F C E. */
  readonly taints: string;
}

/** tracepoint:module:module_free, the first line of free_module(): after exit(), before the memory goes. */
export interface ModuleFreeEvent extends EventBase {
  readonly kind: 'module_free';
  readonly module: string;
}

/** tracepoint:module:module_get and module_put (include/trace/events/module.h). */
export interface ModuleRefEvent extends EventBase {
  readonly kind: 'module_get' | 'module_put';
  readonly module: string;
  readonly callSite: Code;
  /** Read after the operation, not by it, so two CPUs may print the same or swapped values. Since 3.19 it
   *  includes MODULE_REF_BASE, one more than lsmod shows; before, it is one CPU's incs - decs. */
  readonly refcnt: number;
}

/** tracepoint:module:module_request. `alias` is what was asked of modprobe, not a module name. */
export interface ModuleRequestEvent extends EventBase {
  readonly kind: 'module_request';
  readonly alias: string;
  readonly wait: boolean;
  readonly callSite: Code;
}

/** A probe on a function's entry: kprobe, fprobe, fentry or bpftrace. */
export interface FunctionEntryEvent extends EventBase {
  readonly kind: 'function_entry';
  readonly fn: Code;
  /** What was printed for `fn`, where that cannot be: it was looked up too late, and what else was looked up then is
   *  printed so, too. */
  readonly printed?: Code;
  /** The event's own name, chosen by whoever defined it: a hint where `fn` was resolved too late. */
  readonly probe: string;
  /** Arguments as printed, quotes removed. */
  readonly args: Readonly<Record<string, string>>;
}

/** A probe on a function's return. */
export interface FunctionReturnEvent extends EventBase {
  readonly kind: 'function_return';
  readonly fn: Code;
  readonly probe: string;
  /** Where it returns to; absent when another return probe hides it. */
  readonly caller?: Code;
  readonly args: Readonly<Record<string, string>>;
}

/** System calls that start and end a module's life. */
export type ModuleSyscall = 'delete_module' | 'init_module' | 'finit_module';

/** tracepoint:syscalls:sys_enter_*. */
export interface SyscallEnterEvent extends EventBase {
  readonly kind: 'syscall_enter';
  readonly syscall: ModuleSyscall;
  /** delete_module only: O_NONBLOCK 0x800, O_TRUNC (force) 0x200. */
  readonly flags?: number;
  /** The module's name, where the tracer read it from user memory; tracefs prints only a pointer. */
  readonly module?: string;
}

/** tracepoint:syscalls:sys_exit_*. */
export interface SyscallExitEvent extends EventBase {
  readonly kind: 'syscall_exit';
  readonly syscall: ModuleSyscall;
  /** 0 or a negative errno. */
  readonly ret: number;
}

/** Something that will run, or runs, a function later: timers, work items, RCU callbacks; deferred.ts tells them apart. */
export type DeferredKind =
  | 'timer_start'
  | 'timer_cancel'
  | 'timer_expire_entry'
  | 'timer_expire_exit'
  | 'hrtimer_start'
  | 'hrtimer_cancel'
  | 'hrtimer_expire_entry'
  | 'hrtimer_expire_exit'
  | 'workqueue_queue_work'
  | 'workqueue_execute_start'
  | 'workqueue_execute_end'
  | 'sched_kthread_work_queue_work'
  | 'sched_kthread_work_execute_start'
  | 'sched_kthread_work_execute_end'
  | 'rcu_callback'
  | 'rcu_invoke_callback';

export interface DeferredEvent extends EventBase {
  readonly kind: DeferredKind;
  /** Address of the timer, work or rcu_head as printed, hashed or not: an identity within one boot. */
  readonly object: string;
  readonly fn?: Code;
  /** Name of the workqueue a work item was queued on. */
  readonly queue?: string;
}

/** What orders two tasks: one wakes, stops or ends another. */
export type SchedKind =
  | 'sched_waking'
  | 'sched_wakeup'
  | 'sched_process_exit'
  | 'sched_process_exec'
  | 'sched_kthread_stop'
  | 'sched_kthread_stop_ret';

export interface SchedEvent extends EventBase {
  readonly kind: SchedKind;
  /** The task acted upon; the acting task itself for exit, exec and kthread_stop_ret. */
  readonly target: number;
}

/** The kernel reported a fault: an oops, a WARN, or that it dumps the trace because of one. */
export interface FaultEvent extends EventBase {
  readonly kind: 'kernel_fault';
  readonly what: 'oops' | 'warn' | 'dump';
  readonly message: string;
  /** Faulting or instruction address, where printed. */
  readonly address?: string;
  readonly at?: Code;
  /** The module that `[last unloaded: …]` names, if it is not among those that are there again. */
  readonly lastUnloaded?: string;
}

/** khungtaskd found a task blocked, uninterruptible, for so long; `stack` is that task's. */
export interface HungTaskEvent extends EventBase {
  readonly kind: 'hung_task';
  readonly seconds: number;
}

/** A snapshot: where the text of a module lies, and which functions are where. Its time is that of the module_load
 *  it belongs to; 0 where it was told of no moment. */
export interface ModuleTextEvent extends EventBase {
  readonly kind: 'module_text';
  readonly module: string;
  /** What /proc/modules says: its memory, text and data together before 6.4. Addresses are hex with 0x. */
  readonly place?: { readonly start: string; readonly end: string };
  /** By rising address; none where only /proc/modules was read. */
  readonly functions: readonly {
    readonly address: string;
    readonly size: number;
    readonly symbol: string;
  }[];
}

export type Event =
  | ModuleLoadEvent
  | ModuleFreeEvent
  | ModuleRefEvent
  | ModuleRequestEvent
  | FunctionEntryEvent
  | FunctionReturnEvent
  | SyscallEnterEvent
  | SyscallExitEvent
  | DeferredEvent
  | SchedEvent
  | FaultEvent
  | HungTaskEvent
  | ModuleTextEvent;

export type EventKind = Event['kind'];
