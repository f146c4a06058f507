/**
 * Whose text is it? An address or a symbol looked up after an unload carries the name of whatever lives there now,
 * or none. What the unload itself did tells: the function that rmmod ran between the system call and the free was
 * the freed module's exit function, and other probes that print as neighbours of it lay in the same text.
 */
import type { Code, Event } from '../model/event.ts';
import type { Call } from './calls.ts';
import type { Incarnation, Unload } from './changes.ts';

/** Largest distance from a module's text to its struct module while both share one allocation (before 6.4). */
const REACH = 1n << 22n;
/** The smallest there is: what shares one shares any larger one, too. */
const PAGE = 4096n;
/** Where x86-64 puts modules, for captures that tell no struct module at all. */
const X86_MODULES = 0xffffffffc0000000n;

/** Could this be a function in a module, and not in vmlinux? */
export function mayBeModuleText(code: Code, known: Iterable<Incarnation>): boolean {
  if (code.module !== undefined) return true;
  if (code.address === undefined) return false;
  const address = BigInt(code.address);
  let told = false;
  for (const { address: mod } of known) {
    if (mod === undefined) continue;
    told = true;
    if (distance(address, BigInt(mod)) < REACH * 16n) return true;
  }
  return !told && address >= X86_MODULES;
}

/** Whose text a function entered just now lies in, as far as is known while it runs. */
export function ownerNow(call: Call, alive: Iterable<Incarnation>): Incarnation | undefined {
  const { fn } = call.entry;
  if (fn.address !== undefined && fn.module === undefined) return ownerByAddress(fn, alive, call);
  if (isGuessed(call) || fn.module === undefined) return undefined;
  for (const incarnation of alive) if (incarnation.module === fn.module) return incarnation;
  return undefined;
}

/** Its name was looked up too late, and the module in brackets with it. An address with a module is a snapshot's. */
function isGuessed({ late, entry }: Call): boolean {
  return late && entry.fn.address === undefined;
}

/** Does a pointer to a function, told by `event`, point into the text of `incarnation`? */
export function pointsInto(
  fn: Code,
  event: Event,
  incarnation: Incarnation,
  all: readonly Incarnation[],
): boolean {
  if (fn.module !== undefined) return fn.module === incarnation.module && wasAliveAt(incarnation, event.seq);
  if (fn.address === undefined) return false;
  const alive = all.filter((each) => wasAliveAt(each, event.seq));
  return nearestAbove(BigInt(fn.address), alive) === incarnation;
}

/**
 * Whose text or data was at `address`, if it had been freed by then. `sure` where struct module addresses tell; else
 * it is the only module that was freed at all.
 */
export function freedAt(
  address: string,
  fault: Event,
  all: readonly Incarnation[],
): { readonly incarnation: Incarnation; readonly sure: boolean } | undefined {
  const gone = all.filter(({ free }) => free !== undefined && free.seq < fault.seq);
  // A snapshot told whose text it was; see symbols.ts.
  if (fault.kind === 'kernel_fault' && fault.at?.address !== undefined && fault.at.module !== undefined) {
    const { module } = fault.at;
    const incarnation = gone.findLast((each) => each.module === module);
    return incarnation === undefined ? undefined : { incarnation, sure: true };
  }
  const known = all.filter(({ free }) => free === undefined || free.seq < fault.seq);
  const owner = onPage(BigInt(address), known) ?? nearestAbove(BigInt(address), known);
  // A trace that a crash cut off may lack the unload; the kernel remembers it.
  const unloaded = fault.kind === 'kernel_fault' ? fault.lastUnloaded : undefined;
  if (owner !== undefined) {
    const isGone = gone.includes(owner) || owner.module === unloaded;
    return isGone ? { incarnation: owner, sure: true } : undefined;
  }
  const only = gone.length === 1 && gone[0]!.address === undefined ? gone[0] : undefined;
  return only === undefined || BigInt(address) < X86_MODULES ? undefined : { incarnation: only, sure: false };
}

/** Was `call` in the text of `incarnation`? Decided when the unload is over, from all that is known then. */
export function isInTextOf(
  call: Call,
  incarnation: Incarnation,
  unload: Unload | undefined,
  all: Iterable<Incarnation>,
): boolean {
  const { fn } = call.entry;
  if (!isGuessed(call) && fn.module !== undefined) {
    return fn.module === incarnation.module && wasAlive(incarnation, call);
  }
  const framed = call.entry.stack?.[0];
  const frameModule = framed === undefined ? undefined : /\[([^\]]+)\]$/.exec(framed)?.[1];
  if (frameModule !== undefined) return frameModule === incarnation.module && wasAlive(incarnation, call);
  const exit = unload?.exit?.entry.fn;
  if (fn.symbol !== undefined) {
    return exit !== undefined && exit !== fn && exit.symbol === fn.symbol && exit.module === fn.module;
  }
  if (exit?.address !== undefined && distance(BigInt(exit.address), BigInt(fn.address!)) < 0x10000n) {
    return ownerByAddress(fn, all, call) === undefined || ownerByAddress(fn, all, call) === incarnation;
  }
  return ownerByAddress(fn, all, call) === incarnation;
}

function ownerByAddress(fn: Code, all: Iterable<Incarnation>, call: Call): Incarnation | undefined {
  return nearestAbove(
    BigInt(fn.address!),
    [...all].filter((incarnation) => wasAlive(incarnation, call)),
  );
}

/** Text precedes data in a module's allocation, so the owner is the nearest struct module above the address; of loads at
 *  one place, the latest. */
export function nearestAbove(address: bigint, among: readonly Incarnation[]): Incarnation | undefined {
  let owner: Incarnation | undefined;
  let nearest = REACH;
  for (const incarnation of among) {
    if (incarnation.address === undefined) continue;
    const above = BigInt(incarnation.address) - address;
    if (above > 0n && above <= nearest) {
      nearest = above;
      owner = incarnation;
    }
  }
  return owner;
}

/** Behind struct module lies what else a module writes to, its timers among it; no two modules share a page. */
function onPage(address: bigint, among: readonly Incarnation[]): Incarnation | undefined {
  return among.findLast(
    (each) => each.address !== undefined && BigInt(each.address) / PAGE === address / PAGE,
  );
}

function wasAlive(incarnation: Incarnation, call: Call): boolean {
  return wasAliveAt(incarnation, call.entry.seq);
}

function wasAliveAt(incarnation: Incarnation, seq: number): boolean {
  return (incarnation.free === undefined || seq < incarnation.free.seq) && incarnation.first.seq <= seq + 1;
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a;
}
