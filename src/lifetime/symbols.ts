/**
 * Epoch symbols: which function of which module was at an address at that time. Snapshots tell where the text of a
 * module lies; loads and frees tell when. Two modules may have had the same address one after the other, so a name
 * holds for one load only, and where two may claim an address it stays unresolved.
 */
import type { Code, Event, FunctionEntryEvent, ModuleTextEvent } from '../model/event.ts';
import { resolvedLate } from './calls.ts';

export interface Symbols {
  /** The event with its bare addresses named, as far as snapshots tell; the very same where they tell nothing. */
  resolve(event: Event): Event;
}

interface Text {
  readonly module: string;
  readonly place: { readonly start: bigint; readonly end: bigint } | undefined;
  /** By rising address. */
  readonly functions: readonly Placed[];
  /** Its load was seen: it is there by now. */
  loaded: boolean;
}

interface Placed {
  readonly at: bigint;
  readonly size: bigint;
  readonly symbol: string;
}

/** Freed texts that are remembered: what still runs in one names itself by it. */
const REMEMBERED = 64;
const BARE = /^0x[0-9a-f]{8,16}$/;

export function createSymbols(): Symbols {
  const live = new Map<string, Text>();
  const loaded = new Set<string>();
  let freed: Text[] = [];
  let known = new Map<string, Code | null>();
  const inFreed = new WeakSet<Code>();

  function bury(module: string): void {
    const text = live.get(module);
    if (text === undefined) return;
    live.delete(module);
    freed = [text, ...freed.slice(0, REMEMBERED - 1)];
  }

  function follow(event: Event): void {
    switch (event.kind) {
      case 'module_text':
        live.set(event.module, readText(event, loaded.has(event.module)));
        break;
      case 'module_load': {
        const text = live.get(event.module);
        if (text?.loaded === true) bury(event.module);
        else if (text !== undefined) text.loaded = true;
        loaded.add(event.module);
        break;
      }
      case 'module_free':
        bury(event.module);
        loaded.delete(event.module);
        break;
      default:
        return;
    }
    known = new Map();
  }

  /** Only the module that is surely there: of two that may be, none. */
  function ownerOf(isInside: (text: Text) => boolean): Text | undefined {
    const candidates = [...live.values()].filter(isInside);
    const sure = candidates.filter(({ loaded }) => loaded);
    if (sure.length === 1) return sure[0];
    return candidates.length > 0
      ? candidates.length === 1
        ? candidates[0]
        : undefined
      : freed.find(isInside);
  }

  function nameOf(address: string): Code | undefined {
    const before = known.get(address);
    if (before !== undefined) return before ?? undefined;
    const code = lookUp(BigInt(address), address);
    known.set(address, code ?? null);
    return code;
  }

  function lookUp(at: bigint, address: string): Code | undefined {
    const found = ownerOf((text) => functionAt(text, at) !== undefined);
    const owner = found ?? ownerOf(({ place }) => place !== undefined && at >= place.start && at < place.end);
    if (owner === undefined) return undefined;
    const { module } = owner;
    const fn = functionAt(owner, at);
    const offset = fn === undefined ? 0 : Number(at - fn.at);
    const code: Code =
      fn === undefined
        ? { text: `${address} [${module}]`, address, module }
        : { text: `${fn.symbol}+0x${offset.toString(16)} [${module}]`, symbol: fn.symbol, module, offset };
    if (freed.includes(owner)) inFreed.add(code);
    return code;
  }

  function named(code: Code): Code {
    if (code.symbol !== undefined || code.address === undefined) return code;
    return nameOf(code.address) ?? code;
  }

  /** As %ps prints it: a call site goes by its function. */
  function site(code: Code): Code {
    const found = named(code);
    if (found === code || found.symbol === undefined) return found;
    const text = `${found.symbol} [${found.module}]`;
    const whole = known.get(text) ?? { text, symbol: found.symbol, module: found.module! };
    known.set(text, whole);
    return whole;
  }

  /** `other_fn+0x130 [other]`: printed when another module had the address; where that lay tells the address. */
  function entered(event: FunctionEntryEvent): Code {
    const { fn } = event;
    if (fn.symbol === undefined || !resolvedLate(event)) return named(fn);
    const successor = live.get(fn.module!) ?? freed.find(({ module }) => module === fn.module);
    const base = successor?.functions.find(({ symbol }) => symbol === fn.symbol)?.at;
    if (base === undefined) return fn;
    const address = `0x${(base + BigInt(fn.offset!)).toString(16)}`;
    const found = nameOf(address);
    return found === undefined || found.module === fn.module ? { text: address, address } : found;
  }

  return {
    resolve(event) {
      follow(event);
      if (live.size === 0 && freed.length === 0) return event;
      const stack = event.stack?.some((frame) => BARE.test(frame))
        ? event.stack.map((frame) => (BARE.test(frame) ? (nameOf(frame)?.text ?? frame) : frame))
        : event.stack;
      const resolved = stack === event.stack ? event : { ...event, stack: stack! };
      switch (resolved.kind) {
        case 'module_get':
        case 'module_put': {
          const callSite = site(resolved.callSite);
          return callSite === resolved.callSite ? resolved : { ...resolved, callSite };
        }
        case 'function_entry': {
          const fn = entered(resolved);
          return fn === resolved.fn ? resolved : { ...resolved, fn };
        }
        case 'function_return': {
          const fn = named(resolved.fn);
          const caller = resolved.caller === undefined ? undefined : named(resolved.caller);
          if (fn === resolved.fn && caller === resolved.caller) return resolved;
          return caller === undefined ? { ...resolved, fn } : { ...resolved, fn, caller };
        }
        case 'kernel_fault': {
          const address = resolved.at?.address;
          const at = address === undefined ? undefined : nameOf(address);
          if (at === undefined) return resolved;
          // With its address it is a place in freed text.
          return { ...resolved, at: inFreed.has(at) ? { ...at, address: address! } : at };
        }
        default:
          if (!('fn' in resolved) || resolved.fn === undefined) return resolved;
          return named(resolved.fn) === resolved.fn ? resolved : { ...resolved, fn: named(resolved.fn) };
      }
    },
  };
}

function readText({ module, place, functions }: ModuleTextEvent, loaded: boolean): Text {
  return {
    module,
    place: place && { start: BigInt(place.start), end: BigInt(place.end) },
    functions: functions.map(({ address, size, symbol }) => ({
      at: BigInt(address),
      size: BigInt(size),
      symbol,
    })),
    loaded,
  };
}

function functionAt({ functions }: Text, address: bigint): Placed | undefined {
  let from = 0;
  let to = functions.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (functions[middle]!.at <= address) from = middle + 1;
    else to = middle;
  }
  const found = functions[from - 1];
  return found !== undefined && address < found.at + found.size ? found : undefined;
}
