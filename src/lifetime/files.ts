/**
 * Files of a module that are open: its own `open` and `release` operations, known by what calls them, or else by
 * their names. A file whose operations have no owner holds no reference, so nothing else tells that it is open.
 */
import { errorReturned } from './arguments.ts';
import type { Call } from './calls.ts';
import type { Incarnation } from './changes.ts';
import type { Reference } from './references.ts';
import { bareSymbol, readFrame } from './sites.ts';

export interface FileTracker {
  /** `owner` where it is known whose function this is. */
  entered(call: Call, owner: Incarnation | undefined): void;
  returned(call: Call): void;
  /** A reference was taken in this function, though no probe is on it. */
  tookIn(pid: number, name: string): void;
  /** Calls that opened what was not seen to be closed, and is not told to be by a reference, oldest first. */
  opened(): readonly Call[];
  /** Is this call the close of a file, `f_op->release`, and not the end of an object? */
  isClose(call: Call): boolean;
  /** Was any close seen of the files that this function opens? Without one, none may be probed. */
  closesAreSeen(open: Call): boolean;
}

const OPENERS =
  /^(misc_open|chrdev_open|do_dentry_open|vfs_open|path_openat|soundcore_open|snd_open|usb_open)$/;
const CLOSERS = /^(__fput|____fput|fput|__fput_sync|fops_put)$/;
const OPEN_NAME = /^(.+?)_open$/;
const CLOSE_NAME = /^(.+?)_(?:f?release|close|fops_release)$/;

/** Tasks remembered to have opened something. */
const REMEMBERED = 1 << 16;

export function createFileTracker(): FileTracker {
  /** By module, or by the stem of the name where that is not known. */
  const open = new Map<string, Call[]>();
  const closed = new Set<string>();
  const openers = new Set<string>();
  /** What callers told of a function; its name need not. */
  const roles = new Map<string, 'open' | 'close'>();
  const counted = new WeakSet<Call>();
  const owners = new WeakMap<Call, Incarnation>();
  /** What the VFS took for a file before it called open: while that is out the file is open, and no longer. */
  const held = new WeakMap<Call, Reference>();
  const holding = new WeakSet<Reference>();
  const keyOf = (call: Call) => owners.get(call)?.module ?? stemOf(call.name);

  function note(call: Call, role: 'open' | 'close'): void {
    if (counted.has(call)) return;
    counted.add(call);
    const key = keyOf(call);
    const list = open.get(key);
    if (role === 'open') {
      tookIn(call.entry.pid, call.name);
      noteHold(call);
      if (list === undefined) open.set(key, [call]);
      else list.push(call);
      return;
    }
    closed.add(key);
    if (list === undefined) return;
    // A descriptor may be closed by another task than opened it; then it is the oldest that is taken for closed.
    const mine = list.findLastIndex((other) => other.entry.pid === call.entry.pid);
    list.splice(Math.max(mine, 0), 1);
    if (list.length === 0) open.delete(key);
  }

  function noteHold(call: Call): void {
    const reference = owners
      .get(call)
      ?.references.newestOf(call.entry.pid, (taken) => taken.family === 'file' && !holding.has(taken));
    if (reference === undefined) return;
    holding.add(reference);
    held.set(call, reference);
  }

  function tookIn(pid: number, name: string): void {
    // Called for every get: most end otherwise.
    const stem = name.endsWith('_open') ? OPEN_NAME.exec(name)?.[1] : undefined;
    if (stem === undefined) return;
    if (openers.size >= REMEMBERED) openers.clear();
    openers.add(`${pid} ${stem}`);
  }

  function roleByName(call: Call): 'open' | 'close' | undefined {
    const told = roles.get(call.name);
    if (told !== undefined) return told;
    if (OPEN_NAME.test(call.name)) return 'open';
    const stem = CLOSE_NAME.exec(call.name)?.[1];
    return stem !== undefined && openers.has(`${call.entry.pid} ${stem}`) ? 'close' : undefined;
  }

  return {
    entered(call, owner) {
      if (owner !== undefined) owners.set(call, owner);
      const role = roleByName(call);
      if (role !== undefined) note(call, role);
    },
    returned(call) {
      const role = roleByCaller(call);
      if (role !== undefined) {
        roles.set(call.name, role);
        note(call, role);
      }
      if (failed(call)) {
        const list = open.get(keyOf(call));
        const at = list?.indexOf(call) ?? -1;
        if (at >= 0) list!.splice(at, 1);
      }
    },
    tookIn,
    opened: () => [...open.values()].flat().filter((call) => held.get(call)?.put === undefined),
    isClose: (call) => (roleByCaller(call) ?? roleByName(call)) === 'close',
    closesAreSeen: (call) => closed.has(keyOf(call)),
  };
}

function stemOf(name: string): string {
  return (OPEN_NAME.exec(name) ?? CLOSE_NAME.exec(name))?.[1] ?? name;
}

function roleByCaller(call: Call): 'open' | 'close' | undefined {
  const frames = (call.entry.stack ?? []).slice(0, 2).map((frame) => readFrame(frame)?.symbol ?? '');
  const above = frames[0] === call.name ? frames[1] : frames[0];
  const caller = bareSymbol(call.returned?.caller?.symbol ?? above ?? '');
  if (OPENERS.test(caller)) return 'open';
  return CLOSERS.test(caller) ? 'close' : undefined;
}

/** An open that returned an error left nothing open. */
function failed(call: Call): boolean {
  return call.returned !== undefined && errorReturned(call.returned) !== undefined;
}
