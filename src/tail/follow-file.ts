/** A file that grows, and may be cut or replaced meanwhile. */
import {
  closeSync,
  constants,
  type FSWatcher,
  fstatSync,
  openSync,
  readSync,
  statfsSync,
  statSync,
  watch,
} from 'node:fs';
import type { Following, Listener } from './source.ts';

/** As quick as a person notices; the kernel's own notice, where there is one, comes at once. */
const POLL_MS = 150;
/** For files that the kernel gives no notice of. */
const PSEUDO_POLL_MS = 10;
const CHUNK = 1 << 17;
/** Chunks read before timers and keys have their turn. */
const AT_ONCE = 8;
/** Looking is as dear as reading: a file that is written to all the time is not looked at more often. */
const BETWEEN_LOOKS_MS = 4;
/** Each notice wakes us, so what grows by so many bytes a millisecond, look after look, is only polled until less comes. */
const STEADY_GROWTH = 100;
const STEADY_LOOKS = 8;

/** statfs(2) of tracefs and debugfs: files there have no size, and reading takes away what was read. */
const PSEUDO: ReadonlySet<number> = new Set([0x74726163, 0x64626720]);

export function isPseudo(path: string): boolean {
  return PSEUDO.has(statfsSync(path).type);
}

/** @param first the open file, closed when stopped */
export function followFile(path: string, first: number, listener: Listener): Following {
  const buffer = Buffer.allocUnsafe(CHUNK);
  const pseudo = isPseudo(path);
  const atStart = fstatSync(first).size;
  let fd = first;
  let inode = fstatSync(fd).ino;
  let position = 0;
  let caughtUp = false;
  let stopped = false;
  let soon: NodeJS.Immediate | undefined;
  let later: NodeJS.Timeout | undefined;
  let looked = 0;
  /** Looks in a row that found much. */
  let steady = 0;
  let watcher: FSWatcher | undefined;

  /** Gives what there is, at most `chunks` of it. True when that was all. */
  function drain(chunks: number): boolean {
    for (let left = chunks; left > 0; left--) {
      const wanted = caughtUp || pseudo ? CHUNK : Math.min(CHUNK, atStart - position);
      const read = wanted === 0 ? 0 : readNow(wanted);
      position += read;
      if (read > 0) listener.data(buffer.subarray(0, read), isSteady());
      if (!caughtUp && (read === 0 || position === atStart)) {
        caughtUp = true;
        listener.caughtUp();
        continue;
      }
      if (read === 0 || (read < wanted && !pseudo)) return true;
    }
    return false;
  }

  function readNow(length: number): number {
    try {
      return readSync(fd, buffer, 0, length, null);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0;
      throw error;
    }
  }

  function isSteady(): boolean {
    return steady >= STEADY_LOOKS;
  }

  /** How much more than was read the file holds, in chunks. */
  function rest(): number {
    return pseudo ? AT_ONCE : Math.ceil(Math.max(0, fstatSync(fd).size - position) / CHUNK) + 1;
  }

  function notice(): void {
    if (later !== undefined) return;
    const wait = looked + BETWEEN_LOOKS_MS - performance.now();
    if (wait <= 0) look();
    else later = setTimeout(look, wait);
  }

  function look(): void {
    if (stopped || soon !== undefined) return;
    clearTimeout(later);
    later = undefined;
    const [from, since] = [position, looked];
    looked = performance.now();
    guarded(() => {
      if (!drain(AT_ONCE)) {
        soon = setImmediate(() => {
          soon = undefined;
          look();
        });
      } else if (!pseudo && position === from && fstatSync(fd).size < position) reopen('truncated');
    });
    if (!stopped && !pseudo) pace(position - from, looked - since);
  }

  /** Waits for the kernel's next notice, or does without. */
  function pace(grown: number, ms: number): void {
    const wasSteady = isSteady();
    steady = grown >= ms * STEADY_GROWTH ? steady + 1 : 0;
    if (isSteady()) watcher?.close();
    else if (wasSteady) {
      watchFile();
      // What came since this look was not noticed.
      notice();
    }
  }

  /** Has another file taken this one's name? */
  function lookForOther(): void {
    if (later === undefined) look();
    if (stopped || soon !== undefined || pseudo) return;
    guarded(() => {
      const info = statSync(path, { throwIfNoEntry: false });
      if (info !== undefined && info.ino !== inode) reopen('replaced');
    });
  }

  function reopen(reason: 'truncated' | 'replaced'): void {
    // Between the last read and now its writer may have added to the old one.
    drain(rest());
    const next = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    closeSync(fd);
    fd = next;
    inode = fstatSync(fd).ino;
    position = 0;
    listener.restart(reason);
    watchFile();
    look();
  }

  function guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      // Gone between two looks: it may come back.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      stop();
      listener.error(error as Error);
    }
  }

  function watchFile(): void {
    watcher?.close();
    try {
      watcher = watch(path, notice);
      watcher.on('error', () => watcher?.close());
    } catch {
      // No more notices to be had, or a file system without: polling sees it all the same.
      watcher = undefined;
    }
  }

  function stop(): void {
    if (stopped) return;
    stopped = true;
    clearInterval(poll);
    clearImmediate(soon);
    clearTimeout(later);
    watcher?.close();
    closeSync(fd);
  }

  const poll = setInterval(lookForOther, pseudo ? PSEUDO_POLL_MS : POLL_MS);
  watchFile();
  // Not before whoever called has this in hand.
  soon = setImmediate(() => {
    soon = undefined;
    look();
  });
  return {
    flush() {
      if (!stopped) guarded(() => drain(rest()));
    },
    stop,
  };
}
