/** Invented: more loads than the ledger remembers. What it lets go of is still in the totals and in the store. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { balanceBySite } from '../questions/balance.ts';
import { whyBusy } from '../questions/why-busy.ts';
import { openStore } from '../store/open-store.ts';
import { createTailReader } from '../tail/reader.ts';
import { analyze } from './analyze.ts';
import { keepLive } from './keep-live.ts';
import { standingsOf } from './standings.ts';

const scratch = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const LOADS = 3000;

/** Where every third load is freed while somebody holds it, as `rmmod -f` does. */
function life(load: number, forced = false): string {
  const module = load % 2 === 0 ? 'foo' : 'bar';
  const line = (comm: string, after: number, body: string) =>
    `${comm.padStart(16)}-${1000 + load} [000] ..... ${(load + after).toFixed(6).padStart(12)}: ${body}\n`;
  return [
    line('insmod', 0.1, `module_load: ${module} OE`),
    line('insmod', 0.2, `module_put: ${module} call_site=do_init_module refcnt=1`),
    line('cat', 0.3, `module_get: ${module} call_site=misc_open refcnt=2`),
    ...(forced && load % 3 === 0
      ? []
      : [line('cat', 0.4, `module_put: ${module} call_site=__fput refcnt=1`)]),
    line('rmmod', 0.5, 'sys_delete_module(name_user: 55, flags: 800)'),
    line('rmmod', 0.6, `module_free: ${module}`),
    line('rmmod', 0.7, 'sys_delete_module -> 0x0'),
  ].join('');
}

function lives(forced = false): string {
  return Array.from({ length: LOADS }, (_, load) => life(load, forced)).join('');
}

test('all loads are counted, listed in the store and balanced, though the ledger remembers the latest only', async () => {
  const trace = join(scratch, 'trace.txt');
  const db = join(scratch, 'loads.db');
  writeFileSync(trace, lives());
  const analysis = await analyze([trace], { db });
  const { report, engine } = analysis;

  const half = LOADS / 2;
  const totals = { incarnations: half, gets: half, puts: 2 * half, held: 0, maxRefcnt: 2, state: 'freed' };
  expect(report.findings).toEqual([]);
  expect(report.modules).toEqual([
    { module: 'foo', ...totals },
    { module: 'bar', ...totals },
  ]);
  expect(engine.ledger.incarnations.length).toBeLessThan(LOADS / 2);
  expect(report.unloads.length + report.unloads_omitted!).toBe(LOADS);

  const site = { taker: 'misc_open', family: 'file', gets: half, puts: half, held: 0, sameTask: half };
  const balance = balanceBySite(analysis, undefined);
  expect(balance.unpaired).toEqual([]);
  expect(balance.rows).toMatchObject([
    { module: 'bar', ...site, partners: [{ site: '__fput', times: half }] },
    { module: 'foo', ...site, partners: [{ site: '__fput', times: half }] },
  ]);

  const store = openStore(db);
  try {
    const { rows } = store.sql(
      'SELECT count(*), count(DISTINCT id), sum(gets), count(free) FROM incarnations',
    );
    expect(rows).toEqual([[LOADS, LOADS, LOADS, LOADS]]);
    expect(store.sql('SELECT count(*), count(put) FROM hard_refs').rows).toEqual([[LOADS, LOADS]]);
    expect(whyBusy('foo', store)).toEqual(whyBusy('foo', standingsOf(analysis)));
  } finally {
    store.close();
  }
  expect((await analyze([db])).report).toEqual(report);
});

test('what was out when a load was freed stays in a store that is kept while it is followed', () => {
  const db = join(scratch, 'followed.db');
  const keeper = keepLive(db, 'a pipe', false);
  const reader = createTailReader({ path: 'a pipe', keeper, tell: () => {} });
  const bytes = Buffer.from(lives(true));
  for (let at = 0; at < bytes.length; at += 1 << 15) {
    reader.push(bytes.subarray(at, at + (1 << 15)), 0);
    reader.tick(10_000);
    reader.commit();
  }
  reader.end(false);
  keeper.close();
  const store = openStore(db);
  expect(store.sql('SELECT count(*), count(put) FROM hard_refs').rows).toEqual([[LOADS, (LOADS / 3) * 2]]);
  store.close();
});
