/** A store to ask: the one given, or a temporary one made from captures. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Analysis } from '../pipeline/analyze.ts';
import { isStore } from '../store/is-store.ts';
import { openStore, type Store } from '../store/open-store.ts';
import type { Io } from './io.ts';
import { onExit } from './on-exit.ts';
import { read } from './read.ts';

interface Options {
  readonly format?: string | undefined;
}

export async function withStore<T>(
  paths: readonly string[],
  options: Options,
  io: Io,
  work: (store: Store) => T | Promise<T>,
): Promise<T> {
  if (paths.length === 1 && paths[0] !== '-' && isStore(paths[0]!)) return using(paths[0]!, work);
  return withAnalyzedStore(paths, options, io, (store) => work(store));
}

/** As `withStore`, for a question that also needs the ledger; a store given is read for it once more. */
export async function withAnalyzedStore<T>(
  paths: readonly string[],
  options: Options,
  io: Io,
  work: (store: Store, analysis: Analysis) => T | Promise<T>,
): Promise<T> {
  return inTemporaryFolder(async (folder) => {
    const db = join(folder, 'modlife.db');
    const analysis = await read(paths, { ...options, db }, io);
    return using(db, (store) => work(store, analysis));
  });
}

async function using<T>(path: string, work: (store: Store) => T | Promise<T>): Promise<T> {
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
