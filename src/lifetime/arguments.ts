/** What a probe printed, by meaning: whoever sets one names its arguments as they like. */
import type { FunctionEntryEvent, FunctionReturnEvent } from '../model/event.ts';
import { functionName } from './calls.ts';
import type { Incarnation } from './changes.ts';
import { bareSymbol } from './sites.ts';

/** Their one argument is a `struct module *`. */
const OF_A_MODULE: ReadonlySet<string> = new Set([
  'try_module_get',
  '__module_get',
  'module_put',
  'do_init_module',
  'free_module',
]);

const NULL = /^(?:0x)?0+$/;
const POINTER = /^0x[0-9a-f]{1,16}$/;
const KERNEL_POINTER = /^0x[89a-f][0-9a-f]{7}(?:[0-9a-f]{8})?$/;
/** struct module begins a cache line, which a return address seldom does. */
const CACHE_LINE = 32n;

/**
 * Which module a probe on a module function speaks of: the one that it names, or else the one of `known` whose name or
 * whose struct module is among its arguments. Unreadable memory and no module at all are undefined.
 */
export function moduleArgument(
  event: FunctionEntryEvent,
  known: ReadonlyMap<string, Incarnation>,
): string | undefined {
  const { name, mod } = event.args;
  if (mod !== undefined && NULL.test(mod)) return undefined;
  // As `modlife capture` names it, on whichever function: some tracers print only its address.
  if (name !== undefined) return /^[\w-]+$/.test(name) ? name : undefined;
  if (!OF_A_MODULE.has(bareSymbol(functionName(event)))) return undefined;
  const printed = Object.values(event.args);
  const named = printed.find((value) => known.has(value));
  if (named !== undefined || !printed.some((value) => KERNEL_POINTER.test(value))) return named;
  return [...known.values()].find(
    ({ address, state }) => address !== undefined && state !== 'freed' && printed.includes(address),
  )?.module;
}

/** Where the struct module lies that a probe on a module function was given, as printed. */
export function moduleAddress(event: FunctionEntryEvent): string | undefined {
  const { args } = event;
  if (args.mod !== undefined) return POINTER.test(args.mod) ? args.mod : undefined;
  if (!OF_A_MODULE.has(bareSymbol(functionName(event)))) return undefined;
  const pointers = Object.values(args).filter(
    (value) => KERNEL_POINTER.test(value) && BigInt(value) % CACHE_LINE === 0n,
  );
  return pointers.length === 1 ? pointers[0] : undefined;
}

/** What the function returned: `ret`, as `modlife capture` names it, or the only thing that was printed. */
export function returnValue({ args }: FunctionReturnEvent): bigint | undefined {
  const printed = Object.values(args);
  const value = args.ret ?? (printed.length === 1 ? printed[0]! : '');
  return /^(?:-?\d+|0x[0-9a-f]+)$/.test(value) ? BigInt(value) : undefined;
}

/** The negative error that the function returned, however the probe printed it. */
export function errorReturned(event: FunctionReturnEvent): number | undefined {
  const value = returnValue(event);
  if (value === undefined) return undefined;
  // An int fills half of the register.
  const signed = value < 1n << 32n ? BigInt.asIntN(32, value) : BigInt.asIntN(64, value);
  return signed < 0n && signed >= -4095n ? Number(signed) : undefined;
}
