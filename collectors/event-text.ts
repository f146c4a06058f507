/**
 * The part of a record after `name: `, as the kernel's print formats write it. tracefs, trace-cmd and perf all
 * print it, each behind a header of its own, so it is read in one place.
 *
 * Sources: include/trace/events/{module,timer,workqueue,rcu,sched}.h, kernel/trace/trace_kprobe.c and
 * kernel/trace/trace_syscalls.c of Linux 5.10 to 7.2. Seen on 6.1 and 6.12.
 */

import { isDeferredKind, KTHREAD_DELAY } from '../src/model/deferred.ts';
import type { Code, DeferredKind, Event, ExecContext, ModuleSyscall, SchedKind } from '../src/model/event.ts';
import { createCodeTable } from './code.ts';
import { isNameByte, standsAt } from './record-header.ts';
import { readProbeName } from './tracefs/probes.ts';

/** What a record's header says, whoever printed it. */
export interface Head {
  readonly line: number;
  readonly ts: number;
  readonly cpu: number;
  readonly pid: number;
  readonly comm: string;
  readonly context: ExecContext;
}

/** The body did not match its event. `at` is the offset in the body where it stopped making sense. */
export interface Malformed {
  readonly at: number;
  readonly message: string;
}

/** An event, a complaint, or nothing: the record is not about module life. */
export type Read = Event | Malformed | undefined;

export interface EventReader {
  /** Is this record, with its body in these bytes, worth a header? */
  wants(name: string, bytes: Buffer, from: number, to: number): boolean;
  /** Is a module being unloaded, so that what is of interest then is? */
  readonly unloading: boolean;
  /** Is there anything in a module that a record may be about which does not say so? */
  readonly watching: boolean;
  /** A tracepoint by its bare name (no system prefix). */
  tracepoint(name: string, body: string, head: Head): Read;
  /** A dynamic event: `body` starts with the parenthesis that tells what was probed. A probe on call_rcu() and its
   *  like is an `rcu_callback` where it prints the head and a function in a module. */
  dynamic(name: string, body: string, head: Head): Read;
  /** The function that a dynamic event probes. A probe of ours carries it in its name, which is right when the symbol was
   *  looked up too late. */
  probed(name: string, printed: Code | undefined): Code | undefined;
  /** `sys_delete_module(…)` and `sys_delete_module -> 0x0`, which tracefs prints in place of `name: body`. */
  syscall(text: string, head: Head): Read;
}

/** The function that a probe is on, by the probe's name. */
interface Probed {
  readonly fn: string;
  readonly module: string;
}

/** When a record of an event is worth a look: always, while a module is being unloaded, or where it is about a function
 *  that may be a module's or that one before it was. */
export type Interest = 'always' | 'unloading' | 'module';

/** Tracepoints this reader understands, for collectors that want to skip all others early. */
export const interestIn: ReadonlyMap<string, Interest> = new Map([
  ...interest('always', 'module_', 'load', 'free', 'get', 'put', 'request'),
  ...interest('always', 'sched_', 'process_exit', 'process_exec', 'kthread_stop', 'kthread_stop_ret'),
  ...interest('always', '', 'console'),
  ...interest('always', 'sys_enter_', 'delete_module', 'init_module', 'finit_module'),
  ...interest('always', 'sys_exit_', 'delete_module', 'init_module', 'finit_module'),
  // Wakeups order tasks, and order is asked of unloads only.
  ...interest('unloading', 'sched_', 'waking', 'wakeup'),
  // Most timers and work items are vmlinux's own.
  ...interest('module', 'timer_', 'start', 'cancel', 'expire_entry', 'expire_exit'),
  ...interest('module', 'hrtimer_', 'start', 'cancel', 'expire_entry', 'expire_exit'),
  ...interest('module', 'workqueue_', 'queue_work', 'execute_start', 'execute_end'),
  ...interest('module', 'sched_kthread_work_', 'queue_work', 'execute_start', 'execute_end'),
  ...interest('module', 'rcu_', 'callback', 'invoke_callback'),
]);

function interest(what: Interest, prefix: string, ...names: readonly string[]): [string, Interest][] {
  return names.map((name) => [prefix + name, what]);
}

const CALL_SITE = ' call_site=';
const REFCNT = ' refcnt=';
/** A reference under trace_options `fields` (since 6.4) and `trace-cmd report -R`. */
const REF_FIELDS = /^ip=(\S+)(?: \([^)]*\))? refcnt=(?:(-?\d+)|0x[0-9a-f]+ \((-?\d+)\)) name=(\S+)\s*$/;
const LOAD_FIELDS = /^taints=\S+(?: \(\d+\))? name=(\S+)\s*$/;
const REQUEST = /^(.+) wait=([01]) call_site=(.+?)\s*$/;
const OBJECT = /(?:^|\s)(?:timer|hrtimer|work struct|rhp)[= ]?(?:0x)?([0-9a-f]+)/;
const QUEUE = / workqueue=(\S+)/;
const BARE = /^(?:0x)?[0-9a-f]{8,16}$/;
/** `srcu` and `rcu_tasks` have queues of their own, with callbacks of the same kind. */
const CALL_RCU = /^(?:__)?call_s?rcu(?:_hurry|_lazy|_tasks(?:_\w+)?|_common)?$/;
const FUNCTION = /\b(?:function|func)[=:]? ?(\S+(?: \[[^\]]+\])?)/;
/** What libtraceevent's plugin (plugin_sched_switch.c) makes of sched_wakeup: `COMM:PID [PRIO] CPU:NNN`. */
const WOKEN = /:(\d+) \[-?\d+\](?: success=\d+)?(?: CPU:\d+)?\s*$/;
/** A line of the trace itself on the console: ftrace_dump_on_oops is at work, in the task that crashed. */
const DUMPED = /^\s*\S.{0,15}-\d+\s+\d+[.dDbX][.\w]{3,4}\s+\d+us/;
/** Objects watched at a time: more than are armed at once. */
const MOST_WATCHED = 1 << 16;
/** Names of probes remembered at a time. */
const MOST_PROBES = 1 << 14;
const FAULT = /(BUG: unable to handle [^\n]*|kernel BUG at \S+|WARNING: [^\n]*|Oops: [^\n]*)/;

/**
 * @param returnOrder what a return probe prints first: the kernel's own text has `(caller <- function)`,
 *   libtraceevent's rendering of the same record (trace-cmd, perf) `(function <- caller)`.
 */
export function createEventReader(returnOrder: 'caller-first' | 'function-first'): EventReader {
  const code = createCodeTable();
  /** Timers, work items and heads whose function lies in a module, or queues one that may: others are not worth an
   *  event. */
  const watched = new Set<string>();
  const dumping = new Set<number>();
  /** System calls that unload, entered and not returned. */
  let unloading = 0;
  /** What the names of probes say, by name. */
  const named = new Map<string, Probed | undefined>();
  /** Modules whose load was told, as far as they are remembered. */
  const loaded = new Set<string>();

  function probed(name: string, printed: Code | undefined): Code | undefined {
    let own: Probed | undefined = named.get(name);
    if (own === undefined && !named.has(name)) {
      own = readProbeName(name);
      if (named.size >= MOST_PROBES) named.clear();
      named.set(name, own);
    }
    if (own === undefined && printed?.symbol === undefined) own = byDefaultName(name);
    if (own === undefined) return printed;
    const { fn, module } = own;
    const isRight =
      printed?.symbol?.replace(/\W/g, '_') === fn &&
      (printed.module === undefined || printed.module === module);
    if (isRight && printed.module !== undefined) return printed;
    return code(`${isRight ? printed.symbol : fn} [${module}]`);
  }

  /** `p_mydrv_mydrv_open_0` or `r_…`, as the kernel calls a probe on `mydrv:mydrv_open` that was given no name. */
  function byDefaultName(name: string): Probed | undefined {
    const rest = /^[pr]_(\w+)_0$/.exec(name)?.[1];
    if (rest === undefined) return undefined;
    let module = '';
    for (const each of loaded) if (each.length > module.length && rest.startsWith(`${each}_`)) module = each;
    return module === '' ? undefined : { fn: rest.slice(module.length + 1), module };
  }

  function reference(kind: 'module_get' | 'module_put', body: string, head: Head): Read {
    const { line, ts, cpu, pid, comm, context } = head;
    const siteAt = body.indexOf(CALL_SITE);
    const countAt = body.lastIndexOf(REFCNT);
    if (siteAt > 0 && countAt > siteAt) {
      const module = body.slice(0, siteAt);
      const callSite = code(body.slice(siteAt + CALL_SITE.length, countAt));
      const refcnt = Number(body.slice(countAt + REFCNT.length));
      if (callSite !== undefined && Number.isInteger(refcnt) && !module.includes(' ')) {
        return { kind, seq: 0, input: 0, line, ts, cpu, pid, comm, context, module, callSite, refcnt };
      }
    }
    const fields = REF_FIELDS.exec(body);
    const callSite = code(fields?.[1] ?? '');
    if (fields === null || callSite === undefined) {
      return malformed(body, [CALL_SITE, REFCNT], '"MODULE call_site=SYMBOL refcnt=N"');
    }
    const refcnt = Number(fields[2] ?? fields[3]);
    return {
      kind,
      seq: 0,
      input: 0,
      line,
      ts,
      cpu,
      pid,
      comm,
      context,
      module: fields[4]!,
      callSite,
      refcnt,
    };
  }

  function deferred(kind: DeferredKind, body: string, head: Head): Read {
    const object = OBJECT.exec(body)?.[1];
    if (object === undefined) return undefined;
    const printed = FUNCTION.exec(body)?.[1];
    // Most are vmlinux's own, printed without a module: left before anything is made of them.
    const isWanted =
      printed !== undefined && (printed.endsWith(']') || printed === KTHREAD_DELAY || BARE.test(printed));
    if (isWanted) {
      if (watched.size >= MOST_WATCHED) watched.clear();
      watched.add(object);
    } else if (printed !== undefined) watched.delete(object);
    if (!watched.has(object)) return undefined;
    const fn = printed === undefined ? undefined : code(printed);
    const queue = kind === 'workqueue_queue_work' ? QUEUE.exec(body)?.[1] : undefined;
    return {
      kind,
      ...placed(head),
      object,
      ...(fn === undefined ? {} : { fn }),
      ...(queue === undefined ? {} : { queue }),
    };
  }

  function sched(kind: SchedKind, body: string, head: Head): Read {
    // comm= comes first and may hold anything; pid= is searched from the right.
    const at = body.lastIndexOf('pid=');
    const printed = at < 0 ? WOKEN.exec(body)?.[1] : body.slice(at + 4);
    const target = printed === undefined ? head.pid : Number.parseInt(printed, 10);
    const { line, ts, cpu, pid, comm, context } = head;
    return { kind, seq: 0, input: 0, line, ts, cpu, pid, comm, context, target };
  }

  function syscallEnter(syscall: ModuleSyscall, body: string, head: Head): Read {
    if (syscall === 'delete_module') unloading++;
    const flags = /\bflags: (?:0x)?([0-9a-f]+)/.exec(body)?.[1];
    return {
      kind: 'syscall_enter',
      ...placed(head),
      syscall,
      ...(syscall === 'delete_module' && flags !== undefined ? { flags: Number.parseInt(flags, 16) } : {}),
    };
  }

  function syscallExit(syscall: ModuleSyscall, body: string, head: Head): Read {
    const value = /(-?\d+|0x[0-9a-f]+)\s*$/.exec(body)?.[1];
    if (value === undefined) return { at: 0, message: `expected the return value of ${syscall}` };
    if (syscall === 'delete_module' && unloading > 0) unloading--;
    return { kind: 'syscall_exit', ...placed(head), syscall, ret: Number(BigInt.asIntN(64, BigInt(value))) };
  }

  function fault(body: string, head: Head): Read {
    const dumped = DUMPED.test(body);
    const message = dumped ? 'the trace is dumped to the console' : FAULT.exec(body)?.[1];
    // A crash dumps thousands of lines; one says it.
    if (message === undefined || (dumped && dumping.has(head.pid))) return undefined;
    if (dumped) dumping.add(head.pid);
    const address = /address: (?:0x)?([0-9a-f]{8,16})/.exec(message)?.[1];
    return {
      kind: 'kernel_fault',
      ...placed(head),
      what: dumped ? 'dump' : message.startsWith('WARNING') ? 'warn' : 'oops',
      message,
      ...(address === undefined ? {} : { address: `0x${address}` }),
    };
  }

  return {
    probed,

    wants(name, bytes, from, to) {
      switch (interestIn.get(name)) {
        case 'unloading':
          return unloading > 0;
        case 'module':
          return watched.size > 0 || mayBeInModule(bytes, from, to);
        default:
          return true;
      }
    },

    get unloading() {
      return unloading > 0;
    },

    get watching() {
      return watched.size > 0;
    },

    tracepoint(name, body, head) {
      switch (name) {
        case 'module_get':
        case 'module_put':
          return reference(name, body, head);
        case 'module_load': {
          const raw = LOAD_FIELDS.exec(body)?.[1];
          const space = body.indexOf(' ');
          const module = raw ?? (space < 0 ? body : body.slice(0, space)).trim();
          if (module === '') return { at: 0, message: 'expected "MODULE TAINTS"' };
          const taints = raw === undefined && space >= 0 ? body.slice(space).trim() : '';
          if (loaded.size >= MOST_PROBES) loaded.clear();
          loaded.add(module);
          return { kind: 'module_load', ...placed(head), module, taints };
        }
        case 'module_free': {
          const module = body.replace(/^name=/, '').trim();
          if (module === '' || module.includes(' ')) return { at: 0, message: 'expected "MODULE"' };
          return { kind: 'module_free', ...placed(head), module };
        }
        case 'module_request': {
          const [, alias, wait, site] = REQUEST.exec(body) ?? [];
          const callSite = code(site ?? '');
          if (alias === undefined || callSite === undefined) {
            return malformed(body, [' wait=', ' call_site='], '"ALIAS wait=0|1 call_site=SYMBOL"');
          }
          return { kind: 'module_request', ...placed(head), alias, wait: wait === '1', callSite };
        }
        case 'console':
          return fault(body, head);
        case 'sys_enter_delete_module':
        case 'sys_enter_init_module':
        case 'sys_enter_finit_module':
          return syscallEnter(name.slice('sys_enter_'.length) as ModuleSyscall, body, head);
        case 'sys_exit_delete_module':
        case 'sys_exit_init_module':
        case 'sys_exit_finit_module':
          return syscallExit(name.slice('sys_exit_'.length) as ModuleSyscall, body, head);
        default:
          return isDeferredKind(name) ? deferred(name, body, head) : sched(name as SchedKind, body, head);
      }
    },

    dynamic(name, body, head) {
      const close = closing(body);
      if (close < 0) return { at: 0, message: 'expected "(FUNCTION…)" after the name of a probe' };
      const args = readArguments(body, close + 1);
      const { line, ts, cpu, pid, comm, context } = head;
      const arrow = body.indexOf(' <- ');
      if (arrow < 0 || arrow > close) {
        const printed = code(body.slice(1, close));
        const fn = probed(name, printed);
        if (fn === undefined) return { at: 1, message: 'expected a function or an address' };
        const armed = armedCallback(fn, args, code);
        if (armed !== undefined) return { kind: 'rcu_callback', ...placed(head), ...armed };
        const kind = 'function_entry';
        // An address, or what lies in vmlinux, is not what another module is called.
        return printed?.module === undefined || printed.module === fn.module
          ? { kind, seq: 0, input: 0, line, ts, cpu, pid, comm, context, fn, probe: name, args }
          : { kind, seq: 0, input: 0, line, ts, cpu, pid, comm, context, fn, printed, probe: name, args };
      }
      const first = code(body.slice(1, arrow));
      const second = code(body.slice(arrow + 4, close));
      const [printed, caller] = returnOrder === 'caller-first' ? [second, first] : [first, second];
      const fn = probed(name, printed);
      if (fn === undefined) return { at: arrow + 5, message: 'expected the function that returned' };
      const kind = 'function_return';
      return caller === undefined
        ? { kind, seq: 0, input: 0, line, ts, cpu, pid, comm, context, fn, probe: name, args }
        : { kind, seq: 0, input: 0, line, ts, cpu, pid, comm, context, fn, probe: name, caller, args };
    },

    syscall(text, head) {
      const [, syscall, rest] = /^sys_(delete_module|init_module|finit_module)(\(| -> )/.exec(text) ?? [];
      if (syscall === undefined) return undefined;
      const body = text.slice(4 + syscall.length);
      return rest === '('
        ? syscallEnter(syscall as ModuleSyscall, body, head)
        : syscallExit(syscall as ModuleSyscall, body, head);
    },
  };
}

function placed(head: Head) {
  return {
    seq: 0,
    input: 0,
    line: head.line,
    ts: head.ts,
    cpu: head.cpu,
    pid: head.pid,
    comm: head.comm,
    context: head.context,
  };
}

/**
 * What a probe on call_rcu() and its like tells, whatever its arguments were named: the address of the rcu_head, and
 * behind it the function. Most callbacks are vmlinux's own, or kfree_rcu()'s, and are no claim on a module.
 */
export function armedCallback(
  fn: Code,
  args: Readonly<Record<string, string>>,
  code: (text: string) => Code | undefined,
): { readonly object: string; readonly fn: Code } | undefined {
  if (fn.symbol === undefined || !CALL_RCU.test(fn.symbol)) return undefined;
  const printed = Object.values(args);
  const symbolic = printed.findIndex((value) => !BARE.test(value));
  const at = symbolic >= 0 ? symbolic : printed.length - 1;
  const callback = code(printed[at] ?? '');
  const object = printed[at - 1];
  if (object === undefined || !BARE.test(object)) return undefined;
  if (callback === undefined || (callback.symbol !== undefined && callback.module === undefined))
    return undefined;
  // A pointer to a function points at its start: with an offset it was looked up after the module had gone.
  if ((callback.offset ?? 0) > 0) return undefined;
  return { object: object.replace(/^0x/, ''), fn: callback };
}

const FUNC = Buffer.from('func');
const F = 0x66;
const DELAY = Buffer.from(KTHREAD_DELAY);

/** Is a function printed, as a module's or as an address that may be in one? `function=foo_expire [foo]`. What queues
 *  delayed work queues what may be in one. */
function mayBeInModule(bytes: Buffer, from: number, to: number): boolean {
  let at = from;
  while (at < to && (bytes[at] !== F || !standsAt(FUNC, bytes, at))) at++;
  // func=, func: , function=, function
  while (at < to && isNameByte(bytes[at]!)) at++;
  if (at + 1 < to && bytes[at + 1] === SPACE) at++;
  const start = at + 1;
  for (at = start; at < to && bytes[at] !== SPACE; ) at++;
  return (
    (at + 1 < to && bytes[at + 1] === OPEN_BRACKET) ||
    (at - start === DELAY.length && standsAt(DELAY, bytes, start)) ||
    isAddress(bytes, start, at)
  );
}

function isAddress(bytes: Buffer, from: number, to: number): boolean {
  if (to - from < 8) return false;
  const start = bytes[from + 1] === 0x78 /* 0x… */ ? from + 2 : from;
  let at = start;
  while (at < to && isHexDigit(bytes[at]!)) at++;
  return at - start >= 8;
}

function isHexDigit(c: number): boolean {
  return (c >= 0x30 && c <= 0x39) || (c >= 0x61 && c <= 0x66);
}

/** The parenthesis that ends what was probed: followed by the arguments or by nothing. */
function closing(body: string): number {
  if (body.charCodeAt(0) !== OPEN) return -1;
  for (let at = body.indexOf(')'); at >= 0; at = body.indexOf(')', at + 1)) {
    if (at + 1 === body.length || body.charCodeAt(at + 1) === SPACE) return at;
  }
  return -1;
}

/** `name="x" mod=0x1`. The kernel does not escape quotes, so a string ends where another argument begins. */
function readArguments(body: string, from: number): Readonly<Record<string, string>> {
  if (from >= body.length) return NO_ARGUMENTS;
  const args: Record<string, string> = {};
  for (let at = from + 1; at < body.length; ) {
    const equals = body.indexOf('=', at);
    if (equals < 0) break;
    const key = body.slice(at, equals);
    if (body.charCodeAt(equals + 1) === QUOTE) {
      let close = body.indexOf('"', equals + 2);
      while (
        close >= 0 &&
        close + 1 < body.length &&
        !ARGUMENT_NEXT.test(body.slice(close + 1, close + 64))
      ) {
        close = body.indexOf('"', close + 1);
      }
      if (close < 0) close = body.length;
      args[key] = body.slice(equals + 2, close);
      at = close + 2;
    } else {
      let end = body.indexOf(' ', equals);
      // `func=foo_reap+0x0/0x40 [foo]`
      if (end >= 0 && body.charCodeAt(end + 1) === OPEN_BRACKET) end = body.indexOf(' ', end + 1);
      if (end < 0) end = body.length;
      args[key] = body.slice(equals + 1, end);
      at = end + 1;
    }
  }
  return args;
}

const QUOTE = 0x22;
const ARGUMENT_NEXT = /^(?: [A-Za-z_]\w*=|\s*$)/;
const NO_ARGUMENTS: Readonly<Record<string, string>> = Object.freeze({});
const SPACE = 0x20;
const OPEN = 0x28;
const OPEN_BRACKET = 0x5b;

/** Blames the first of `parts` that is missing, or the end of the body. */
function malformed(body: string, parts: readonly string[], expected: string): Malformed {
  let at = 0;
  for (const part of parts) {
    const found = body.indexOf(part, at);
    if (found < 0) return { at: at === 0 ? 0 : body.length, message: `expected ${expected}` };
    at = found + part.length;
  }
  return { at, message: `expected ${expected}` };
}
