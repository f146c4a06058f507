import type { FunctionEntryEvent } from '../model/event.ts';

/** Which module a probe on a module function speaks of; unreadable memory and no module at all are undefined. */
export function moduleArgument(event: FunctionEntryEvent): string | undefined {
  const { name, mod } = event.args;
  if (name === undefined || mod === '0x0' || mod === '0') return undefined;
  return /^[\w-]+$/.test(name) ? name : undefined;
}
