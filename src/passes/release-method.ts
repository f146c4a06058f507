/** Is a function the release method of a kobject? What speaks for it, best first. */
import type { Call } from '../lifetime/calls.ts';
import type { FileTracker } from '../lifetime/files.ts';
import { bareSymbol, readFrame, runsRcuCallbacks } from '../lifetime/sites.ts';

/** The kobject core and what it is wrapped in: their callee in a module is a release method. */
const RELEASERS =
  /^(kobject_put|kobject_release|kobject_cleanup|kobject_delayed_cleanup|kref_put|device_release|put_device|klist_release)$/;
/** Names that authors give to release methods; the weakest sign. */
const RELEASE_NAME = /_(release|free|dtor|destructor|destroy|del|kfree)$/;

export type ReleaseSign = 'kobject core' | 'argument' | 'name';

/** Why `call` is taken for a release method; undefined when it is not. */
export function releaseSign(call: Call, files: FileTracker): ReleaseSign | undefined {
  if (files.isClose(call)) return undefined;
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
  // RCU callbacks are called so, too; they are a claim of their own, and free in softirq by design.
  if (call.isRcuCallback || [caller ?? '', ...framesOf(call)].some(runsRcuCallbacks)) return undefined;
  return RELEASE_NAME.test(call.name) ? 'name' : undefined;
}

/** Callers of the call, innermost first, as bare symbols. */
export function framesOf(call: Call): string[] {
  const frames = (call.entry.stack ?? []).map((frame) => bareSymbol(readFrame(frame)?.symbol ?? ''));
  return frames[0] === call.name ? frames.slice(1) : frames;
}
