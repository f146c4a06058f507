/**
 * The text of tracefs: `trace`, `trace_pipe`, `snapshot`, their per-CPU and instance twins, and `trace-cmd show`.
 *
 * Written by kernel/trace/trace.c and trace_output.c. Seen on 6.1 and 6.12 with every trace_clock, with the
 * options verbose, latency-format, record-tgid, irq-info, stacktrace, userstacktrace, sym-offset, sym-addr,
 * print-parent, hash-ptr, annotate; with the function tracer, whose own records are passed over.
 */
import type { Collector, Parser, Sink, Sniffed } from '../../src/model/collector.ts';
import type { Event, ExecContext } from '../../src/model/event.ts';
import { createByteTable } from '../byte-table.ts';
import { createEventReader, type Head, interestIn, type Read } from '../event-text.ts';
import { contextOf, isNameByte, standsAt, TRACING_FRAME } from '../record-header.ts';
import { createSieve } from './sieve.ts';

/** The kernel prints comm with %16s and a comm has at most 15 bytes, so the dash before the pid is always here. */
const DASH = 16;
/** Under latency-format comm is cut to %8.8s. */
const LATENCY_DASH = 8;

/** Spellings of comm kept at a time; a hostile trace has a new one in every line. */
const MOST_COMMS = 1 << 16;
const MOST_FRAMES = 1 << 14;

const SPACE = 0x20;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const OPEN = 0x28;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const FRAME = Buffer.from(' => ');

const RECORD_HINT = '"COMM-PID [CPU] FLAGS TIME: EVENT: …"';
//                      +- pid      +- tgid                 +- cpu        +- flags      +- time              +- body
const RECORD = /-(\d+) +(?:\( *(?:\d+|-+)\) )?\[(\d{3,})\] +(?:([^\s\d]\S*) +)?(\d+(?:\.\d{6,9})?): (\S.*)$/s;
//                         +- pid   +- cpu +- flags           +- time  +- mark       +- body
const LATENCY = /^-(\d+) +(\d+)([.dDbX][.\w]{3,4}) +(\d+)(us)?[ +!#*@$]?: (\S.*)$/s;
//                               +- comm  +- pid  +- cpu                                  +- ms              +- body
const VERBOSE =
  /^ *(.*?) +(\d+) +(\d+) \d+ [0-9a-f]{8} [0-9a-f]{8} \[[0-9a-f]+\] (\d+)\.(\d{3})ms \([^)]*\): (\S.*)$/s;
/** journald, for one, takes away the blank before it. */
const FRAME_MARK = /^ ?=> /;
const LOST = /^CPU:(\d+) \[LOST (?:(\d+) )?EVENTS\]$/;
/** Somebody took away the blanks before a line. */
const TRIMMED = /^\S.{0,14}-\d+ +\[\d{3,}\] +(?:[^\s\d]\S* +)?\d+\.\d{6}: \w+: ?/;
/** What else lies in that folder and is sent along. */
const OTHER_FILES: readonly (readonly [RegExp, string])[] = [
  [/^entries: \d+\r?\noverrun: \d+\r?\n/m, 'per_cpu/cpu*/stats, counters without events'],
  [/^[pr]\d*:\w+\/\w+ \S+/, 'kprobe_events, definitions without events'],
  [/^name: \w+\r?\nID: \d+\r?\nformat:/, 'the format of an event, without events'],
  [/^(?:\d+ \S.{0,14}\r?\n){5}/, 'saved_cmdlines, names of tasks without events'],
];
const ENTRIES = /entries-in-buffer\/entries-written: (\d+)\/(\d+)/;

export const tracefs: Collector = {
  name: 'tracefs',
  title: 'text of /sys/kernel/tracing: trace, trace_pipe, snapshot, per_cpu',
  sniff,
  createParser: (sink) => createParser(sink),
};

function sniff(head: string): Sniffed {
  const isRecord = (line: string) =>
    (line.charCodeAt(DASH) === MINUS && RECORD.test(line.slice(DASH))) || TRIMMED.test(line);
  if (/^# tracer: /m.test(head)) {
    if (/^# tracer: function_graph/m.test(head)) {
      return {
        declined:
          'function_graph output: its records carry no refcount context of their own task and time; record with current_tracer nop',
      };
    }
    const body = head.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    // A file that a crash cut off may hold anything besides.
    if (body.some(isRecord)) return true;
    if (body.some((line) => /^\d+ \d+ \d+ type: \d+/.test(line))) {
      return {
        declined: 'trace_options raw is on, events are undecoded: echo 0 > options/raw, then read again',
      };
    }
    if (body.some((line) => /^[0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{16} /.test(line))) {
      return {
        declined: 'trace_options hex is on, events are undecoded: echo 0 > options/hex, then read again',
      };
    }
    if (body.some((line) => line.includes('\0'))) {
      return {
        declined: 'trace_options bin is on, events are undecoded: echo 0 > options/bin, then read again',
      };
    }
    const bare = body.filter((line) => /^\w+: /.test(line));
    if (bare.length > 0 && bare.length === body.length) {
      return {
        declined:
          'trace_options context-info is off, so no task, CPU or time was printed: echo 1 > options/context-info',
      };
    }
    return true;
  }
  const lines = head.split(/\r?\n/).slice(0, 200);
  if (lines.some((line) => LOST.test(line) || isRecord(line))) return true;
  const other = OTHER_FILES.find(([pattern]) => pattern.test(head));
  return other === undefined ? false : { declined: `${other[1]}: give the trace it belongs to` };
}

/** @param layout of the records: `latency` where no header says so, as in a dump on the console */
export function createParser(sink: Sink, layout: 'default' | 'latency' = 'default'): Parser {
  const reader = createEventReader('caller-first');
  const known = nameIndex([...interestIn.keys()]);
  const comm = createByteTable(
    (latin1) => Buffer.from(latin1, 'latin1').toString('utf8').trimStart(),
    MOST_COMMS,
  );
  const frame = createByteTable((latin1) => (TRACING_FRAME.test(latin1) ? undefined : latin1), MOST_FRAMES);
  /** For stacks: they follow their event as a record of their own, perhaps after other CPUs' records. */
  const lastOfCpu = new Map<number, Event>();
  /** The stack being read, if the lines just above belong to one that is wanted. */
  let frames: string[] | undefined;
  /** A line that is no record by itself: a comm may hold a newline and go on in the next line. */
  let torn: { readonly line: number; readonly text: string } | undefined;
  let latency = layout === 'latency';
  let clockKnown = false;
  let latest = 0;
  /** It tells what readFast and readFrame would have told. */
  const sieve = createSieve({
    wanted: () =>
      latency || torn !== undefined
        ? undefined
        : { wakeups: reader.unloading, deferred: reader.watching, frames: frames !== undefined },
    onReference(event) {
      clock('time');
      if (event.ts > latest) latest = event.ts;
      keep(event);
    },
    onStack: openStack,
    onFrame(name) {
      if (frames !== undefined && name !== undefined) frames.push(name);
    },
    onPassed(passed) {
      if (!passed.inStack) frames = undefined;
      latest = Math.max(latest, passed.end);
      for (const cpu of lastOfCpu.keys()) if (passed.hasCpu(cpu)) lastOfCpu.delete(cpu);
    },
  });

  function commOf(latin1: string): string {
    const bytes = Buffer.from(latin1, 'latin1');
    return comm(bytes, 0, bytes.length);
  }

  function keep(event: Event): void {
    frames = undefined;
    lastOfCpu.set(event.cpu, event);
    sink.event(event);
  }

  function place(head: Head, read: Read, text: () => string, bodyAt: number): void {
    frames = undefined;
    if (read === undefined) {
      lastOfCpu.delete(head.cpu);
    } else if ('kind' in read) {
      keep(read);
    } else {
      sink.bad({ line: head.line, column: bodyAt + read.at + 1, message: read.message, text: text() });
      // With hash-ptr off some kernels print nothing of an event, not even its newline: the next record follows.
      const glued = text().slice(bodyAt);
      if (glued.charCodeAt(DASH) === MINUS) readRecord(glued, DASH, head.line);
    }
  }

  function openStack(cpu: number, pid: number): void {
    const owner = lastOfCpu.get(cpu);
    frames = undefined;
    if (owner !== undefined && owner.pid === pid && owner.stack === undefined) {
      frames = [];
      owner.stack = frames;
    }
  }

  function body(head: Head, text: string, whole: () => string, bodyAt: number): void {
    if (head.ts > latest) latest = head.ts;
    if (text === '<stack trace>') {
      openStack(head.cpu, head.pid);
      return;
    }
    const name = /^([\w.]+): /.exec(text)?.[1];
    if (name === undefined) {
      if (text.startsWith('sys_')) place(head, reader.syscall(text, head), whole, bodyAt);
      else frames = undefined;
      return;
    }
    const rest = text.slice(name.length + 2);
    const at = bodyAt + name.length + 2;
    if (known.names.has(name)) place(head, reader.tracepoint(name, rest, head), whole, at);
    else if (rest.startsWith('(')) place(head, reader.dynamic(name, rest, head), whole, at);
    else frames = undefined;
  }

  function clock(kind: 'time' | 'tai' | 'relative' | 'ticks'): void {
    if (clockKnown) return;
    clockKnown = true;
    sink.facts({ clock: kind });
  }

  function nanoseconds(text: string): number {
    const dot = text.indexOf('.');
    if (dot < 0) {
      clock('ticks');
      return Number(text);
    }
    const seconds = Number(text.slice(0, dot));
    clock(seconds > 1e9 ? 'tai' : 'time');
    return seconds * 1e9 + Number(text.slice(dot + 1).padEnd(9, '0'));
  }

  /** Slow but general: the default layout from a string, wherever its dash is. */
  function readRecord(text: string, dash: number, line: number): boolean {
    const match = RECORD.exec(text.slice(dash));
    if (match === null || match.index !== 0) return false;
    const [whole, pid, cpu, flags, time, rest] = match;
    const head: Head = {
      line,
      ts: nanoseconds(time!),
      cpu: Number(cpu),
      pid: Number(pid),
      comm: commOf(text.slice(0, dash)),
      context: contextOf(flags?.charCodeAt(2)),
    };
    body(head, rest!, () => text, dash + whole.length - rest!.length);
    return true;
  }

  function readLatency(text: string, line: number): boolean {
    const short = LATENCY.exec(text.slice(LATENCY_DASH));
    if (short !== null) {
      const [whole, pid, cpu, flags, time, us, rest] = short;
      clock(us === undefined ? 'ticks' : 'relative');
      const head: Head = {
        line,
        ts: Number(time) * (us === undefined ? 1 : 1000),
        cpu: Number(cpu),
        pid: Number(pid),
        comm: commOf(text.slice(0, LATENCY_DASH)),
        context: contextOf(flags!.charCodeAt(2)),
      };
      body(head, rest!, () => text, LATENCY_DASH + whole.length - rest!.length);
      return true;
    }
    const long = VERBOSE.exec(text);
    if (long === null) return false;
    const [, name, pid, cpu, ms, fraction, rest] = long;
    clock('relative');
    const head: Head = {
      line,
      ts: Number(ms) * 1e6 + Number(fraction) * 1e3,
      cpu: Number(cpu),
      pid: Number(pid),
      comm: commOf(name!),
      context: 'unknown',
    };
    body(head, rest!, () => text, text.length - rest!.length);
    return true;
  }

  /**
   * The default layout from bytes, without a string for what is not ours: a system-wide capture is mostly other
   * events. False when the line is not a record of this layout.
   */
  function readFast(bytes: Buffer, start: number, end: number, line: number): boolean {
    let at = start + DASH;
    if (end - start < DASH + 20 || bytes[at] !== MINUS) return false;
    let pid = 0;
    at++;
    const pidAt = at;
    for (let digit = bytes[at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48)
      pid = pid * 10 + digit;
    if (at === pidAt || bytes[at] !== SPACE) return false;
    while (bytes[at] === SPACE) at++;
    if (bytes[at] === OPEN) {
      at = bytes.indexOf(')', at) + 1;
      if (at === 0 || at >= end) return false;
      while (bytes[at] === SPACE) at++;
    }
    if (bytes[at] !== OPEN_BRACKET) return false;
    let cpu = 0;
    for (let digit = bytes[++at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48)
      cpu = cpu * 10 + digit;
    if (bytes[at] !== CLOSE_BRACKET) return false;
    at++;
    while (bytes[at] === SPACE) at++;
    let context: ExecContext = 'unknown';
    let first = bytes[at]! - 48;
    if (first < 0 || first > 9) {
      context = contextOf(bytes[at + 2]);
      while (at < end && bytes[at] !== SPACE) at++;
      while (bytes[at] === SPACE) at++;
      first = bytes[at]! - 48;
    }
    if (first < 0 || first > 9) return false;
    const timeAt = at;
    let seconds = 0;
    for (let digit = first; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48)
      seconds = seconds * 10 + digit;
    let ts = seconds;
    if (bytes[at] === DOT) {
      let fraction = 0;
      const fractionAt = at + 1;
      for (let digit = bytes[++at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) {
        fraction = fraction * 10 + digit;
      }
      const scale = SCALE[at - fractionAt];
      if (scale === undefined) return false;
      ts = seconds * 1e9 + fraction * scale;
    }
    if (at === timeAt || bytes[at] !== COLON || bytes[at + 1] !== SPACE) return false;
    if (ts > latest) latest = ts;
    at += 2;

    let nameEnd = at;
    while (NAME[bytes[nameEnd]!] === 1) nameEnd++;
    const tracepoint = bytes[nameEnd] === COLON && nameEnd < end ? known.find(bytes, at, nameEnd) : undefined;
    const dynamic = bytes[nameEnd] === COLON && bytes[nameEnd + 1] === SPACE && bytes[nameEnd + 2] === OPEN;
    const special = bytes[at] === 0x3c /* <stack trace> */ || known.isSyscall(bytes, at);
    if (tracepoint === undefined && !dynamic && !special) {
      lastOfCpu.delete(cpu);
      frames = undefined;
      return true;
    }

    const restAt = tracepoint === undefined ? at : Math.min(nameEnd + 2, end);
    if (tracepoint !== undefined && !reader.wants(tracepoint, bytes, restAt, end)) {
      lastOfCpu.delete(cpu);
      frames = undefined;
      return true;
    }
    if (!clockKnown) nanoseconds(bytes.toString('latin1', timeAt, bytes.indexOf(COLON, timeAt)));
    const head: Head = { line, ts, cpu, pid, comm: comm(bytes, start, start + DASH), context };
    readBody(head, tracepoint, bytes, start, restAt, end);
    return true;
  }

  /** By itself, since what a closure sees lies in memory and not in registers: reading headers would be slower. */
  function readBody(
    head: Head,
    tracepoint: string | undefined,
    bytes: Buffer,
    start: number,
    restAt: number,
    end: number,
  ): void {
    const rest = bytes.toString('latin1', restAt, end);
    const whole = () => bytes.toString('latin1', start, end);
    if (tracepoint === undefined) {
      body(head, rest, whole, restAt - start);
      return;
    }
    const read = reader.tracepoint(tracepoint, rest, head);
    place(head, read, whole, restAt - start);
    if (sieve.unknown && read !== undefined && 'refcnt' in read)
      sieve.teachReference(read, bytes.subarray(start, start + DASH));
  }

  function readFrame(bytes: Buffer, from: number, to: number): void {
    if (frames === undefined) return;
    const name = frame(bytes, from, to);
    if (name !== undefined) frames.push(name);
    if (sieve.unknown) sieve.teachFrame(name, bytes.subarray(from, to));
  }

  function header(text: string): void {
    const entries = ENTRIES.exec(text);
    if (entries !== null) {
      const overwritten = Number(entries[2]) - Number(entries[1]);
      if (overwritten > 0) sink.lost({ count: overwritten, where: 'head', line: headerLine });
      const cpus = /#P:(\d+)/.exec(text)?.[1];
      if (cpus !== undefined) sink.facts({ cpus: Number(cpus) });
    }
    const latencyTrace = /latency trace v[\d.]+ on (\S+)/.exec(text);
    if (latencyTrace !== null) {
      latency = true;
      sink.facts({ kernel: latencyTrace[1]! });
    }
  }
  let headerLine = 0;

  function giveUp(line: number, text: string): void {
    const dashed = text.charCodeAt(DASH) === MINUS ? DASH + 1 : 1;
    sink.bad({ line, column: dashed, message: `expected ${RECORD_HINT}`, text });
  }

  return {
    sieve,
    line(bytes, start, endWithCr, line) {
      const end = endWithCr > start && bytes[endWithCr - 1] === 0x0d ? endWithCr - 1 : endWithCr;
      if (torn === undefined) {
        if (standsAt(FRAME, bytes, start)) {
          readFrame(bytes, start + FRAME.length, end);
          return;
        }
        if (!latency && readFast(bytes, start, end, line)) return;
      }
      const text = bytes.toString('latin1', start, end);
      if (torn !== undefined) {
        const { line: firstLine, text: firstText } = torn;
        torn = undefined;
        const joined = `${firstText}\n${text}`;
        if (joined.charCodeAt(DASH) === MINUS && readRecord(joined, DASH, firstLine)) return;
        giveUp(firstLine, firstText);
        if (!latency && readFast(bytes, start, end, line)) return;
      }
      const mark = FRAME_MARK.exec(text);
      if (mark !== null) {
        readFrame(bytes, start + mark[0].length, end);
        return;
      }
      if (text.trim() === '' || text.startsWith('##### CPU ')) return;
      if (text.startsWith('#')) {
        headerLine = line;
        header(text);
        return;
      }
      const lost = LOST.exec(text);
      if (lost !== null) {
        const [, cpu, count] = lost;
        sink.lost({
          ...(count === undefined ? {} : { count: Number(count) }),
          cpu: Number(cpu),
          where: 'before',
          line,
        });
        return;
      }
      if (latency && readLatency(text, line)) return;
      if (text.charCodeAt(DASH) === MINUS && readRecord(text, DASH, line)) return;
      // Pasted text may have lost its indentation, so that the dash is elsewhere. A comm that imitates a record
      // can mislead this search; it is only tried when the dash is not where the kernel puts it.
      const found = RECORD.exec(text);
      if (found !== null && readRecord(text, found.index, line)) return;
      torn = { line, text };
    },
    end() {
      if (torn !== undefined) giveUp(torn.line, torn.text);
      if (latest > 0) sink.facts({ end: latest });
    },
  };
}

/** Nanoseconds per unit of the last digit, by number of fraction digits. */
const SCALE: readonly (number | undefined)[] = [...Array(6).fill(undefined), 1000, 100, 10, 1];

/** Which bytes may be in the name of an event. */
const NAME = Uint8Array.from({ length: 256 }, (_, c) => (isNameByte(c) ? 1 : 0));

/** Finds a name in bytes without making a string of it. */
function nameIndex(list: readonly string[]) {
  // Told apart by their ends and their length, nearly all other names need no comparison.
  const slots: { readonly name: string; readonly bytes: Buffer }[][] = Array.from({ length: 256 }, () => []);
  const slotOf = (first: number, last: number, length: number) => (first * 5 + last * 11 + length) & 255;
  for (const name of list) {
    const bytes = Buffer.from(name);
    slots[slotOf(bytes[0]!, bytes.at(-1)!, bytes.length)]!.push({ name, bytes });
  }
  const sys = Buffer.from('sys_');
  return {
    names: new Set(list),
    find(bytes: Buffer, start: number, end: number): string | undefined {
      if (start === end) return undefined;
      const slot = slots[slotOf(bytes[start]!, bytes[end - 1]!, end - start)]!;
      for (let i = 0; i < slot.length; i++) {
        const { name, bytes: spelling } = slot[i]!;
        if (spelling.length === end - start && standsAt(spelling, bytes, start)) return name;
      }
      return undefined;
    },
    isSyscall(bytes: Buffer, at: number): boolean {
      return standsAt(sys, bytes, at);
    },
  };
}
