/**
 * What a record means: the fields of the events that tell of module life, found by their format.
 *
 * Sources: include/trace/events/{module,timer,workqueue,rcu,sched,printk}.h, kernel/trace/trace_{probe,kprobe,fprobe,
 * syscalls,entries}.{c,h} of Linux 5.10 to 7.2.
 */
import type {
  Code,
  DeferredEvent,
  ExecContext,
  FunctionEntryEvent,
  FunctionReturnEvent,
} from '../../src/model/event.ts';
import { createByteTable } from '../byte-table.ts';
import { createCodeTable } from '../code.ts';
import {
  armedCallback,
  createEventReader,
  type Head,
  interestIn,
  type Malformed,
  type Read,
} from '../event-text.ts';
import { TRACING_FRAME } from '../record-header.ts';
import { taintLetters } from '../taints.ts';
import type { Container } from './container.ts';
import type { Field, Format } from './format.ts';
import { addressKey, createSymbols } from './symbols.ts';

export interface EventDecoder {
  /** False for most records of a system-wide trace: they need no more than this. */
  wants(type: number): boolean;
  /** The record is `bytes` [at, at + length); `type` is what its first two bytes say. */
  decode(type: number, bytes: Buffer, at: number, length: number, head: Head): Read;
  isStack(type: number): boolean;
  /** Innermost first, without tracing's own. */
  frames(type: number, bytes: Buffer, at: number, length: number): string[];
}

type Decode = (head: Head) => Read;

/** A waking needs no body to be judged. */
const NO_BYTES = Buffer.alloc(0);

const NO_ARGUMENTS: Readonly<Record<string, string>> = Object.freeze({});
/** What a return probe puts in place of the address that it hides. */
const TRAMPOLINE = /^(?:arch_rethook_trampoline|(?:arch_|__)?kretprobe_trampoline|return_to_handler)\b/;
/** In a stack: the frame of a trampoline of ftrace's. */
const TRAMPOLINE_MARK = 0x7fffffff;
const MOST_PLACES = 1 << 16;
/** Names known by their bytes, and what is too long for one: MODULE_NAME_LEN of the kernel. */
const MOST_NAMES = 1 << 14;
/** Of one probe, as long as records are. */
const MOST_ARGUMENTS = 1 << 10;
const LONGEST_NAME = 64;
const NAMELESS: Malformed = { at: 0, message: 'expected the name of a module' };

export function createEventDecoder({ formats, kallsyms, bigEndian, page }: Container): EventDecoder {
  const reader = createEventReader('caller-first');
  const code = createCodeTable();
  const symbols = createSymbols(kallsyms);
  const exactly = new Map<number, Code>();
  const roughly = new Map<number, Code>();
  /** Of an address: the kernel's long. */
  const width = page.commitSize === 4 ? 4 : 8;
  const nameOf = createByteTable((latin1) => Buffer.from(latin1, 'latin1').toString('utf8'), MOST_NAMES);
  const decoders = new Map<number, Decode>();
  const stacks = new Map<number, Field>();

  // The record at hand.
  let bytes: Buffer = Buffer.alloc(0);
  let at = 0;
  let length = 0;
  // The 64 bits read last.
  let high = 0;
  let low = 0;

  const u32 = (where: number) => (bigEndian ? bytes.readUInt32BE(where) : bytes.readUInt32LE(where));

  /** A field of the record lies beyond its end, so what was made of it is wrong. */
  let short = false;

  /** Into `high` and `low`. */
  function read(field: Field): void {
    const where = at + field.offset;
    high = 0;
    low = 0;
    if (field.offset + field.size > length) {
      short = true;
      return;
    }
    switch (field.size) {
      case 8:
        high = u32(bigEndian ? where : where + 4);
        low = u32(bigEndian ? where + 4 : where);
        return;
      case 4:
        low = u32(where);
        if (field.signed && low > 0x7fffffff) high = 0xffffffff;
        return;
      case 2:
        low = bigEndian ? bytes.readUInt16BE(where) : bytes.readUInt16LE(where);
        if (field.signed && low > 0x7fff) extend(16);
        return;
      case 1:
        low = bytes[where]!;
        if (field.signed && low > 0x7f) extend(8);
        return;
    }
  }

  function extend(bits: number): void {
    low = (low | (-1 << bits)) >>> 0;
    high = 0xffffffff;
  }

  function number(field: Field): number {
    read(field);
    return (high | 0) * 2 ** 32 + low;
  }

  function hex(field: Field): string {
    read(field);
    if (high === 0) return low.toString(16);
    if (field.size < 8) return low.toString(16);
    return high.toString(16) + low.toString(16).padStart(8, '0');
  }

  /** Undefined when the kernel could not read it. */
  function text(field: Field): string | undefined {
    let from = field.offset;
    let size = field.size;
    if (field.location !== 'here') {
      read(field);
      from = low & 0xffff;
      size = low >>> 16;
      if (field.location === 'relative') from += field.offset + field.size;
      if (size === 0) return undefined;
    }
    if (from + size > length) {
      short = true;
      return undefined;
    }
    const nul = bytes.indexOf(0, at + from);
    const end = nul < 0 ? at + from + size : Math.min(nul, at + from + size);
    // A name comes again and again, a message does not.
    if (end - at - from > LONGEST_NAME) return bytes.toString('utf8', at + from, end);
    return nameOf(bytes, at + from, end);
  }

  /** The place whose address is in `high` and `low`, with its offset as %pS has it or without, as %ps. */
  function place(exact: boolean): Code {
    const known = exact ? exactly : roughly;
    const key = addressKey(high, low);
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = symbols.find(high, low);
    let spelt: string;
    if (found === undefined)
      spelt = `0x${high === 0 ? '' : high.toString(16)}${low.toString(16).padStart(8, '0')}`;
    else {
      const offset = exact ? `+0x${found.offset.toString(16)}` : '';
      spelt = `${found.symbol}${offset}${found.module === undefined ? '' : ` [${found.module}]`}`;
    }
    // A symbol that cannot be read is none.
    const read = code(spelt) ?? { text: spelt };
    if (known.size >= MOST_PLACES) known.clear();
    known.set(key, read);
    return read;
  }

  function isKernel(field: Field): boolean {
    read(field);
    return field.size < 8 || high > 0x7fffffff;
  }

  function tracepoint({ name, fields }: Format): Decode | undefined {
    const has = (...names: string[]) => {
      const found = names.map((each) => fields.get(each));
      return found.every((field) => field !== undefined) ? (found as Field[]) : undefined;
    };
    switch (name) {
      case 'module_get':
      case 'module_put': {
        const [ip, refs, module] = has('ip', 'refcnt', 'name') ?? [];
        if (ip === undefined) return undefined;
        return ({ line, ts, cpu, pid, comm, context }) => {
          const named = text(module!);
          if (named === undefined || named === '') return NAMELESS;
          const refcnt = number(refs!);
          read(ip);
          return {
            kind: name,
            seq: 0,
            input: 0,
            line,
            ts,
            cpu,
            pid,
            comm,
            context,
            module: named,
            callSite: place(false),
            refcnt,
          };
        };
      }
      case 'module_load': {
        const [taints, module] = has('taints', 'name') ?? [];
        if (taints === undefined) return undefined;
        return (head) => {
          return reader.tracepoint(name, `${text(module!) ?? ''} ${taintLetters(number(taints))}`, head);
        };
      }
      case 'module_free': {
        const [module] = has('name') ?? [];
        return module === undefined ? undefined : (head) => reader.tracepoint(name, text(module) ?? '', head);
      }
      case 'module_request': {
        const [ip, wait, alias] = has('ip', 'wait', 'name') ?? [];
        if (ip === undefined) return undefined;
        return (head) => {
          const waits = number(wait!) === 0 ? 0 : 1;
          const asked = text(alias!) ?? '';
          read(ip);
          return reader.tracepoint(name, `${asked} wait=${waits} call_site=${place(false).text}`, head);
        };
      }
      case 'console': {
        const message = fields.get('msg') ?? fields.get('text');
        return message === undefined
          ? undefined
          : (head) => reader.tracepoint(name, text(message) ?? '', head);
      }
      case 'sched_waking':
      case 'sched_wakeup': {
        const target = fields.get('pid');
        if (target === undefined) return undefined;
        return (head) =>
          reader.wants(name, NO_BYTES, 0, 0)
            ? reader.tracepoint(name, `pid=${number(target)}`, head)
            : undefined;
      }
      case 'sched_process_exit':
      case 'sched_process_exec':
      case 'sched_kthread_stop': {
        const target = fields.get('pid');
        return target === undefined
          ? undefined
          : (head) => reader.tracepoint(name, `pid=${number(target)}`, head);
      }
      case 'sched_kthread_stop_ret':
        return (head) => reader.tracepoint(name, '', head);
      default:
        return name.startsWith('sys_') ? syscall(name, fields) : deferred(name, fields);
    }
  }

  /** The reader of their text must see them: it keeps what only matters while a module is being unloaded. */
  function syscall(name: string, fields: Format['fields']): Decode | undefined {
    const flags = fields.get('flags');
    const result = fields.get('ret');
    if (name.startsWith('sys_enter_')) {
      if (flags === undefined) return (head) => reader.tracepoint(name, '', head);
      return (head) => reader.tracepoint(name, `flags: 0x${hex(flags)}`, head);
    }
    return result === undefined ? undefined : (head) => reader.tracepoint(name, String(number(result)), head);
  }

  /** Timers, work items and RCU heads: the reader of their text knows which are worth an event. */
  function deferred(name: string, fields: Format['fields']): Decode | undefined {
    const object = fields.get('timer') ?? fields.get('hrtimer') ?? fields.get('work') ?? fields.get('rhp');
    if (object === undefined) return undefined;
    const label = object.name === 'work' ? 'work struct ' : `${object.name}=`;
    const fn = fields.get('function') ?? fields.get('func');
    const queue = fields.get('workqueue');
    // Older kernels have its address there.
    const named = queue !== undefined && queue.location !== 'here' ? queue : undefined;
    return (head) => {
      const address = hex(object);
      if (fn === undefined) return reader.tracepoint(name, `${label}${address}`, head);
      read(fn);
      const runs = `${label}${address} function=${place(false).text}`;
      const on = named === undefined ? undefined : text(named);
      return reader.tracepoint(name, on === undefined ? runs : `${runs} workqueue=${on}`, head);
    };
  }

  function probe({ name, fields, printed }: Format): Decode | undefined {
    const ip = fields.get('__probe_ip');
    const fn = fields.get('__probe_func');
    const returnsTo = fields.get('__probe_ret_ip');
    const readers: { readonly name: string; readonly offset: number; readonly value: () => string }[] = [];
    for (const field of fields.values()) {
      if (/^(?:common_|__probe_)/.test(field.name)) continue;
      readers.push({ name: field.name, offset: field.offset, value: argument(field, printed) });
    }
    /** Where the arguments begin, behind what is the same in every call. */
    const behind = Math.min(...readers.map(({ offset }) => offset));
    // A function is often called with what it was called with before: module_put(NULL), for one.
    const argumentsIn = createByteTable(() => {
      const given: Record<string, string> = {};
      for (const { name, value } of readers) given[name] = value();
      return short ? undefined : given;
    }, MOST_ARGUMENTS);
    function args(): Readonly<Record<string, string>> {
      if (readers.length === 0) return NO_ARGUMENTS;
      const given = argumentsIn(bytes, at + behind, at + length);
      if (given === undefined) short = true;
      return given ?? NO_ARGUMENTS;
    }
    if (ip !== undefined) {
      return ({ line, ts, cpu, pid, comm, context }): DeferredEvent | FunctionEntryEvent | undefined => {
        // A probe of a program in user space.
        if (!isKernel(ip)) return undefined;
        const found = place(true);
        const entered = reader.probed(name, found) ?? found;
        const given = args();
        const armed = armedCallback(entered, given, code);
        if (armed !== undefined) {
          const kind = 'rcu_callback';
          return { kind, seq: 0, input: 0, line, ts, cpu, pid, comm, context, ...armed };
        }
        const event: FunctionEntryEvent = {
          kind: 'function_entry',
          seq: 0,
          input: 0,
          line,
          ts,
          cpu,
          pid,
          comm,
          context,
          fn: entered,
          probe: name,
          args: given,
        };
        return found.module === undefined || found.module === entered.module
          ? event
          : { ...event, printed: found };
      };
    }
    if (fn === undefined || returnsTo === undefined) return undefined;
    return ({ line, ts, cpu, pid, comm, context }): FunctionReturnEvent | undefined => {
      if (!isKernel(fn)) return undefined;
      const found = place(false);
      const returned = reader.probed(name, found) ?? found;
      read(returnsTo);
      const caller = place(true);
      const kind = 'function_return';
      return TRAMPOLINE.test(caller.text)
        ? {
            kind,
            seq: 0,
            input: 0,
            line,
            ts,
            cpu,
            pid,
            comm,
            context,
            fn: returned,
            probe: name,
            args: args(),
          }
        : {
            kind,
            seq: 0,
            input: 0,
            line,
            ts,
            cpu,
            pid,
            comm,
            context,
            fn: returned,
            probe: name,
            caller,
            args: args(),
          };
    };
  }

  /** As the event's own format prints it: `name="%s" mod=0x%Lx ret=%d`. */
  function argument(field: Field, printed: string): () => string {
    const printedAs = new RegExp(`[ "]${field.name}=(\\\\"|\\{|0x)?%l*([a-zA-Z])L?([a-zA-Z]?)`).exec(printed);
    const letter = printedAs?.[2] === 'L' ? printedAs[3] : printedAs?.[2];
    if (field.location !== 'here' || letter === 's') return () => text(field) ?? '(fault)';
    if (field.array) return () => '{…}';
    if (letter === 'p') {
      return () => {
        read(field);
        return place(true).text;
      };
    }
    if (printedAs?.[1] === '0x' || letter === 'x') return () => `0x${hex(field)}`;
    return () => {
      read(field);
      // Beyond what a number holds exactly.
      if (high !== 0 && high !== 0xffffffff) {
        const whole = (BigInt(high) << 32n) | BigInt(low);
        return String(field.signed ? BigInt.asIntN(64, whole) : whole);
      }
      return String(field.signed ? (high | 0) * 2 ** 32 + low : high * 2 ** 32 + low);
    };
  }

  for (const format of formats) {
    const { id, name, system, fields } = format;
    if (system === 'ftrace') {
      const callers = fields.get('caller');
      if (name === 'kernel_stack' && callers !== undefined) stacks.set(id, callers);
      continue;
    }
    const isProbe = fields.has('__probe_ip') || fields.has('__probe_func');
    const decode = isProbe ? probe(format) : interestIn.has(name) ? tracepoint(format) : undefined;
    if (decode !== undefined) decoders.set(id, decode);
  }

  return {
    wants: (type) => decoders.has(type),
    decode(type, from, start, size, head) {
      bytes = from;
      at = start;
      length = size;
      short = false;
      const read = decoders.get(type)!(head);
      return short ? { at: 0, message: 'expected a longer record' } : read;
    },
    isStack: (type) => stacks.has(type),
    frames(type, from, start, size) {
      bytes = from;
      at = start;
      length = size;
      const frames: string[] = [];
      const { offset } = stacks.get(type)!;
      for (let where = offset; where + width <= length; where += width) {
        low = u32(bigEndian && width === 8 ? at + where + 4 : at + where);
        high = width === 4 ? 0 : u32(bigEndian ? at + where : at + where + 4);
        // All ones end it, zeros fill what is left.
        if ((low === 0xffffffff && (high === low || width === 4)) || (low === 0 && high === 0)) break;
        if (low === TRAMPOLINE_MARK && high === 0) continue;
        const frame = place(false).text;
        if (!TRACING_FRAME.test(frame)) frames.push(frame);
      }
      return frames;
    },
  };
}

/** common_flags of a record, as ftrace's third flag column has it. */
export function contextOf(flags: number): ExecContext {
  if ((flags & 0x40) !== 0) return 'nmi';
  if ((flags & 0x08) !== 0) return 'hardirq';
  return (flags & 0x10) !== 0 ? 'softirq' : 'task';
}
