/** A store that is kept while its source is followed, and that the next run goes on with. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import type { Change } from '../lifetime/changes.ts';
import { tellsTime } from '../model/clock.ts';
import type { Bad } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';
import type { Event, Nanoseconds } from '../model/event.ts';
import type { InputSummary, Report } from '../model/report.ts';
import { type Followed, openLiveStore } from '../store/live-store.ts';
import { openStore } from '../store/open-store.ts';
import type { Moment } from '../store/retention.ts';
import { toReport } from './analyze.ts';
import { createEngine, type Engine } from './engine.ts';
import { badRows, fill } from './keep.ts';
import { replayStore } from './replay.ts';
import type { Item } from './settle.ts';

/** How the source stands to what the store has of it. */
export type Continuation =
  | { readonly type: 'new' }
  /** The same file, perhaps longer: read again from its start, all is stored up to `line` but what was `held`. */
  | ({ readonly type: 'same' } & Pick<Followed, 'line' | 'held'>)
  /** Something may be missing between the two. */
  | { readonly type: 'gap'; readonly reason: 'truncated' | 'replaced' | 'unwatched' };

export interface LiveKeeper {
  readonly continuation: Continuation;
  /** Of the store, as the last run left them. */
  readonly inputs: readonly InputSummary[];
  /** Gives the engine all that is stored; what the ledger tells of it comes here again. */
  replay(engine: Engine, feed: (item: Item, input: number) => void): void;
  change(change: Change): void;
  events(events: readonly Event[]): void;
  /** Bytes of the source, before what was in them comes as events. */
  read(bytes: Buffer): void;
  /** The source begins anew. @throws UserError before what is stored of it was read again */
  restart(): void;
  /** What came by now is to last.
   *  @param bad of the inputs of this run @param first of those
   *  @param at where the source is now; `last` is the last event that came of it */
  commit(
    engine: Engine,
    report: Report,
    bad: readonly (readonly Bad[])[],
    first: number,
    at: Pick<Followed, 'line' | 'held'> & { readonly last: Event | undefined },
  ): void;
  /** What was not committed is given up. */
  close(): void;
}

/** Enough of the end of what was read to know the file by. */
const KNOWN_BY = 4096;

/**
 * @param source its name: an absolute path for a file
 * @param file what can be read again
 * @param retain nanoseconds: let go of what is older, by the clock of the capture
 * @throws UserError for a store of another source, or one that somebody writes
 */
export function keepLive(path: string, source: string, file: boolean, retain?: Nanoseconds): LiveKeeper {
  const store = openLiveStore(path, () => toReport(createEngine(), []), retain);
  const { followed } = store;
  if (followed !== undefined && followed.source !== source) {
    store.close();
    throw new UserError('store', `${path} is of ${followed.source}`, 'give --db another name');
  }
  const continuation = continuationOf(followed, file ? source : undefined);
  const filler = fill(store);
  const earlier = openStore(path);
  let replaying = false;
  let bytes = 0;
  let last: Buffer = Buffer.alloc(0);

  return {
    continuation,
    inputs: earlier.inputs(),
    replay(engine, feed) {
      replaying = true;
      const past = earlier.past();
      if (past !== undefined) engine.goOnFrom(past, false);
      replayStore(earlier, feed, past?.seq);
      replaying = false;
      earlier.close();
    },
    change(change) {
      // The losses that are replayed are stored.
      if (!replaying || change.type !== 'lost') filler.change(change);
    },
    events: filler.events,
    read(chunk) {
      bytes += chunk.length;
      last =
        chunk.length >= KNOWN_BY
          ? Buffer.from(chunk.subarray(-KNOWN_BY))
          : Buffer.concat([last, chunk]).subarray(-KNOWN_BY);
    },
    restart() {
      if (continuation.type === 'same' && bytes < followed!.file!.bytes) {
        throw new UserError('noinput', `${source} was replaced while it was read again`, 'start once more');
      }
      bytes = 0;
      last = Buffer.alloc(0);
    },
    commit(engine, report, bad, first, { last: newest, ...at }) {
      store.commit(
        {
          ...filler.rest(engine),
          report,
          bad: badRows(bad, first),
          first,
          last: newest === undefined ? undefined : momentOf(newest, report),
          alive: engine.ledger.underWay.map(({ start }) => start.seq),
        },
        { ...at, source, file: file ? { bytes, digest: digestOf(last) } : undefined },
      );
    },
    close() {
      earlier.close();
      store.close();
    },
  };
}

/** Where a clock only counts, nothing is older than anything. */
function momentOf({ seq, ts, input }: Event, { inputs }: Report): Moment | undefined {
  return tellsTime(inputs[input]!.clock) ? { seq, ns: ts, input } : undefined;
}

function continuationOf(followed: Followed | undefined, path: string | undefined): Continuation {
  if (followed === undefined) return { type: 'new' };
  const { file, line, held } = followed;
  if (file === undefined || path === undefined) return { type: 'gap', reason: 'unwatched' };
  // By what it holds: numbers of inodes are given again, and a copy is as good.
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size < file.bytes) return { type: 'gap', reason: 'truncated' };
  if (digestOf(endingAt(path, file.bytes)) !== file.digest) return { type: 'gap', reason: 'replaced' };
  return { type: 'same', line, held };
}

function endingAt(path: string, bytes: number): Buffer {
  const length = Math.min(KNOWN_BY, bytes);
  const fd = openSync(path, 'r');
  try {
    const end = Buffer.alloc(length);
    return end.subarray(0, readSync(fd, end, 0, length, bytes - length));
  } finally {
    closeSync(fd);
  }
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
