/** The kernel's symbols as the file brings them: /proc/kallsyms, read when recording ended. */

import { goneFunctions, type Listed, LONGEST_FUNCTION } from '../init-functions.ts';

export interface Symbols {
  /** The function that an address lies in. */
  find(high: number, low: number): Found | undefined;
}

export interface Found {
  readonly symbol: string;
  readonly module: string | undefined;
  readonly offset: number;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const DOLLAR = 0x24;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** tTwWi: the rest is data, which bounds the text before it. */
const TEXT = new Set([0x74, 0x54, 0x77, 0x57, 0x69]);
const GLOBAL = 0x54;
/** Code that is no module's, though kallsyms says so in brackets. */
const NO_MODULE = /^(?:bpf|__builtin__.*)$/;
/** Behind the last symbol of a module its text may have ended and that of one unloaded since begun: on a new page. */
const PAGE = 1 << 12;

/** Kernel addresses differ in their low 52 bits only, and those fit a number. */
export function addressKey(high: number, low: number): number {
  return (high & 0xfffff) * 2 ** 32 + low;
}

export function createSymbols(kallsyms: Buffer): Symbols {
  const keys: number[] = [];
  /** Offset of the type letter, which the name follows. */
  const places: number[] = [];
  let order: Uint32Array | undefined;
  /** Places of functions whose text is gone. */
  let gone: ReadonlySet<number> = new Set();

  function read(): void {
    let sorted = true;
    const ofModules: number[] = [];
    for (let at = 0; at < kallsyms.length; ) {
      let end = kallsyms.indexOf(NEWLINE, at);
      if (end < 0) end = kallsyms.length;
      let high = 0;
      let low = 0;
      let digits = 0;
      for (; digits < 16; digits++) {
        const digit = hexDigit(kallsyms[at + digits]!);
        if (digit < 0) break;
        high = ((high << 4) | (low >>> 28)) >>> 0;
        low = ((low << 4) | digit) >>> 0;
      }
      const type = at + digits + 1;
      if (digits >= 8 && type + 2 < end && kallsyms[type + 1] === SPACE && kallsyms[type + 2] !== DOLLAR) {
        const key = addressKey(high, low);
        // An ordinary user sees only zeros.
        if (key !== 0) {
          sorted &&= keys.length === 0 || keys[keys.length - 1]! <= key;
          keys.push(key);
          places.push(type);
          if (kallsyms[end - 1] === CLOSE_BRACKET) ofModules.push(keys.length - 1);
        }
      }
      at = end + 1;
    }
    order = Uint32Array.from(keys.keys());
    // Stable, so of several names for one place the first stays first, as the kernel has it.
    if (!sorted) order.sort((a, b) => keys[a]! - keys[b]! || a - b);
    gone = initFunctions(ofModules);
  }

  function initFunctions(ofModules: readonly number[]): Set<number> {
    const symbols = new Map<string, (Listed & { readonly place: number })[]>();
    for (const index of ofModules) {
      const place = places[index]!;
      const { module } = nameAt(place + 2);
      if (module === undefined || NO_MODULE.test(module)) continue;
      const type = kallsyms[place]!;
      const symbol = { at: keys[index]!, isText: TEXT.has(type), isGlobal: type === GLOBAL, place };
      const own = symbols.get(module);
      if (own === undefined) symbols.set(module, [symbol]);
      else own.push(symbol);
    }
    const all = [...symbols.values()].flatMap((own) => [...goneFunctions(own)]);
    return new Set(all.map(({ place }) => place));
  }

  return {
    find(high, low) {
      if (order === undefined) read();
      const key = addressKey(high, low);
      let from = 0;
      let to = order!.length;
      while (from < to) {
        const middle = (from + to) >>> 1;
        if (keys[order![middle]!]! <= key) from = middle + 1;
        else to = middle;
      }
      if (from === 0) return undefined;
      const start = keys[order![from - 1]!]!;
      const offset = key - start;
      let first = from - 1;
      while (first > 0 && keys[order![first - 1]!] === start) first--;
      for (let i = first; i < from; i++) {
        const place = places[order![i]!]!;
        if (!TEXT.has(kallsyms[place]!) || gone.has(place)) continue;
        const { symbol, module } = nameAt(place + 2);
        const pseudo = module !== undefined && NO_MODULE.test(module);
        const next = order![from];
        const inside = !pseudo && next !== undefined && nameAt(places[next]! + 2).module === module;
        if (offset >= (inside ? LONGEST_FUNCTION : PAGE)) return undefined;
        return { symbol, module: pseudo ? undefined : module, offset };
      }
      return undefined;
    },
  };

  function nameAt(start: number): { symbol: string; module: string | undefined } {
    let end = start;
    for (let c = kallsyms[end]; c !== undefined && c !== TAB && c !== SPACE && c !== NEWLINE; )
      c = kallsyms[++end];
    const symbol = kallsyms.toString('latin1', start, end);
    if (kallsyms[end + 1] !== OPEN_BRACKET) return { symbol, module: undefined };
    const close = kallsyms.indexOf(']', end);
    const module = kallsyms.toString('latin1', end + 2, close < 0 ? end + 2 : close);
    return { symbol, module: module === '' ? undefined : module };
  }
}

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const letter = c | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
