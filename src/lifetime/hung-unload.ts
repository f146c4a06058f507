/** khungtaskd found a task blocked: is it one that unloads a module, and which? */
import type { HungTaskEvent } from '../model/event.ts';
import { bareSymbol, readFrame } from './sites.ts';

const DELETE_MODULE = /sys_delete_module$/;

/** The outermost function of a module under delete_module: its exit, as far as a stack can tell. */
export function hungExit({
  stack = [],
}: HungTaskEvent): { readonly module: string; readonly symbol: string } | undefined {
  const frames = stack.map(readFrame);
  const syscall = frames.findIndex((frame) => DELETE_MODULE.test(bareSymbol(frame?.symbol ?? '')));
  const exit = frames.slice(0, Math.max(syscall, 0)).findLast((frame) => frame?.module !== undefined);
  return exit?.module === undefined ? undefined : { module: exit.module, symbol: exit.symbol };
}
