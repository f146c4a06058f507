/** Is a function the release method of a kobject? What speaks for it, best first. */
import type { Call, CallTracker } from '../lifetime/calls.ts';
import { bareSymbol } from '../lifetime/sites.ts';

/** The kobject core and what it is wrapped in: their callee in a module is a release method. */
const RELEASERS =
  /^(kobject_put|kobject_release|kobject_cleanup|kobject_delayed_cleanup|kref_put|device_release|put_device|klist_release)$/;
const FILE_CLOSERS = /^(__fput|____fput|fput|__fput_sync|fops_put)$/;
/** Names that authors give to release methods; the weakest sign. */
const RELEASE_NAME = /_(release|free|dtor|destructor|destroy|del|kfree)$/;

export type ReleaseSign = 'kobject core' | 'argument' | 'name';

/** Why `call` is taken for a release method; undefined when it is not. */
export function releaseSign(call: Call, calls: CallTracker): ReleaseSign | undefined {
  if (isFileOperation(call, calls)) return undefined;
  if (call.releasing) return 'kobject core';
  const caller = call.returned?.caller?.symbol;
  if (caller !== undefined && RELEASERS.test(bareSymbol(caller))) return 'kobject core';
  if (
    framesOf(call)
      .slice(0, 3)
      .some((frame) => RELEASERS.test(frame))
  )
    return 'kobject core';
  if ('kobj' in call.entry.args || 'kobject' in call.entry.args || 'kref' in call.entry.args)
    return 'argument';
  return RELEASE_NAME.test(call.name) ? 'name' : undefined;
}

/** `f_op->release` is the close of a file, not the end of an object. */
function isFileOperation(call: Call, calls: CallTracker): boolean {
  const caller = call.returned?.caller?.symbol;
  if (caller !== undefined && FILE_CLOSERS.test(bareSymbol(caller))) return true;
  if (
    framesOf(call)
      .slice(0, 2)
      .some((frame) => FILE_CLOSERS.test(frame))
  )
    return true;
  return /_(f?release|close)$/.test(call.name) && calls.openedBy(call.entry.pid, call.name);
}

/** Callers of the call, innermost first, as bare symbols. */
export function framesOf(call: Call): string[] {
  const frames = (call.entry.stack ?? []).map((frame) => bareSymbol(/^[^\s+]+/.exec(frame)?.[0] ?? ''));
  return frames[0] === call.name ? frames.slice(1) : frames;
}
