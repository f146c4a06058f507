/**
 * The text of `perf script`, with and without callchains.
 *
 * Written by tools/perf/builtin-script.c. Seen from perf 6.1 and from perf of 6.12, with -F comm,pid,tid,cpu,misc,
 * time,event,trace,ip,sym,symoff,dso, with --ns, --header and --show-task-events.
 */
import type { Collector, Parser, Sink, Sniffed } from '../../src/model/collector.ts';
import type { Event } from '../../src/model/event.ts';
import { createEventReader, type Head, interestIn } from '../event-text.ts';
import { isNameByte, standsAt, TRACING_FRAME } from '../record-header.ts';

const TAB = 0x09;
const SPACE = 0x20;
const HASH = 0x23;
const OPEN = 0x28;
const MINUS = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** All that may come before the name of an event is far shorter: comm has 15 bytes, the rest are numbers. */
const HEADER_LIMIT = 160;
/** A garbage string may hold newlines; a record in more parts than this is not put together again. */
const TORN_LIMIT = 8;

const RECORD_HINT = '"COMM PID [CPU] TIME: SYSTEM:EVENT: …"';
/** libtraceevent knows no symbols for a probe's `(%lx)`: addresses are bare, also those of return probes. */
const PROBED = /^\([0-9a-f]+(?:\)| <- |$)/;
/** Where a quoted argument ends: strings of garbage may hold quotes, too. */
const CLOSING_QUOTE = /"(?= [A-Za-z_]\w*=|\s*$)/;
const LOST_RECORD = /^PERF_RECORD_LOST(?:_SAMPLES)? lost (\d+)/;
const LOST_CHATTER = /^Processed \d+ (?:events and lost \d+ chunks|samples and lost [\d.]+%)!/;
/** What perf says on stderr, which often ends up in the same file. */
const CHATTER = /^(?:\[ perf |'trace' not valid |Warning:|Check IO|Processed \d)/;

//                    +- address    +- symbol, offset  +- file or module
const FRAME = /^\t *([0-9a-f]+) (.*?)(?: \(([^()]*|\[[^\]]*\]\S*)\))?$/s;
/** The upper half of the address space. Frames of user space could bear the name of a kernel function. */
const KERNEL_ADDRESS = /^[89a-f](?:[0-9a-f]{15}|[0-9a-f]{7})$/;
const KERNEL_IMAGE = /^\[(?:guest\.)?kernel\.(?:kallsyms|vmlinux)/;
const USER_MAP = /^\[(?:vdso|vsyscall|stack|heap|uprobes)/;
const MODULE_FILE = /([^/]+)\.ko(?:\.\w+)?$/;

export const perfScript: Collector = {
  name: 'perf-script',
  title: 'text of perf script',
  sniff,
  createParser,
};

function sniff(head: string): Sniffed {
  if (head.startsWith('PERFILE2')) {
    return { declined: 'perf.data, the binary recording: perf script -i FILE prints it as text' };
  }
  if (head.startsWith('# To display the perf.data header info')) {
    return { declined: 'perf report, a summary without events: perf script prints them' };
  }
  const found = emptyHeader();
  let records = 0;
  const times: number[] = [];
  for (const line of head.split('\n')) {
    const bytes = Buffer.from(line, 'latin1');
    if (!findRecord(bytes, 0, bytes.length, found) || found.pid < 0) continue;
    records++;
    if (!found.aboutPerf) times.push(found.ts);
  }
  if (times[0] === 0 && times.some((time, i) => i > 0 && time < times[i - 1]!)) {
    return { declined: 'perf script --deltatime, times are only differences: leave the option out' };
  }
  if (records > 0) return true;
  if (/^(?:\[ perf record: [^\n]*(?:\n|$))+$/.test(head)) {
    return { declined: 'what perf record says of itself, without events: perf script prints them' };
  }
  if (/^ *\d+\.\d{3} (?:\( *[\d.]* ?(?:ms)? ?\): )?.{1,16}\/\d+ \w+:\w+\(/m.test(head)) {
    return { declined: 'perf trace, call sites are cut to 32 bits: use perf record and perf script' };
  }
  if (/^.{1,16} +\d+(?:\/\d+)? +(?:\[\d{3,}\] +)?(?:module|syscalls):\w+: /m.test(head)) {
    return { declined: 'perf script without times: add time to the fields given with -F' };
  }
  return false;
}

function createParser(sink: Sink): Parser {
  const reader = createEventReader('function-first');
  const found = emptyHeader();
  const comms = new Map<string, string>();
  /** The event whose callchain may follow. */
  let current: Event | undefined;
  /** Its callchain, once a frame of it is worth keeping. */
  let frames: string[] | undefined;
  let inCallchain = false;
  /** A record that ends within a quoted argument: garbage read by a probe may hold a newline. */
  let torn: { readonly line: number; readonly text: string; readonly parts: number } | undefined;
  let clockKnown = false;
  /** Above the first record, and only there, anything may stand. */
  let started = false;

  function comm(latin1: string): string {
    let text = comms.get(latin1);
    if (text === undefined) {
      text = Buffer.from(latin1, 'latin1').toString('utf8').trim();
      comms.set(latin1, text);
    }
    return text;
  }

  function clock(ts: number): void {
    if (clockKnown) return;
    clockKnown = true;
    sink.facts({ clock: ts === 0 ? 'relative' : ts > 1e18 ? 'tai' : 'time' });
  }

  /** `found` tells where the parts of the record are. */
  function record(bytes: Buffer, start: number, end: number, line: number): void {
    started = true;
    current = undefined;
    frames = undefined;
    inCallchain = false;
    if (found.aboutPerf) {
      const lost = LOST_RECORD.exec(bytes.toString('latin1', found.nameAt, end))?.[1];
      if (lost !== undefined) sink.lost({ count: Number(lost), where: 'anywhere', line });
      return;
    }
    const mayBeProbe = bytes[found.bodyAt] === OPEN;
    const name = bytes.toString('latin1', found.nameAt, found.nameEnd);
    if (!mayBeProbe && !interestIn.has(name)) return;
    const body = bytes.toString('latin1', found.bodyAt, end);
    // A probe of one's own may bear the name of a tracepoint, in another system.
    const isProbe = mayBeProbe && PROBED.test(body);
    if (!isProbe && (!interestIn.has(name) || !reader.wants(name, bytes, found.bodyAt, end))) return;
    if (isProbe && endsInString(body)) {
      torn = { line, text: bytes.toString('latin1', start, end), parts: 1 };
      return;
    }

    clock(found.ts);
    const head: Head = {
      line,
      ts: found.ts,
      cpu: found.cpu,
      pid: found.pid,
      comm: comm(bytes.toString('latin1', start, found.commEnd)),
      context: 'unknown',
    };
    const read = isProbe ? reader.dynamic(name, body, head) : reader.tracepoint(name, body, head);
    if (read === undefined) return;
    if ('kind' in read) {
      current = read;
      sink.event(read);
      return;
    }
    const column = found.bodyAt - start + read.at + 1;
    sink.bad({ line, column, message: read.message, text: bytes.toString('latin1', start, end) });
  }

  /** The line below a torn record. False when it is a record by itself. */
  function join(bytes: Buffer, start: number, end: number, above: NonNullable<typeof torn>): boolean {
    torn = undefined;
    if (findRecord(bytes, start, end, found)) {
      giveUp(above);
      return false;
    }
    const text = `${above.text}\n${bytes.toString('latin1', start, end)}`;
    if (!endsInString(text)) {
      const joined = Buffer.from(text, 'latin1');
      if (findRecord(joined, 0, joined.length, found)) record(joined, 0, joined.length, above.line);
    } else if (above.parts < TORN_LIMIT) torn = { line: above.line, text, parts: above.parts + 1 };
    else giveUp(above);
    return true;
  }

  function giveUp({ line, text }: NonNullable<typeof torn>): void {
    sink.bad({ line, column: text.lastIndexOf('="') + 2, message: 'expected a closing quote', text });
  }

  function frame(text: string): void {
    inCallchain = true;
    if (current === undefined) return;
    const [, address, symbol, file] = FRAME.exec(text) ?? [];
    if (address === undefined || symbol === undefined) return;
    const printed = kernelFrame(address, symbol, file);
    if (printed === undefined || TRACING_FRAME.test(printed)) return;
    if (frames === undefined) {
      frames = [];
      current.stack = frames;
    }
    frames.push(printed);
  }

  function header(text: string): void {
    const kernel = /^# os release : (\S+)/.exec(text)?.[1];
    if (kernel !== undefined) sink.facts({ kernel });
    const cpus = /^# nrcpus online : (\d+)/.exec(text)?.[1];
    if (cpus !== undefined) sink.facts({ cpus: Number(cpus) });
  }

  return {
    line(bytes, start, endWithCr, line) {
      const end = endWithCr > start && bytes[endWithCr - 1] === 0x0d ? endWithCr - 1 : endWithCr;
      if (torn !== undefined && join(bytes, start, end, torn)) return;
      if (start === end) {
        current = undefined;
        inCallchain = false;
        return;
      }
      if (bytes[start] === TAB) {
        if (current === undefined) inCallchain = true;
        else frame(bytes.toString('latin1', start, end));
        return;
      }
      if (findRecord(bytes, start, end, found)) {
        record(bytes, start, end, line);
        return;
      }
      // With srcline among the fields, every frame has a second line, which is indented.
      if (inCallchain && bytes[start] === SPACE) return;
      const text = bytes.toString('latin1', start, end);
      if (bytes[start] === HASH) header(text);
      else if (LOST_CHATTER.test(text)) sink.lost({ where: 'anywhere', line });
      else if (started && !CHATTER.test(text)) {
        sink.bad({ line, column: 1, message: `expected ${RECORD_HINT}`, text });
      }
    },
    end() {
      if (torn !== undefined) giveUp(torn);
    },
  };
}

/** The last quoted argument has no end. */
function endsInString(text: string): boolean {
  const quote = text.lastIndexOf('="');
  return quote >= 0 && !CLOSING_QUOTE.test(text.slice(quote + 2));
}

/** `sym+0xoff [module]` as the kernel would print it; undefined for user space. */
function kernelFrame(address: string, symbol: string, file: string | undefined): string | undefined {
  const map = file ?? '';
  const kernel =
    KERNEL_IMAGE.test(map) ||
    MODULE_FILE.test(map) ||
    (map.startsWith('[') && map !== '[unknown]' && !USER_MAP.test(map));
  if (!kernel && (USER_MAP.test(map) || !KERNEL_ADDRESS.test(address))) return undefined;
  if (symbol === '[unknown]') return `0x${address}`;
  const module = MODULE_FILE.exec(map)?.[1]?.replaceAll('-', '_') ?? bracketed(map);
  return module === undefined ? symbol : `${symbol} [${module}]`;
}

/** perf prints a module it has no file for as `[name]`, like the parts of the kernel that are none. */
function bracketed(map: string): string | undefined {
  if (!map.startsWith('[') || !map.endsWith(']') || map === '[unknown]' || KERNEL_IMAGE.test(map))
    return undefined;
  return map.slice(1, -1);
}

/** The parts of a record, as numbers and offsets: what is not ours costs no strings. */
interface Header {
  /** Written by perf itself: PERF_RECORD_COMM, _FORK, _LOST and the like. */
  aboutPerf: boolean;
  commEnd: number;
  /** -1 where perf was told not to print it, like `cpu`. */
  pid: number;
  cpu: number;
  /** Nanoseconds. */
  ts: number;
  /** The event's name without its system. */
  nameAt: number;
  nameEnd: number;
  bodyAt: number;
}

function emptyHeader(): Header {
  return { aboutPerf: false, commEnd: 0, pid: -1, cpu: -1, ts: 0, nameAt: 0, nameEnd: 0, bodyAt: 0 };
}

/**
 * Finds the colon behind the time and reads what is around it: to the left up to the comm, which may hold anything
 * but has no end of its own, to the right up to the body.
 */
function findRecord(bytes: Buffer, start: number, end: number, found: Header): boolean {
  const limit = Math.min(end, start + HEADER_LIMIT);
  let colon = bytes.indexOf(COLON, start);
  while (colon >= 0 && colon < limit) {
    if (
      bytes[colon + 1] === SPACE &&
      isDigit(bytes[colon - 1]!) &&
      readName(bytes, colon + 1, end, found) &&
      readHeader(bytes, start, colon, found)
    ) {
      return true;
    }
    colon = bytes.indexOf(COLON, colon + 1);
  }
  return false;
}

/** Reads ` SYSTEM:NAME: `, perhaps with a period before it, or ` PERF_RECORD_…`. */
function readName(bytes: Buffer, from: number, end: number, found: Header): boolean {
  let at = from;
  while (at < end && bytes[at] === SPACE) at++;
  if (at < end && isDigit(bytes[at]!)) {
    while (at < end && isDigit(bytes[at]!)) at++;
    if (bytes[at] !== SPACE) return false;
    while (at < end && bytes[at] === SPACE) at++;
  }
  found.nameAt = at;
  while (at < end && (isNameByte(bytes[at]!) || bytes[at] === MINUS)) at++;
  found.nameEnd = at;
  found.aboutPerf = at - found.nameAt > PERF_RECORD.length && standsAt(PERF_RECORD, bytes, found.nameAt);
  if (found.aboutPerf) return true;
  if (at === found.nameAt || at >= end || bytes[at] !== COLON) return false;
  at++;
  found.nameAt = at;
  while (at < end && (isNameByte(bytes[at]!) || bytes[at] === MINUS)) at++;
  if (at === found.nameAt || at >= end || bytes[at] !== COLON) return false;
  found.nameEnd = at++;
  while (at < end && bytes[at] === SPACE) at++;
  found.bodyAt = at;
  return true;
}

/** Reads `COMM PID/TID [CPU] MISC SECONDS.FRACTION` from its end, each part but the time being optional. */
function readHeader(bytes: Buffer, start: number, colon: number, found: Header): boolean {
  let at = colon;
  while (at > start && isDigit(bytes[at - 1]!)) at--;
  const digits = colon - at;
  if ((digits !== 6 && digits !== 9) || at === start || bytes[at - 1] !== DOT) return false;
  const fraction = decimal(bytes, at, colon);
  const dot = --at;
  while (at > start && isDigit(bytes[at - 1]!)) at--;
  if (at === dot || (at > start && bytes[at - 1] !== SPACE)) return false;
  found.ts = decimal(bytes, at, dot) * 1e9 + fraction * (digits === 6 ? 1000 : 1);

  at = beforeSpaces(bytes, start, at);
  const miscEnd = at;
  while (at > start && isLetter(bytes[at - 1]!)) at--;
  // Letters that are no misc are the end of the comm.
  if (at === start || bytes[at - 1] !== SPACE) at = miscEnd;
  else at = beforeSpaces(bytes, start, at);

  found.cpu = -1;
  if (at > start && bytes[at - 1] === CLOSE_BRACKET) {
    const cpuEnd = at - 1;
    let cpuAt = cpuEnd;
    while (cpuAt > start && isDigit(bytes[cpuAt - 1]!)) cpuAt--;
    if (cpuEnd - cpuAt >= 3 && bytes[cpuAt - 1] === OPEN_BRACKET) {
      found.cpu = decimal(bytes, cpuAt, cpuEnd);
      at = beforeSpaces(bytes, start, cpuAt - 1);
    }
  }

  found.pid = -1;
  found.commEnd = at;
  const pidEnd = at;
  while (at > start && isDigit(bytes[at - 1]!)) at--;
  if (at === pidEnd) return true;
  const tidAt = at;
  if (at > start && bytes[at - 1] === SLASH) {
    at--;
    while (at > start && (isDigit(bytes[at - 1]!) || bytes[at - 1] === MINUS)) at--;
  }
  if (at > start && bytes[at - 1] !== SPACE) return true;
  found.pid = decimal(bytes, tidAt, pidEnd);
  found.commEnd = at;
  return true;
}

const PERF_RECORD = Buffer.from('PERF_RECORD_');

function decimal(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) value = value * 10 + bytes[at]! - 48;
  return value;
}

function beforeSpaces(bytes: Buffer, start: number, end: number): number {
  let at = end;
  while (at > start && bytes[at - 1] === SPACE) at--;
  return at;
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39;
}

function isLetter(c: number): boolean {
  return (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
}
