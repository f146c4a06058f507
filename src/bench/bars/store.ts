/** P3, P7: filling a store, and asking it. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { INDEXES, SCHEMA } from '../../store/schema.ts';
import { type Bench, missing, NODE, PROMISED, power, type Row } from '../bench.ts';
import { type Command, run, runInto, runPaired } from '../run.ts';

/** What a whole process may take to answer, and of how many events. */
const ANSWER = 0.3;
const ASKED = 1_000_000;

/** Everything that grows with the capture. */
const TABLES = ['event_rows', 'hard_refs', 'tasks', 'stacks', 'shapes', 'codes', 'incarnations'];

export async function storing(bench: Bench): Promise<Row[]> {
  const { peers, folder, rounds, largest } = bench;
  // Beside rows that only SQLite's own speed decides, more of them tell nothing new.
  const events = Math.min(largest, ASKED);
  const ours = bench.capture('ours', events);
  const size = `${power(events)} events, all ours`;
  const keep = bench.modlife('analyze', '--db', join(folder, 'kept.db'), ours);
  const importing = {
    bar: 'P3',
    compared: 'analyze --db / sqlite3 .import of the same rows as CSV, and the same indexes',
    size,
    unit: '×',
    limit: 0.75,
    wanted: 'at most',
  } as const;
  const regexp = {
    bar: 'P3',
    compared: 'DuckDB read_csv and regexp_extract / analyze --db',
    size,
    unit: '×',
    limit: 4,
    wanted: 'at least',
  } as const;
  const rows: Row[] = [];
  const sqlite = peers.path('sqlite3');
  if (sqlite === undefined) rows.push(missing(importing, 'sqlite3'));
  else {
    await run(keep);
    const script = await exportTables(sqlite, folder);
    const { ratio } = await runPaired(keep, importer(sqlite, script), rounds);
    rows.push({ ...importing, measured: ratio });
  }
  const database = join(folder, 'imported.duckdb');
  const duckdb = peers.duckdb(database, REGEXP.replace('CAPTURE', ours));
  if (duckdb === undefined) rows.push(missing(regexp, 'duckdb'));
  else {
    const { ratio } = await runPaired(duckdb, keep, rounds);
    rows.push({ ...regexp, measured: ratio });
  }
  return rows;
}

const REGEXP = `
  CREATE OR REPLACE TABLE events AS SELECT regexp_extract(line,
    '^(.{16})-(\\d+) +\\[(\\d+)\\] (\\S+) +(\\d+\\.\\d+): (\\w+): (\\S+) call_site=(\\S+) refcnt=(\\d+)',
    ['comm', 'pid', 'cpu', 'flags', 'time', 'event', 'module', 'site', 'refcnt']) AS event
  FROM read_csv('CAPTURE', columns = {'line': 'VARCHAR'}, delim = '\\x01', quote = '', escape = '',
    header = false, auto_detect = false)
  WHERE contains(line, ' refcnt=')`;

/** @returns a script that makes of them a store again */
async function exportTables(sqlite: string, folder: string): Promise<string> {
  const script = [
    // As modlife itself does while nobody reads the file.
    'PRAGMA page_size = 8192; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;',
    'PRAGMA locking_mode = EXCLUSIVE;',
    'BEGIN;',
    // CSV has no NULL, and a strict table takes no empty text for a number.
    SCHEMA.replace(/\) STRICT(?:, )?/g, ') '),
  ];
  for (const table of TABLES) {
    const file = join(folder, `${table}.csv`);
    await runInto(file, {
      file: sqlite,
      args: ['-csv', join(folder, 'kept.db'), `SELECT * FROM ${table}`],
    });
    script.push(`.import --csv ${file} ${table}`);
  }
  const path = join(folder, 'import.sql');
  writeFileSync(path, [...script, INDEXES, 'COMMIT;', ''].join('\n'));
  return path;
}

function importer(sqlite: string, script: string): Command {
  const database = `${script}.db`;
  rmSync(database, { force: true });
  return {
    file: '/bin/sh',
    // It ends with 1, as modlife does with findings, when a row was refused.
    args: ['-c', 'rm -f "$2"; "$1" -bail "$2" ".read $3" || exit 2', 'sh', sqlite, database, script],
  };
}

export async function asking(bench: Bench): Promise<Row[]> {
  const { folder, rounds, largest } = bench;
  const events = Math.min(largest, ASKED);
  const db = join(folder, 'asked.db');
  await run(bench.modlife('analyze', '--db', db, bench.capture('ours', events)));
  const rows: Row[] = [];
  for (const question of [
    ['holders', 'mod_1', db],
    ['why-busy', 'mod_1', db],
    ['query', 'holders', '-p', 'module=mod_1', db],
  ]) {
    const { ratio, first } = await runPaired(bench.modlife(...question), NODE, rounds);
    rows.push({
      bar: 'P7',
      compared: `${question[0]} / node -e ''`,
      size: `store of ${power(events)} events`,
      measured: ratio,
      unit: '×',
      limit: ANSWER / PROMISED.node,
      wanted: 'at most',
      note: `${first.median.toFixed(2)} s here`,
    });
  }
  return rows;
}
