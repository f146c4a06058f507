/**
 * Passes over lines that nobody needs, sixteen bytes at a time. AssemblyScript, which is TypeScript with the types of
 * WebAssembly; sieve-module.ts holds what it compiles to, and sieve.ts is how it is used.
 *
 * It knows the layout that the kernel prints by default, with four or five flags and any uptime:
 * `            bash-132     [000] ...1.     9.103915: module_get: …`. Whatever looks different is left to a closer look.
 */

/** What is to be done about an event, by its name. */
const LOOK: u32 = 1;
const LOOK_AT_WAKEUPS: u32 = 2;
const LOOK_AT_MODULES: u32 = 3;

/** What a closer look is asked for, besides what always needs one. */
const WAKEUPS: i32 = 1;
const DEFERRED: i32 = 2;
const FRAMES: i32 = 4;

const DASH = 16;
const CPU_AT = 25;
const FLAGS_AT = 31;
/** From the newline before it, a line shorter than this is no record. */
const SHORTEST = 54;

/** 256 slots of a name's hash and of what is to be done. */
const NAMES = 1024;
const SLOTS = 255;

/** Where a chunk is to be put. Behind it, some bytes more are looked at. */
export const CHUNK: i32 = 4096;
export const BEYOND: i32 = 64;

/** What the last `pass` went over: lines, bits of the CPUs of its records, and the time of the last one. */
export let lines: i32 = 0;
export let cpusLow: u32 = 0;
export let cpusHigh: u32 = 0;
export let seconds: i32 = 0;
export let micros: i32 = 0;

/** The name, of `length` bytes, lies where a chunk is put. */
export function know(length: i32, what: u32): void {
  const hash = hashOf(CHUNK, length);
  let slot = hash & SLOTS;
  while (load<u32>(NAMES + (slot << 3), 4) !== 0) slot = (slot + 1) & SLOTS;
  store<u32>(NAMES + (slot << 3), hash);
  store<u32>(NAMES + (slot << 3), what, 4);
}

/**
 * @param start of a line in the chunk, as an address
 * @param end of the chunk
 * @returns where the first line begins that needs a closer look, or that does not end in the chunk
 */
export function pass(start: i32, end: i32, wanted: i32): i32 {
  let line = start;
  let time = 0;
  lines = 0;
  let cpus: u64 = 0;
  for (;;) {
    const newline = find(10, line, end);
    if (newline < 0) break;
    if (load<u32>(line) === 0x203e3d20 /* " => " */) {
      if ((wanted & FRAMES) !== 0 && lines === 0) break;
    } else {
      if (newline - line < SHORTEST) break;
      const timeAt = timeOf(line);
      if (timeAt < 0) break;
      const dot = find(0x2e, timeAt, newline);
      const cpu = digits(line + CPU_AT + 1, 3);
      if (cpu > 63) break;
      const bit = (<u64>1) << cpu;
      if (!isPassed(dot + 9, newline, wanted) && !(isStack(dot + 9) && (cpus & bit) !== 0)) break;
      cpus |= bit;
      time = timeAt;
    }
    lines++;
    line = newline + 1;
  }
  cpusLow = <u32>cpus;
  cpusHigh = <u32>(cpus >> 32);
  if (time !== 0) readTime(time);
  return line;
}

/** Where the time begins in a record of the usual columns; -1 in any other line. */
function timeOf(line: i32): i32 {
  const isPid = digitsIn(v128.load(line, DASH + 1)) & 0xff;
  const afterPid = spacesIn(v128.load(line, DASH + 1)) & 0xff;
  if (load<u8>(line, DASH) !== 0x2d /* - */ || isPid === 0 || (isPid & (isPid + 1)) !== 0) return -1;
  if ((isPid | afterPid) !== 0xff) return -1;

  // The brackets around the CPU, a blank, and four or five flags.
  const middle = v128.load(line, CPU_AT);
  const isDigit = digitsIn(middle);
  const isSpace = spacesIn(middle);
  if (load<u8>(line, CPU_AT) !== 0x5b /* [ */ || load<u8>(line, CPU_AT + 4) !== 0x5d /* ] */) return -1;
  if ((isDigit & 0x4e) !== 0x0e || (isSpace & 0x3e0) !== 0x20) return -1;
  const timeAt = line + FLAGS_AT + ((isSpace & 0x400) !== 0 ? 5 : 6);
  return load<u8>(timeAt - 1) === 0x20 && isTime(timeAt) ? timeAt : -1;
}

/** Five columns of seconds, or as many as it takes, and microseconds. */
function isTime(at: i32): bool {
  const text = v128.load(at);
  const isDigit = digitsIn(text);
  const blanks = ctz(~spacesIn(text));
  const dot = blanks + ctz(~(isDigit >> blanks));
  return (
    dot > blanks &&
    dot >= 5 &&
    dot <= 9 &&
    load<u8>(at + dot) === 0x2e /* . */ &&
    ((isDigit >> (dot + 1)) & 63) === 63 &&
    load<u16>(at + dot, 7) === 0x203a /* ": " */
  );
}

/** Is this body one that nobody asked for? */
function isPassed(body: i32, end: i32, wanted: i32): bool {
  let length = ctz(~nameBytes(body));
  if (length === 16) length += ctz(~nameBytes(body + 16));
  const nameEnd = body + length;
  if (length === 0 || length === 32 || nameEnd + 2 >= end) return false;
  // A probe prints what it was set on, in parentheses.
  if (load<u16>(nameEnd) !== 0x203a /* ": " */ || load<u8>(nameEnd, 2) === 0x28 /* ( */) return false;
  const what = lookUp(hashOf(body, length));
  if (what === LOOK) return false;
  if (what === LOOK_AT_WAKEUPS) return (wanted & WAKEUPS) === 0;
  if (what === LOOK_AT_MODULES) return (wanted & DEFERRED) === 0 && !mayBeInModule(nameEnd + 2, end);
  return true;
}

function isStack(body: i32): bool {
  return load<u64>(body) === 0x74206b636174733c /* "<stack t" */;
}

/** The function of a timer, a work item or a callback: printed with its module behind it, or as an address. */
function mayBeInModule(from: i32, end: i32): bool {
  let at = from;
  while (at < end && load<u32>(at) !== 0x636e7566 /* func */) at++;
  while (at < end && isNameByte(load<u8>(at))) at++;
  // func=, func: , function=, function
  if (at + 1 < end && load<u8>(at, 1) === 0x20) at++;
  const start = at + 1;
  for (at = start; at < end && load<u8>(at) !== 0x20; ) at++;
  if (at + 1 < end && load<u8>(at, 1) === 0x5b /* [ */) return true;
  let hex = load<u8>(start, 1) === 0x78 /* 0x… */ ? start + 2 : start;
  const first = hex;
  while (hex < at && isHexDigit(load<u8>(hex))) hex++;
  return hex - first >= 8;
}

function readTime(at: i32): void {
  let digit = at;
  while (load<u8>(digit) === 0x20) digit++;
  const dot = find(0x2e, digit, digit + 16);
  seconds = digits(digit, dot - digit);
  micros = digits(dot + 1, 6);
}

/** -1 when one of them is none. */
function digits(at: i32, count: i32): i32 {
  let value = 0;
  for (let i = 0; i < count; i++) {
    const digit = <u32>load<u8>(at + i) - 0x30;
    if (digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** -1 when there is none before `end`. */
function find(byte: u8, from: i32, end: i32): i32 {
  const wanted = i8x16.splat(byte);
  for (let at = from; at < end; at += 16) {
    const found = i8x16.bitmask(i8x16.eq(v128.load(at), wanted));
    if (found !== 0) {
      const first = at + ctz(found);
      return first < end ? first : -1;
    }
  }
  return -1;
}

/** A bit for each of sixteen bytes that may be in the name of an event. */
function nameBytes(at: i32): i32 {
  const text = v128.load(at);
  const letters = within(v128.or(text, i8x16.splat(0x20)), 0x61, 25);
  const others = v128.or(i8x16.eq(text, i8x16.splat(0x5f)), i8x16.eq(text, i8x16.splat(0x2e)));
  return i8x16.bitmask(v128.or(v128.or(letters, within(text, 0x30, 9)), others));
}

function isNameByte(byte: u32): bool {
  const letter = (byte | 0x20) - 0x61;
  return letter < 26 || byte - 0x30 < 10 || byte === 0x5f || byte === 0x2e;
}

function isHexDigit(byte: u32): bool {
  return byte - 0x30 < 10 || byte - 0x61 < 6;
}

function digitsIn(text: v128): i32 {
  return i8x16.bitmask(within(text, 0x30, 9));
}

function spacesIn(text: v128): i32 {
  return i8x16.bitmask(i8x16.eq(text, i8x16.splat(0x20)));
}

/** Bytes from `low` to `low + span`. */
function within(text: v128, low: u8, span: u8): v128 {
  return i8x16.le_u(i8x16.sub(text, i8x16.splat(low)), i8x16.splat(span));
}

/** Of a name's first and last eight bytes. Two names with one hash both get the closer look that one needs. */
function hashOf(name: i32, length: i32): u32 {
  const first = load<u64>(name);
  const both =
    length < 8 ? first & (((<u64>1) << (length << 3)) - 1) : first ^ rotl(load<u64>(name + length - 8), 29);
  return <u32>((both * 0x9e3779b97f4a7c15) >> 32) ^ length;
}

function lookUp(hash: u32): u32 {
  let slot = hash & SLOTS;
  while (load<u32>(NAMES + (slot << 3), 4) !== 0 && load<u32>(NAMES + (slot << 3)) !== hash)
    slot = (slot + 1) & SLOTS;
  return load<u32>(NAMES + (slot << 3), 4);
}
