/** What is asked: a store, the one given or a temporary one made from captures, or the ledger. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Standings } from '../model/standing.ts';
import type { Analysis } from '../pipeline/analyze.ts';
import { isStore } from '../store/is-store.ts';
import type { Store } from '../store/open-store.ts';
import type { Io } from './io.ts';
import { onExit } from './on-exit.ts';
import { read, tellReading } from './read.ts';

interface Options {
  readonly format?: string | undefined;
}

export async function withStore<T>(
  paths: readonly string[],
  options: Options,
  io: Io,
  work: (store: Store) => T | Promise<T>,
): Promise<T> {
  const kept = keptStore(paths);
  if (kept !== undefined) return using(kept, work);
  return withAnalyzedStore(paths, options, io, (store) => work(store));
}

/** As `withStore`, for a question that also needs the ledger; a store given is read for it, too. */
export async function withAnalyzedStore<T>(
  paths: readonly string[],
  options: Options,
  io: Io,
  work: (store: Store, analysis: Analysis) => T | Promise<T>,
): Promise<T> {
  const kept = keptStore(paths);
  if (kept !== undefined) {
    const analysis = await read(paths, options, io);
    return using(kept, (store) => work(store, analysis));
  }
  return inTemporaryFolder(async (folder) => {
    const db = join(folder, 'modlife.db');
    const analysis = await read(paths, { ...options, db }, io);
    return using(db, (store) => work(store, analysis));
  });
}

/** Tells how things stand at the end, or stood at a moment. */
type Ask = (until: number | undefined) => Promise<Standings>;

/** For a question about modules as they stand. A store keeps that of its end; of any other moment the ledger tells. */
export async function withStandings<T>(
  paths: readonly string[],
  options: Options,
  io: Io,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  const analyzed: Ask = async (until) => {
    const [{ standingsOf }, analysis] = await Promise.all([
      import('../pipeline/standings.ts'),
      read(paths, { ...options, until }, io),
    ]);
    return standingsOf(analysis);
  };
  const kept = keptStore(paths);
  if (kept === undefined) return work(analyzed);
  return using(kept, (store) =>
    work(async (until) => {
      if (until !== undefined) return analyzed(until);
      await tellReading(store.inputs(), [], io);
      return store;
    }),
  );
}

function keptStore(paths: readonly string[]): string | undefined {
  return paths.length === 1 && paths[0] !== '-' && isStore(paths[0]!) ? paths[0] : undefined;
}

async function using<T>(path: string, work: (store: Store) => T | Promise<T>): Promise<T> {
  // Not loaded where the ledger answers.
  const { openStore } = await import('../store/open-store.ts');
  const store = openStore(path);
  try {
    return await work(store);
  } finally {
    store.close();
  }
}

/** Removed whatever happens, ^C included. */
async function inTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'modlife-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const done = onExit(remove);
  try {
    return await work(folder);
  } finally {
    remove();
    done();
  }
}
