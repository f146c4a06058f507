/** The programs that modlife is measured beside: what the machine has of them. None is installed here. */
import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { packageRoot } from '../package-root.ts';
import { type Command, outputOf, run } from './run.ts';

const PROGRAMS = {
  rg: 'apt-get install ripgrep',
  mawk: 'apt-get install mawk',
  sqlite3: 'apt-get install sqlite3',
  'trace-cmd': 'apt-get install trace-cmd',
  perf: 'apt-get install linux-perf',
  cc: 'apt-get install gcc',
  chromium: 'apt-get install chromium',
  duckdb: 'npm install --no-save @duckdb/node-api, or its command line',
} as const;

export type Peer = keyof typeof PROGRAMS;

export interface Peers {
  /** Undefined where the machine has none. */
  path(peer: Peer): string | undefined;
  /** The C reader of the same text; undefined without a compiler. */
  readonly reader: string | undefined;
  /** Runs SQL in a DuckDB database of its own, with one thread, where there is a DuckDB. */
  duckdb(database: string, sql: string): Command | undefined;
  /** Those not found, each with how to get it. */
  readonly missing: readonly string[];
}

/** @param folder where the C reader is compiled to */
export async function findPeers(folder: string): Promise<Peers> {
  const paths = new Map<Peer, string>();
  for (const name of Object.keys(PROGRAMS) as Peer[]) {
    const found = find(name);
    if (found !== undefined) paths.set(name, found);
  }
  const compiler = paths.get('cc');
  const reader = compiler === undefined ? undefined : join(folder, 'reader');
  if (compiler !== undefined && reader !== undefined) await compileReader(compiler, reader);
  const library = resolvable('@duckdb/node-api');
  return {
    path: (peer) => paths.get(peer),
    reader,
    duckdb(database, sql) {
      const threaded = `SET threads = 1; ${sql}`;
      const program = paths.get('duckdb');
      if (program !== undefined) return { file: program, args: [database, '-c', threaded] };
      return library === undefined
        ? undefined
        : { file: process.execPath, args: ['-e', DUCKDB, library, database, threaded] };
    },
    missing: Object.entries(PROGRAMS)
      .filter(([name]) => !paths.has(name as Peer) && (name !== 'duckdb' || library === undefined))
      .map(([name, how]) => `${name} (${how})`),
  };
}

/** The library has no program of its own. */
const DUCKDB = `
  const [library, database, sql] = process.argv.slice(1);
  const { DuckDBInstance } = require(library);
  DuckDBInstance.create(database).then((instance) => instance.connect()).then((connection) => connection.run(sql));
`;

export async function compileReader(compiler: string, to: string): Promise<void> {
  const source = join(packageRoot(), 'src/bench/reader.c');
  await run({ file: compiler, args: ['-O2', '-o', to, source] });
}

/** What the C reader counts of each module, as `name gets puts`, sorted. */
export async function readerCounts(reader: string, capture: string): Promise<string[]> {
  const text = await outputOf({ file: reader, args: [capture] });
  return text.trimEnd().split('\n').sort();
}

function find(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}

function resolvable(name: string): string | undefined {
  try {
    return createRequire(join(packageRoot(), 'package.json')).resolve(name);
  } catch {
    return undefined;
  }
}
