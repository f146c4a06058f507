/**
 * The text of `trace-cmd report`, and of `trace-cmd stream` and `record -p`, which print the same records.
 *
 * Written by tracecmd/trace-read.c of trace-cmd and by libtraceevent. Seen from trace-cmd 3.1.6 (no flags column)
 * and 3.3.1 (with one), with -t, -l, -F, --cpu, --ts-diff, --raw-ts, --align-ts, --debug, -V, with several files
 * and with buffer instances; with the function tracers, whose own records are passed over.
 */
import type { Collector, Parser, Sink, Sniffed } from '../../src/model/collector.ts';
import type { Event, ExecContext } from '../../src/model/event.ts';
import { createEventReader, type Head, interestIn } from '../event-text.ts';
import { contextOf, isNameByte, TRACING_FRAME } from '../record-header.ts';

/** comm is printed with %16s, under -l with %8.8s, so the dash before the pid is here, behind any prefix. */
const DASH = 16;
const LATENCY_DASH = 8;
/** The name of an event is filled up to this column; no other program that prints such records does that. */
const NAME_WIDTH = 22;

const SPACE = 0x20;
const OPEN = 0x28;
const CLOSE = 0x29;
const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const EQUALS = 0x3d;
const GREATER = 0x3e;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

const RECORD_HINT = '"COMM-PID [CPU] FLAGS TIME: EVENT: …"';
const CPUS = /^(?: *\S.*: )?cpus=(\d+)$/;
//                    +- file or instance    +- cpu         +- count
const REMARK = /^(?: *(\S.*): | *)CPU:(\d+) \[(?:(?:(\d+) )?(EVENTS DROPPED)|SUBBUFFER START)\]/;
/** What --debug prints behind every record: delta of time, offset in the file, size. */
const DEBUG_SUFFIX = / \[-?\d+:0x[0-9a-f]+:\d+\]$/;
/** What -V and --debug print, and complaints that end up in the same file. */
const CHATTER =
  /^(?:registering plugin|overriding event|removing override| TIME EXTEND: |trace-cmd: |libtrace)/;
/** Before the fields of an event whose format libtraceevent does not understand. */
const UNPARSED = '[FAILED TO PARSE] ';
/** libtraceevent knows no symbols for a probe's `(%lx)`: addresses are bare, also those of return probes. */
const PROBED = /^\([0-9a-f]+(?:\)| <- |$)/;
/** What -R prints in place of a formatted body. */
const RAW_FIELDS = /^(?:ip=|taints=|name=)/;
const RAW_PROBE = /^__probe_(?:ip|func)=/;

/** How many facts of a CPU are kept to know their twins: an interrupt may come between a fact and its twin. */
const TWIN_MEMORY = 4;
/** A second, or less of it on a raw clock. Files recorded one after the other hold no twins. */
const TWIN_DISTANCE = 1e9;

export const traceCmd: Collector = {
  name: 'trace-cmd',
  title: 'text of trace-cmd report and trace-cmd stream',
  sniff,
  createParser,
};

function sniff(head: string): Sniffed {
  // `trace-cmd show` prints the kernel's own text, header and all.
  if (/^# tracer: /m.test(head)) return false;
  const lines = head.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  const counted = lines.slice(0, 200).some((line) => CPUS.test(line));
  if (counted && lines.includes('Kernel buffer statistics:')) {
    return { declined: 'trace-cmd report --stat, counters without events: report without --stat' };
  }
  if (/^\s*(?:CPU ?\d+ data recorded at offset=|trace-cmd version )/.test(head)) {
    return { declined: 'what trace-cmd says of itself, without events: give trace.dat, or its report' };
  }
  if (/^(?:\w+:\w+\r?\n){3}/.test(head)) {
    return { declined: 'trace-cmd report -E, a list of events that could be: report without -E' };
  }
  const found = emptyHeader();
  let records = 0;
  let padded = false;
  for (const line of lines) {
    const bytes = Buffer.from(line, 'latin1');
    if (findRecord(bytes, 0, bytes.length, -1, found) < 0) continue;
    records++;
    const body = line.slice(found.bodyAt);
    const name = line.slice(found.nameAt, found.nameEnd);
    const raw = RAW_PROBE.test(body) || (interestIn.has(name) && RAW_FIELDS.test(body));
    const filled = name.length + 2 < NAME_WIDTH && found.bodyAt - found.nameAt >= NAME_WIDTH;
    if (filled && raw) {
      return { declined: 'trace-cmd report -R, strings are printed undecoded: report without -R' };
    }
    padded ||= filled;
  }
  return padded || (counted && (records > 0 || lines.some((line) => /^cpus=\d+$/.test(line))));
}

/** Something that happened once, although several instances may each have recorded it. */
interface Fact {
  readonly pid: number;
  readonly name: string;
  readonly body: string;
  readonly recordedBy: string[];
  readonly event: Event;
}

function createParser(sink: Sink): Parser {
  const reader = createEventReader('function-first');
  const found = emptyHeader();
  const comms = new Map<string, string>();
  /** For stacks: they follow their event as a record of their own, perhaps after other CPUs' records. */
  const lastOf = new Map<string, Event>();
  const recentFacts = new Map<number, Fact[]>();
  /** The stack being read, if the lines just above belong to one that is wanted. */
  let frames: string[] | undefined;
  /** A line that is no record by itself: a comm may hold a newline and go on in the next line. */
  let torn: { readonly line: number; readonly text: string } | undefined;
  /** Where the first record had its dash. Prefixes of files and instances are all of one width. */
  let usualDash = -1;
  let clockKnown = false;
  /** What was read last is not ours, so a line that is no record may be the rest of its text. */
  let foreign = true;
  /** A remark on a record, such as events lost before it, takes the prefix from the record, which is below. */
  let remarkedBy: string | undefined;

  function comm(latin1: string): string {
    let text = comms.get(latin1);
    if (text === undefined) {
      text = Buffer.from(latin1, 'latin1').toString('utf8').trimStart();
      comms.set(latin1, text);
    }
    return text;
  }

  function nanoseconds(): number {
    const { seconds, fraction, scale } = found;
    if (!clockKnown) {
      clockKnown = true;
      if (scale === 0) sink.facts({ clock: 'ticks' });
      else if (seconds === 0 && fraction === 0) sink.facts({ clock: 'relative' });
      else sink.facts({ clock: seconds > 1e9 ? 'tai' : 'time' });
    }
    return scale === 0 ? seconds : seconds * 1e9 + fraction * scale;
  }

  /**
   * The kernel calls all instances for a fact one after the other, in the same task on the same CPU, so the twin of
   * a record is among the last facts of its CPU and says the same in another instance's name.
   */
  function twinOf(instance: string, name: string, body: string, ts: number): Fact | undefined {
    return recentFacts
      .get(found.cpu)
      ?.findLast(
        (fact) =>
          fact.pid === found.pid &&
          fact.name === name &&
          fact.body === body &&
          ts - fact.event.ts < TWIN_DISTANCE &&
          !fact.recordedBy.includes(instance),
      );
  }

  function remember(cpu: number, fact: Fact): void {
    const recent = recentFacts.get(cpu);
    if (recent === undefined) recentFacts.set(cpu, [fact]);
    else if (recent.push(fact) > TWIN_MEMORY) recent.shift();
  }

  /** `found` tells where the parts of the record are. */
  function record(bytes: Buffer, start: number, end: number, line: number, dash: number): void {
    const commWidth = found.latency ? LATENCY_DASH : DASH;
    if (usualDash < 0 && dash >= commWidth && remarkedBy === undefined) usualDash = dash;
    const prefixed = usualDash > commWidth || (remarkedBy !== undefined && remarkedBy !== '');
    const instance = prefixed ? instanceOf(bytes, start, dash - commWidth) : '';
    remarkedBy = undefined;
    frames = undefined;
    const owner = `${instance}:${found.cpu}`;

    const name = bytes.toString('latin1', found.nameAt, found.nameEnd);
    const isTracepoint = interestIn.has(name);
    const mayBeProbe = !isTracepoint && bytes[found.bodyAt] === OPEN;
    if (!isTracepoint && !mayBeProbe) {
      foreign = true;
      const event = lastOf.get(owner);
      if (event === undefined) return;
      if (name !== 'kernel_stack') lastOf.delete(owner);
      else if (event.pid === found.pid && event.stack === undefined) {
        frames = [];
        event.stack = frames;
      }
      return;
    }

    let body = bytes.toString('latin1', found.bodyAt, end);
    if (bytes[end - 1] === CLOSE_BRACKET) body = body.replace(DEBUG_SUFFIX, '');
    foreign = mayBeProbe && !PROBED.test(body);
    lastOf.delete(owner);
    if (foreign) return;
    const ts = nanoseconds();
    const twin = prefixed ? twinOf(instance, name, body, ts) : undefined;
    if (twin !== undefined) {
      twin.recordedBy.push(instance);
      lastOf.set(owner, twin.event);
      return;
    }

    const head: Head = {
      line,
      ts,
      cpu: found.cpu,
      pid: found.pid,
      comm: comm(bytes.toString('latin1', start + Math.max(0, dash - commWidth), start + dash)),
      context: found.context,
    };
    const skipped = body.startsWith(UNPARSED) ? UNPARSED.length : 0;
    const text = body.slice(skipped);
    const read = isTracepoint ? reader.tracepoint(name, text, head) : reader.dynamic(name, text, head);
    if (read === undefined) return;
    if ('kind' in read) {
      lastOf.set(owner, read);
      if (prefixed) remember(head.cpu, { pid: head.pid, name, body, recordedBy: [instance], event: read });
      sink.event(read);
      return;
    }
    const column = found.bodyAt - start + skipped + read.at + 1;
    sink.bad({ line, column, message: read.message, text: bytes.toString('latin1', start, end) });
  }

  function instanceOf(bytes: Buffer, start: number, width: number): string {
    if (width <= 0) return remarkedBy ?? '';
    return bytes.toString('latin1', start, start + width).trim();
  }

  /** The line could not be joined with the one below it either. */
  function giveUp({ line, text }: { readonly line: number; readonly text: string }): void {
    // Warnings above the first record, or the further lines of a text that some other event printed.
    if (foreign && !/\[\d{3,}\]/.test(text)) return;
    const dash = usualDash < 0 ? DASH : usualDash;
    const column = text.charCodeAt(dash) === MINUS ? dash + 2 : 1;
    sink.bad({ line, column, message: `expected ${RECORD_HINT}`, text });
  }

  /** Everything that is neither a record nor a frame. False when it is unknown. */
  function aside(text: string, line: number): boolean {
    if (text === '' || CHATTER.test(text)) return true;
    const cpus = CPUS.exec(text)?.[1];
    if (cpus !== undefined) {
      sink.facts({ cpus: Number(cpus) });
      return true;
    }
    const remark = REMARK.exec(text);
    if (remark === null) return false;
    const [, prefix, cpu, count, dropped] = remark;
    remarkedBy ??= prefix === undefined ? '' : `${prefix}:`;
    if (dropped !== undefined) {
      sink.lost({
        ...(count === undefined ? {} : { count: Number(count) }),
        cpu: Number(cpu),
        where: 'before',
        line,
      });
    }
    return true;
  }

  return {
    line(bytes, start, endWithCr, line) {
      const end = endWithCr > start && bytes[endWithCr - 1] === 0x0d ? endWithCr - 1 : endWithCr;
      if (torn !== undefined) {
        const above = torn;
        torn = undefined;
        const joined = Buffer.from(`${above.text}\n${bytes.toString('latin1', start, end)}`, 'latin1');
        const dash = usualDash < 0 ? DASH : usualDash;
        if (joined[dash] === MINUS && readHeader(joined, dash, joined.length, found)) {
          record(joined, 0, joined.length, above.line, dash);
          return;
        }
        giveUp(above);
      }
      if (bytes[start] === EQUALS && bytes[start + 1] === GREATER) {
        if (frames !== undefined) {
          const frame = /^=> (.*?)(?: \([0-9a-f]+\))?$/s.exec(bytes.toString('latin1', start, end))?.[1];
          if (frame !== undefined && !TRACING_FRAME.test(frame)) frames.push(frame);
        }
        return;
      }
      const dash = findRecord(bytes, start, end, usualDash, found);
      if (dash >= 0) {
        record(bytes, start, end, line, dash);
        return;
      }
      const text = bytes.toString('latin1', start, end);
      if (!aside(text, line)) torn = { line, text };
    },
    end() {
      if (torn !== undefined) giveUp(torn);
    },
  };
}

/** The parts of a record from the dash on, as numbers and offsets: what is not ours costs no strings. */
interface Header {
  pid: number;
  cpu: number;
  context: ExecContext;
  latency: boolean;
  /** The kernel is known to have five flags. Outlives the record, as one with a digit there does not tell. */
  fiveFlags: boolean;
  seconds: number;
  fraction: number;
  /** Nanoseconds per unit of the fraction's last digit; 0 when the time is in a clock's own unit. */
  scale: number;
  nameAt: number;
  nameEnd: number;
  /** Where the first byte that is not a space follows the name. */
  bodyAt: number;
}

function emptyHeader(): Header {
  return {
    pid: 0,
    cpu: 0,
    context: 'unknown',
    latency: false,
    fiveFlags: false,
    seconds: 0,
    fraction: 0,
    scale: 0,
    nameAt: 0,
    nameEnd: 0,
    bodyAt: 0,
  };
}

/**
 * The offset of the dash before the pid, or -1. A comm may hold dashes, too, but at 15 bytes none that has all of a
 * header behind it, so the leftmost one that has is right.
 */
function findRecord(bytes: Buffer, start: number, end: number, usualDash: number, found: Header): number {
  if (usualDash >= 0 && readHeader(bytes, start + usualDash, end, found)) return usualDash;
  let at = bytes.indexOf(MINUS, start);
  while (at >= 0 && at < end) {
    if (readHeader(bytes, at, end, found)) return at - start;
    at = bytes.indexOf(MINUS, at + 1);
  }
  return -1;
}

/** Reads `-PID [CPU] FLAGS TIME: (+DIFF) NAME: ` or, under -l, `-PID CPUFLAGS TIME: …`, from the dash on. */
function readHeader(bytes: Buffer, dash: number, end: number, found: Header): boolean {
  if (bytes[dash] !== MINUS) return false;
  let at = dash + 1;
  found.pid = 0;
  for (let digit = bytes[at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) {
    found.pid = found.pid * 10 + digit;
  }
  if (at === dash + 1 || bytes[at] !== SPACE) return false;
  while (bytes[at] === SPACE) at++;
  found.latency = bytes[at] !== OPEN_BRACKET;
  if (!found.latency) at++;
  const cpuAt = at;
  found.cpu = 0;
  for (let digit = bytes[at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) {
    found.cpu = found.cpu * 10 + digit;
  }
  if (at === cpuAt) return false;
  if (!found.latency) {
    if (bytes[at] !== CLOSE_BRACKET) return false;
    at++;
    if (bytes[at] === SPACE) at++;
  } else if (bytes[at] === SPACE) return false;

  found.context = 'unknown';
  if (bytes[at] === MINUS) {
    // -R prints the flags as `-0x0`.
    while (at < end && bytes[at] !== SPACE) at++;
  } else if (bytes[at] !== SPACE && !isDigit(bytes[at]!)) {
    found.context = contextOf(bytes[at + 2]);
    at += flagsWidth(bytes, at, found);
  }
  while (bytes[at] === SPACE) at++;

  const timeAt = at;
  found.seconds = 0;
  for (let digit = bytes[at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) {
    found.seconds = found.seconds * 10 + digit;
  }
  if (at === timeAt) return false;
  found.fraction = 0;
  found.scale = 0;
  if (bytes[at] === DOT) {
    const fractionAt = ++at;
    for (let digit = bytes[at]! - 48; digit >= 0 && digit <= 9; digit = bytes[++at]! - 48) {
      found.fraction = found.fraction * 10 + digit;
    }
    if (at - fractionAt === 6) found.scale = 1000;
    else if (at - fractionAt === 9) found.scale = 1;
    else return false;
  }
  if (bytes[at] !== COLON || bytes[at + 1] !== SPACE) return false;
  at += 2;
  while (bytes[at] === SPACE) at++;
  if (bytes[at] === OPEN && (bytes[at + 1] === PLUS || bytes[at + 1] === MINUS)) {
    // --ts-diff
    while (at < end && bytes[at] !== CLOSE) at++;
    at++;
    while (bytes[at] === SPACE) at++;
  }

  found.nameAt = at;
  while (at < end && isNameByte(bytes[at]!)) at++;
  if (at === found.nameAt || at >= end || bytes[at] !== COLON) return false;
  found.nameEnd = at++;
  while (at < end && bytes[at] === SPACE) at++;
  found.bodyAt = at;
  return true;
}

/** Kernels before 5.15 have four flags, later ones five, and a raw timestamp may follow without a space. */
function flagsWidth(bytes: Buffer, at: number, found: Header): number {
  const fifth = bytes[at + 4]!;
  if (fifth === SPACE) return 4;
  if (!isDigit(fifth)) found.fiveFlags = true;
  return found.fiveFlags || bytes[at + 5] === SPACE ? 5 : 4;
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}
