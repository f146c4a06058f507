/** Follows a source until it ends or is told to stop. The only place with timers: reader.ts does the work. */
import type { Report } from '../model/report.ts';
import type { TailLine } from '../model/tail-lines.ts';
import type { LiveKeeper } from '../pipeline/keep-live.ts';
import { createTailReader, type TailReader } from './reader.ts';
import { type Following, follow, type Listener } from './source.ts';

export interface TailOptions {
  /** What it is called, and where it lies unless `follow` says otherwise. */
  readonly path: string;
  readonly follow?: ((listener: Listener) => Following) | undefined;
  readonly format?: string | undefined;
  /** Only what comes from now on. */
  readonly onlyNew?: boolean | undefined;
  /** Keeps what is read; not closed here. */
  readonly keeper?: LiveKeeper | undefined;
  /** Tell each reference taken and given back, too. */
  readonly references?: boolean | undefined;
  /** Gets what the source gives, before it is read. */
  readonly tap?: { read(bytes: Buffer): void; restart(): void } | undefined;
  /** Everything there is to tell but the summary, as it becomes known. */
  readonly tell: (line: TailLine) => void;
}

export interface Tail {
  readonly reader: TailReader;
  /** The normal end: what has come by now is read. */
  stop(): void;
  /** Nothing after the last thing told counts. */
  halt(): void;
  /** Fails for what the user can mend, and for what whoever is told could not do. */
  readonly ended: Promise<Report>;
}

/** What keeps coming wakes us anyway: it is not worth another timer within so long … */
const SOON_MS = 6;
/** … or, where the source is polled, before that has failed to bring something. */
const QUIET_MS = 180;
/** A kill costs the store so much, which is read again where the source can be. */
const COMMIT_MS = 1000;

export function tail(options: TailOptions): Tail {
  const reader = createTailReader(options);
  let following: Following | undefined;
  let timer: NodeJS.Timeout | undefined;
  let due = 0;
  let over = false;
  /** When bytes came last. */
  let before = 0;
  let succeed: (report: Report) => void;
  let fail: (error: unknown) => void;
  const ended = new Promise<Report>((resolve, reject) => {
    succeed = resolve;
    fail = reject;
  });

  /** Whatever goes wrong in a callback ends the run instead of the process. */
  function guarded(work: () => void): void {
    if (over) return;
    try {
      work();
    } catch (error) {
      close();
      fail(error);
    }
  }

  function close(): void {
    over = true;
    clearTimeout(timer);
    clearInterval(commits);
    following?.stop();
  }

  function finish(stopped: boolean): void {
    guarded(() => {
      const report = reader.end(stopped);
      close();
      succeed(report);
    });
  }

  /** Sees to it that what is held back is looked at in time. */
  function arm(now: number, steady = false): void {
    const wait = reader.tick(now);
    if (wait === undefined || over) return;
    const least = steady ? QUIET_MS : now - before < SOON_MS ? SOON_MS : 0;
    const at = now + Math.max(wait, least);
    if (timer !== undefined && due <= at && !steady) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(() => {
      timer = undefined;
      guarded(() => arm(performance.now()));
    }, at - now);
  }

  const commits =
    options.keeper === undefined ? undefined : setInterval(() => guarded(() => reader.commit()), COMMIT_MS);
  guarded(() => {
    const source = options.follow ?? ((listener) => follow(options.path, listener));
    following = source({
      data: (bytes, steady) =>
        guarded(() => {
          const now = performance.now();
          options.tap?.read(bytes);
          reader.push(bytes, now);
          arm(now, steady);
          before = now;
        }),
      log: (text) => guarded(() => reader.pushLog(text)),
      restart: (reason) =>
        guarded(() => {
          reader.restart(reason);
          options.tap?.restart();
        }),
      caughtUp: () => guarded(() => reader.skipUntilHere()),
      end: () => finish(false),
      error: (error) =>
        guarded(() => {
          throw error;
        }),
    });
  });

  return {
    reader,
    stop() {
      guarded(() => following?.flush());
      finish(true);
    },
    halt() {
      reader.halt();
      setImmediate(finish, true);
    },
    ended,
  };
}
