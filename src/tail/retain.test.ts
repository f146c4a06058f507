/** A store that lets go of what is older than was asked for: it stays small, and what it says stays true. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Finding, Report } from '../model/report.ts';
import { analyze } from '../pipeline/analyze.ts';
import { keepLive } from '../pipeline/keep-live.ts';
import { standingsOf } from '../pipeline/standings.ts';
import { openStore } from '../store/open-store.ts';
import { Sqlite } from '../store/sqlite.ts';
import { createTailReader, type TailReader } from './reader.ts';

let folder: string;
let db: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
  db = join(folder, 'kept.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const MS = 1e6;

/** In pieces, each committed. */
function push(reader: TailReader, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += 4099) {
    reader.push(bytes.subarray(at, at + 4099), 0);
    reader.tick(10_000);
    reader.commit();
  }
}

/** Of a pipe, so that a second run goes on after a gap. */
function tailOf(bytes: Buffer, retain: number | undefined, end = true): Report | undefined {
  const keeper = keepLive(db, 'a pipe', false, retain);
  const reader = createTailReader({ path: 'a pipe', keeper, tell: () => {} });
  push(reader, bytes);
  const report = end ? reader.end(false) : undefined;
  keeper.close();
  return report;
}

const key = ({ rule, module }: Finding) => `${rule} in ${module}`;
const grave = ({ findings }: Report) => findings.filter(({ severity }) => severity !== 'note').map(key);

/** Nothing in it refers to what is gone. */
function expectWhole(): void {
  const sqlite = new Sqlite(db, { readonly: true });
  try {
    expect(sqlite.pragma('foreign_key_check')).toEqual([]);
    expect(sqlite.pragma('integrity_check', { simple: true })).toBe('ok');
    expect(
      sqlite
        .prepare(
          'SELECT s.id, s.events, count(e.seq) AS held FROM shapes AS s LEFT JOIN event_rows AS e ON e.shape = s.id GROUP BY s.id HAVING s.events <> held',
        )
        .all(),
    ).toEqual([]);
  } finally {
    sqlite.close();
  }
}

function rowsOf(table: string): number {
  const sqlite = new Sqlite(db, { readonly: true });
  try {
    return sqlite.prepare<[], number>(`SELECT count(*) FROM ${table}`).pluck().get()!;
  } finally {
    sqlite.close();
  }
}

const samples = ['tracefs', 'bpftrace', 'perf-script', 'trace-cmd'].flatMap((kind) =>
  readdirSync(join('samples', kind))
    .filter((name) => /^6\.1-.*\.txt$/.test(name) && !name.endsWith('.expected.txt'))
    .map((name) => `${kind}/${name}`),
);

describe.each(samples)('%s', (name) => {
  const bytes = readFileSync(join('samples', name));

  test('is told as it was judged with all of it, though only a millisecond is held', async () => {
    const report = tailOf(bytes, MS)!;
    const { report: asked } = await analyze([db]);
    const { let_go: gone, ...rest } = asked;
    expect(rest).toEqual(report);
    expectWhole();
    expect(rowsOf('event_rows') + (gone?.events ?? 0)).toBe(report.inputs[0]!.events);
    const store = openStore(db);
    for (const { module } of report.modules) {
      expect(() => store.standing(module)).not.toThrow();
      expect(() => store.frees(module)).not.toThrow();
    }
    store.close();
  });

  test('a run that goes on says nothing that it would not have said of the whole', async () => {
    const whole = tailOf(bytes, undefined)!;
    const said = new Set(grave(whole));
    rmSync(db);
    for (const cut of [0.4, 0.8]) {
      const at = bytes.indexOf('\n', Math.floor(bytes.length * cut)) + 1;
      tailOf(bytes.subarray(0, at), 10 * MS, false);
      const more = grave(tailOf(bytes.subarray(at), 10 * MS)!).filter((finding) => !said.has(finding));
      expect(more, `gone on with at ${cut}`).toEqual([]);
      expectWhole();
      rmSync(db);
    }
  });
});

const LEAK = readFileSync('samples/tracefs/6.1-leak-on-one-path.txt');

test('a reference is held by who took it, though all that was then is gone', () => {
  const at = LEAK.lastIndexOf('\n', Math.floor(LEAK.length * 0.8)) + 1;
  const whole = tailOf(LEAK, undefined)!.findings.find(({ rule }) => rule === 'ref-leak')!;
  rmSync(db);
  tailOf(LEAK.subarray(0, at), 1000, false);
  const store = openStore(db);
  const { open } = store.standing(whole.module);
  const past = store.past()!;
  store.close();
  expect(open.length).toBeGreaterThan(0);
  expect(past.seq).toBeGreaterThan(open[0]!.get.seq);
  const leak = tailOf(LEAK.subarray(at), 1000)!.findings.find(({ rule }) => rule === 'ref-leak')!;
  expect(leak).toMatchObject({
    fingerprint: whole.fingerprint,
    culprit: { symbol: whole.culprit.symbol },
    certainty: 'possible',
  });
});

/** Invented: as much as wanted of what never comes twice, but for the module. */
function stream(from: number, to: number): Buffer {
  const lines = [...Array(to - from).keys()].flatMap((i) => {
    const [pid, ms] = [100 + ((from + i) % 30_000), from + i];
    const head = (us: number) =>
      `  task${pid}-${pid}  [000] ....1 ${Math.floor(ms / 1000)}.${String((ms % 1000) * 1000 + us).padStart(6, '0')}:`;
    return [
      `${head(1)} module_get: mydrv call_site=open_${pid}+0x10/0x40 [mydrv] refcnt=2`,
      `${head(2)} <stack trace>`,
      ` => open_${pid}`,
      `${head(900)} module_put: mydrv call_site=close_${pid}+0x10/0x40 [mydrv] refcnt=1`,
      ...(i % 50 === 0 ? ['CPU:0 [LOST 3 EVENTS]'] : []),
    ];
  });
  return Buffer.from(`# tracer: nop\n#\n${lines.join('\n')}\n`);
}

test('no table grows with time', () => {
  const tables = ['event_rows', 'hard_refs', 'incarnations', 'losses', 'tasks', 'stacks', 'codes', 'shapes'];
  const keeper = keepLive(db, 'a pipe', false, 300 * MS);
  const reader = createTailReader({ path: 'a pipe', keeper, tell: () => {} });
  const sizes = [0, 1000, 2000].map((from) => {
    push(reader, stream(from, from + 1000));
    return tables.map(rowsOf);
  });
  reader.end(false);
  keeper.close();
  expectWhole();
  for (const [index, table] of tables.entries()) {
    const [, second, third] = sizes.map((size) => size[index]!);
    expect(third, table).toBeLessThanOrEqual(second! * 1.05);
    expect(third, table).toBeLessThan(1000);
  }
});

test('a moment that was let go of is not told of, nor is a store made of what is left', async () => {
  tailOf(LEAK, MS);
  const { ns } = openStore(db).past()!;
  await expect(analyze([db], { until: ns - 1 })).rejects.toThrow(`${db} has let go of what was before`);
  await expect(analyze([db], { db: join(folder, 'other.db') })).rejects.toThrow(
    'let go of its oldest events',
  );
});

test('another boot makes nothing of this one older', () => {
  const keeper = keepLive(db, 'a pipe', false, 1000 * MS);
  const reader = createTailReader({ path: 'a pipe', keeper, tell: () => {} });
  push(reader, stream(0, 500));
  reader.restart('replaced');
  push(reader, stream(900_000, 900_400));
  expect(rowsOf('let_go')).toBe(0);
  push(reader, stream(900_400, 901_000));
  expect(rowsOf('let_go')).toBe(1);
  reader.end(false);
  keeper.close();
});

test('a moment that is still held is told of with the modules of that moment', async () => {
  const name = 'samples/tracefs/6.1-leak-across-tasks.txt';
  tailOf(readFileSync(name), 100 * MS);
  const past = openStore(db).past()!;
  const whole = await analyze([name], { until: past.ns });
  const kept = await analyze([db], { until: past.ns });
  const names = ({ report }: typeof whole) => report.modules.map(({ module }) => module).sort();
  expect(names(kept)).toEqual(names(whole));
  for (const module of names(kept)) expect(() => standingsOf(kept).standing(module)).not.toThrow();
});

test('where the clock tells no time nothing is older than anything', async () => {
  const counted = Buffer.from(LEAK.toString('latin1').replace(/ (\d+)\.(\d{6}): /g, ' $1$2: '), 'latin1');
  const report = tailOf(counted, MS)!;
  expect(report.inputs[0]!.clock).toBe('ticks');
  expect(openStore(db).past()).toBeUndefined();
});
