/**
 * Passes over lines that nobody needs, sixteen bytes at a time, and reads the references and stacks between them into
 * columns. AssemblyScript, which is TypeScript with the types of WebAssembly; sieve-module.ts holds what it compiles to,
 * and sieve.ts is how it is used.
 *
 * It knows the layout that the kernel prints by default, with four or five flags, any uptime, and perhaps the tgid:
 * `            bash-132     [000] ...1.     9.103915: module_get: …`. Whatever looks different is left to a closer look,
 * and so is a reference with a word that it was not taught.
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
const AFTER_PID = 25;
/** `(    132) `, with record-tgid. */
const TGID_COLUMNS = 10;
/** From the bracket before the CPU to the flags. */
const FLAGS_AT = 6;

/** 256 slots of a name's hash and of what is to be done. */
const NAMES = 1024;
const SLOTS = 255;

/** Where a name or a word is to be put for `know` or `teach`. */
export const WORD: i32 = 3072;

/** Words that were taught, each in a slot near its hash: its kind and length, the hash, and behind them its bytes. */
const WORDS = 4096;
const WORD_BITS = 12;
/** A word's number is less. */
export const MOST_WORDS: i32 = 1 << WORD_BITS;
const WORD_SHIFT = 7;
const WORD_AT = 8;
export const LONGEST_WORD: i32 = (1 << WORD_SHIFT) - WORD_AT;
/** Slots that are looked at for a word: however many have one hash, there are no more. */
const NEIGHBOURS = 4;
export const COMM: i32 = 1;
export const MODULE: i32 = 2;
export const CALL_SITE: i32 = 3;
export const FRAME: i32 = 4;

/** What the last `pass` read, one item after the other, in numbers of 32 bits:
 *  1 (module_get) or 2 (module_put), line, CPU, third flag, pid, seconds, microseconds, comm, module, call site, refcnt;
 *  3 (a stack, of the last reference of its CPU), CPU, pid; 4 (a frame of the last stack), word. */
export const COLUMNS: i32 = WORDS + (MOST_WORDS << WORD_SHIFT);
const COLUMNS_END = COLUMNS + (1 << 17);
const GET = 1;
const PUT = 2;
const STACK = 3;
const STACK_FRAME = 4;
const LONGEST_ITEM = 44;

/** Where a chunk is to be put. Behind it, some bytes more are looked at. */
export const CHUNK: i32 = COLUMNS_END;
export const BEYOND: i32 = 64;

/** What the last `pass` went over: lines, the end of what it read, whether the last of it is a stack whose frames may go
 *  on, bits of the CPUs whose last record was passed over, and the time of the last record. */
export let lines: i32 = 0;
export let columnsEnd: i32 = 0;
export let inStack: bool = false;
export let cpusLow: u32 = 0;
export let cpusHigh: u32 = 0;
export let seconds: i32 = 0;
export let micros: i32 = 0;
/** It ended at a word that it was not taught. */
export let unknown: bool = false;

/** What is to be done about events of this name, of `length` bytes. */
export function know(length: i32, what: u32): void {
  const hash = hashOf(WORD, length);
  let slot = hash & SLOTS;
  while (load<u32>(NAMES + (slot << 3), 4) !== 0) slot = (slot + 1) & SLOTS;
  store<u32>(NAMES + (slot << 3), hash);
  store<u32>(NAMES + (slot << 3), what, 4);
}

/** @returns the word's number from now on, perhaps in place of another one */
export function teach(kind: i32, length: i32): i32 {
  const known = numberOf(kind, WORD, length);
  if (known >= 0) return known;
  const hash = wordHash(WORD, length);
  let slot = slotNear(hash, 0);
  for (let i = 1; i < NEIGHBOURS && load<u32>(wordAt(slot)) !== 0; i++) slot = slotNear(hash, i);
  const at = wordAt(slot);
  store<u32>(at, (kind << 16) | length);
  store<u32>(at, hash, 4);
  memory.copy(at + WORD_AT, WORD, length);
  return slot;
}

/**
 * @param start of a line in the chunk, as an address
 * @param end of the chunk
 * @returns where the first line begins that needs a closer look, or that does not end in the chunk
 */
export function pass(start: i32, end: i32, wanted: i32): i32 {
  let line = start;
  let lastDot = 0;
  lines = 0;
  columnsEnd = COLUMNS;
  unknown = false;
  inStack = (wanted & FRAMES) !== 0;
  /** CPUs whose last record was passed over, and those whose last record was read. */
  let passed: u64 = 0;
  let read: u64 = 0;
  let newline: i32;
  while (columnsEnd + LONGEST_ITEM <= COLUMNS_END) {
    if (load<u32>(line) === 0x203e3d20 /* " => " */) {
      newline = find(10, line, end);
      if (newline < 0) break;
      if (inStack && !readFrame(line + 4, textEnd(newline))) break;
    } else {
      const cpuAt = cpuOf(line);
      if (cpuAt < 0) break;
      const dot = dotOf(cpuAt);
      if (dot < 0) break;
      const body = dot + 9;
      newline = find(10, body, end);
      if (newline < 0) break;
      const cpu = digits(cpuAt + 1, 3);
      if (cpu > 63) break;
      const bit = (<u64>1) << cpu;
      const reference = referenceIn(body);
      if (reference !== 0) {
        if (!readReference(reference, line, cpuAt, dot, textEnd(newline))) break;
        read |= bit;
        passed &= ~bit;
        inStack = false;
      } else if ((read & bit) !== 0 && isStack(body, newline)) {
        put(STACK);
        put(cpu);
        put(pidOf(line));
        inStack = true;
      } else {
        if (!isPassed(body, newline, wanted) && !((passed & bit) !== 0 && isStack(body, newline))) break;
        passed |= bit;
        read &= ~bit;
        inStack = false;
      }
      lastDot = dot;
    }
    lines++;
    line = newline + 1;
  }
  cpusLow = <u32>passed;
  cpusHigh = <u32>(passed >> 32);
  if (lastDot !== 0) {
    seconds = secondsBefore(lastDot);
    micros = digits(lastDot + 1, 6);
  }
  return line;
}

function put(value: i32): void {
  store<i32>(columnsEnd, value);
  columnsEnd += 4;
}

/** GET, PUT, or 0 for any other record. */
function referenceIn(body: i32): i32 {
  const start = load<u64>(body);
  if (start === 0x675f656c75646f6d /* "module_g" */)
    return load<u32>(body, 8) === 0x203a7465 /* "et: " */ ? GET : 0;
  if (start === 0x705f656c75646f6d /* "module_p" */)
    return load<u32>(body, 8) === 0x203a7475 /* "ut: " */ ? PUT : 0;
  return 0;
}

/** `module_get: MODULE call_site=SYMBOL refcnt=N`; false where it is printed otherwise. */
function readReference(what: i32, line: i32, cpuAt: i32, dot: i32, end: i32): bool {
  const moduleAt = dot + 9 + 12;
  const siteAt = find(0x20, moduleAt, end);
  if (siteAt <= moduleAt) return false;
  if (load<u64>(siteAt) !== 0x69735f6c6c616320 /* " call_si" */) return false;
  if (load<u32>(siteAt, 7) !== 0x3d657469 /* "ite=" */) return false;
  let countAt = end;
  while (isDigit(load<u8>(countAt - 1))) countAt--;
  if (countAt === end || end - countAt > 9) return false;
  if (load<u64>(countAt - 8) !== 0x3d746e6366657220 /* " refcnt=" */) return false;
  const symbolAt = siteAt + 11;
  const symbolEnd = countAt - 8;
  if (symbolAt >= symbolEnd) return false;
  const comm = numberOf(COMM, line, DASH);
  const module = numberOf(MODULE, moduleAt, siteAt - moduleAt);
  const callSite = numberOf(CALL_SITE, symbolAt, symbolEnd - symbolAt);
  if ((comm | module | callSite) < 0) {
    unknown = true;
    return false;
  }
  put(what);
  put(lines);
  put(digits(cpuAt + 1, 3));
  put(load<u8>(cpuAt, FLAGS_AT + 2));
  put(pidOf(line));
  put(secondsBefore(dot));
  put(digits(dot + 1, 6));
  put(comm);
  put(module);
  put(callSite);
  put(digits(countAt, end - countAt));
  return true;
}

function readFrame(from: i32, end: i32): bool {
  const word = numberOf(FRAME, from, end - from);
  if (word < 0) {
    unknown = true;
    return false;
  }
  put(STACK_FRAME);
  put(word);
  return true;
}

function pidOf(line: i32): i32 {
  const at = line + DASH + 1;
  return digits(at, ctz(~digitsIn(v128.load(at))));
}

function secondsBefore(dot: i32): i32 {
  let at = dot;
  while (isDigit(load<u8>(at - 1))) at--;
  return digits(at, dot - at);
}

/** -1 when the word was not taught. */
function numberOf(kind: i32, word: i32, length: i32): i32 {
  const hash = wordHash(word, length);
  const head = (kind << 16) | length;
  for (let i = 0; i < NEIGHBOURS; i++) {
    const slot = slotNear(hash, i);
    const at = wordAt(slot);
    if (load<u32>(at) === head && load<u32>(at, 4) === hash && isSame(at + WORD_AT, word, length))
      return slot;
  }
  return -1;
}

/** The upper bits of a product depend on all of what was multiplied. */
function slotNear(hash: u32, i: i32): i32 {
  return ((hash >> (32 - WORD_BITS)) + i) & (MOST_WORDS - 1);
}

function wordAt(slot: i32): i32 {
  return WORDS + (slot << WORD_SHIFT);
}

function wordHash(word: i32, length: i32): u32 {
  let both: u64 = length;
  let at = 0;
  for (; at + 8 <= length; at += 8) both = rotl(both * 0x9e3779b97f4a7c15, 29) ^ load<u64>(word + at);
  if (at < length)
    both = rotl(both * 0x9e3779b97f4a7c15, 29) ^ (load<u64>(word + at) & firstBytes(length - at));
  return <u32>((both * 0x9e3779b97f4a7c15) >> 32);
}

function isSame(a: i32, b: i32, length: i32): bool {
  let at = 0;
  for (; at + 8 <= length; at += 8) if (load<u64>(a + at) !== load<u64>(b + at)) return false;
  return at === length || ((load<u64>(a + at) ^ load<u64>(b + at)) & firstBytes(length - at)) === 0;
}

/** Of eight, fewer than eight. */
function firstBytes(length: i32): u64 {
  return ((<u64>1) << (length << 3)) - 1;
}

/** Where the bracket before the CPU is in a record of the usual columns; -1 in any other line. */
function cpuOf(line: i32): i32 {
  if (load<u8>(line, DASH) !== 0x2d /* - */ || newlinesIn(v128.load(line)) !== 0) return -1;
  const text = v128.load(line, DASH + 1);
  const isPid = digitsIn(text) & 0xff;
  if (isPid === 0 || (isPid & (isPid + 1)) !== 0 || (isPid | (spacesIn(text) & 0xff)) !== 0xff) return -1;
  const at = line + AFTER_PID;
  if (load<u8>(at) !== 0x28 /* ( */) return at;
  const tgid = v128.load(at, 1);
  const isTgid = digitsIn(tgid) | spacesIn(tgid) | i8x16.bitmask(i8x16.eq(tgid, i8x16.splat(0x2d)));
  return (isTgid & 0x7f) === 0x7f && load<u16>(at, 8) === 0x2029 /* ") " */ ? at + TGID_COLUMNS : -1;
}

/** Where the dot of the time is, behind the brackets around the CPU, a blank, four or five flags, and five columns of
 *  seconds or as many as it takes; -1 where they are not, or no microseconds follow. */
function dotOf(cpuAt: i32): i32 {
  const text = v128.load(cpuAt);
  const isSpace = spacesIn(text);
  if (load<u8>(cpuAt) !== 0x5b /* [ */ || load<u8>(cpuAt + 4) !== 0x5d /* ] */) return -1;
  if ((digitsIn(text) & 0x4e) !== 0x0e || (isSpace & 0x3e0) !== 0x20) return -1;
  if ((newlinesIn(text) & 0x7e0) !== 0) return -1;
  const timeAt = cpuAt + FLAGS_AT + ((isSpace & 0x400) !== 0 ? 5 : 6);
  if (load<u8>(timeAt - 1) !== 0x20) return -1;
  const time = v128.load(timeAt);
  const isDigit = digitsIn(time);
  const blanks = ctz(~spacesIn(time));
  const dot = blanks + ctz(~(isDigit >> blanks));
  return dot > blanks &&
    dot >= 5 &&
    dot <= 9 &&
    load<u8>(timeAt + dot) === 0x2e /* . */ &&
    ((isDigit >> (dot + 1)) & 63) === 63 &&
    load<u16>(timeAt + dot, 7) === 0x203a /* ": " */
    ? timeAt + dot
    : -1;
}

/** Where the text of a line ends: some end with a carriage return, too. */
function textEnd(newline: i32): i32 {
  return load<u8>(newline - 1) === 13 ? newline - 1 : newline;
}

/** Is this body one that nobody asked for? */
function isPassed(body: i32, end: i32, wanted: i32): bool {
  const length = ctz(~(nameBytes(body) | (nameBytes(body + 16) << 16)));
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

function isStack(body: i32, newline: i32): bool {
  return (
    textEnd(newline) - body === 13 &&
    load<u64>(body) === 0x74206b636174733c /* "<stack t" */ &&
    load<u64>(body, 5) === 0x3e6563617274206b /* "k trace>" */
  );
}

/** The function of a timer, a work item or a callback: printed with its module behind it, or as an address. */
function mayBeInModule(from: i32, end: i32): bool {
  let at = find(0x66 /* f */, from, end);
  while (at >= 0 && load<u32>(at) !== 0x636e7566 /* func */) at = find(0x66, at + 1, end);
  if (at < 0) return false;
  // func=, func: , function=, function
  at += ctz(~nameBytes(at));
  const start = load<u8>(at, 1) === 0x20 ? at + 2 : at + 1;
  const blank = find(0x20, start, end);
  if (blank >= 0 && load<u8>(blank, 1) === 0x5b /* [ */) return true;
  // kthread_delayed_work_timer_fn, which queues what may be in one.
  if (blank - start === 29 && load<u64>(start) === 0x5f6461657268746b /* kthread_ */) return true;
  const first = load<u8>(start, 1) === 0x78 /* 0x… */ ? start + 2 : start;
  let hex = first;
  while (hex < end && isHexDigit(load<u8>(hex))) hex++;
  return hex - first >= 8;
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

function isDigit(byte: u32): bool {
  return byte - 0x30 < 10;
}

function isHexDigit(byte: u32): bool {
  return isDigit(byte) || byte - 0x61 < 6;
}

function digitsIn(text: v128): i32 {
  return i8x16.bitmask(within(text, 0x30, 9));
}

function newlinesIn(text: v128): i32 {
  return i8x16.bitmask(i8x16.eq(text, i8x16.splat(10)));
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
  const both = length < 8 ? first & firstBytes(length) : first ^ rotl(load<u64>(name + length - 8), 29);
  return <u32>((both * 0x9e3779b97f4a7c15) >> 32) ^ length;
}

function lookUp(hash: u32): u32 {
  let slot = hash & SLOTS;
  while (load<u32>(NAMES + (slot << 3), 4) !== 0 && load<u32>(NAMES + (slot << 3)) !== hash)
    slot = (slot + 1) & SLOTS;
  return load<u32>(NAMES + (slot << 3), 4);
}
