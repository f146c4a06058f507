import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WhyBusyAnswer } from '../model/answers.ts';
import { analyze } from '../pipeline/analyze.ts';
import { standingsOf } from '../pipeline/standings.ts';
import { holders } from './holders.ts';
import { whyBusy } from './why-busy.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** `cat-42 1.5 module_get: …` as tracefs prints it. */
function write(lines: readonly string[]): string {
  const path = join(folder, 'capture.txt');
  const rows = lines.map((line) => {
    const [task, time, ...rest] = line.split(' ');
    return `${task!.padStart(16)}   [000] ..... ${Number(time).toFixed(6).padStart(12)}: ${rest.join(' ')}`;
  });
  writeFileSync(path, ['# tracer: nop', '#', ...rows, ''].join('\n'));
  return path;
}

async function ask(module: string, ...lines: string[]): Promise<WhyBusyAnswer> {
  return whyBusy(module, standingsOf(await analyze([write(lines)])));
}

const LOADED = [
  'insmod-10 1 module_load: m OE',
  'insmod-10 1.1 module_put: m call_site=do_init_module refcnt=1',
];

test('an open file lasts until somebody closes it', async () => {
  const answer = await ask('m', ...LOADED, 'cat-42 2 module_get: m call_site=misc_open refcnt=2');
  expect(answer.verdict).toBe('lasting');
  expect(answer.holders).toMatchObject([
    { site: 'misc_open', family: 'file', task: { comm: 'cat', pid: 42 } },
  ]);
  expect(answer.steps).toEqual([
    'Let cat/42 close the file: ls -l /proc/42/fd; fuser -v on the device node.',
  ]);
});

test('what comes back quickly elsewhere is transient, until it has become much older', async () => {
  const habit = [1, 2, 3].flatMap((n) => [
    `udevd-7 ${n + 1} module_get: m call_site=blkdev_get_by_dev refcnt=2`,
    `udevd-7 ${n + 1.05} module_put: m call_site=blkdev_put refcnt=1`,
  ]);
  const young = [...LOADED, ...habit, 'udevd-7 9 module_get: m call_site=blkdev_get_by_dev refcnt=2'];
  const fresh = await ask('m', ...young);
  expect(fresh.verdict).toBe('transient');
  expect(fresh.steps).toEqual(['Wait for it: modprobe -r --wait 10000 m (milliseconds; kmod 30 or later).']);
  const old = await ask('m', ...young, 'cat-8 20 module_get: other call_site=misc_open refcnt=2');
  expect(old.verdict).toBe('lasting');
});

test('a dependency is named, and is to be removed first', async () => {
  const answer = await ask(
    'm',
    ...LOADED,
    'modprobe-50 2 module_get: m call_site=resolve_symbol refcnt=2',
    'modprobe-50 2.1 module_load: child ',
    'modprobe-50 2.2 module_put: child call_site=do_init_module refcnt=1',
  );
  expect(answer.holders).toMatchObject([{ family: 'dependency', dependent: 'child' }]);
  expect(answer.steps).toEqual(['Remove what links to it first: modprobe -r child.']);
});

test('what a module took that has gone since is not waited for', async () => {
  const habit = [2, 3].flatMap((n) => [
    `cat-42 ${n} module_get: m call_site=0xffffffffc0491076 refcnt=2`,
    `cat-42 ${n}.5 module_put: m call_site=0xffffffffc049113d refcnt=1`,
  ]);
  const answer = await ask(
    'm',
    ...LOADED,
    'insmod-11 1.2 module_load: user OE',
    'insmod-11 1.3 module_put: user call_site=do_init_module refcnt=1',
    ...habit,
    'cat-42 4 module_get: m call_site=0xffffffffc0491076 refcnt=2',
    'rmmod-60 4.1 module_free: user',
  );
  expect(answer.verdict).toBe('lasting');
  expect(answer.holders).toMatchObject([{ site: '0xffffffffc0491076 [user]', family: 'gone' }]);
  expect(answer.steps[0]).toMatch(/^What took it is gone/);
});

test('references from before the capture are counted by refcnt and said to be unseen', async () => {
  const answer = await ask('m', 'cat-42 2 module_get: m call_site=misc_open refcnt=4');
  expect(answer).toMatchObject({ count: 3, unseen: 2 });
  expect(answer.steps.at(-1)).toContain('2 references were taken before the capture began');
});

test('an rmmod that was refused tells who held it then', async () => {
  const answer = await ask(
    'm',
    ...LOADED,
    'cat-42 2 module_get: m call_site=misc_open refcnt=2',
    'rmmod-60 3 sys_delete_module(name_user: 7ffc, flags: 800)',
    'rmmod-60 3.1 sys_delete_module -> 0xfffffffffffffff5',
    'cat-42 4 module_put: m call_site=__fput refcnt=1',
  );
  expect(answer.verdict).toBe('idle');
  expect(answer.attempts).toMatchObject([{ outcome: 'refused', task: { comm: 'rmmod', pid: 60 } }]);
  expect(answer.attempts[0]!.text).toContain('cat/42 through misc_open for');
});

test('names with a dash are those with an underscore; the last load is meant', async () => {
  const path = write([
    'insmod-10 1 module_load: dm_mod ',
    'insmod-10 1.1 module_put: dm_mod call_site=do_init_module refcnt=1',
    'rmmod-11 2 module_free: dm_mod',
    'insmod-12 5 module_load: dm_mod ',
    'insmod-12 5.1 module_put: dm_mod call_site=do_init_module refcnt=1',
    'cat-42 6 module_get: dm_mod call_site=misc_open refcnt=2',
  ]);
  const at = (time?: string) =>
    holders('dm-mod', time, async (until) => standingsOf(await analyze([path], { until })));
  expect(await at()).toMatchObject({ incarnation: 2, count: 1, atEnd: true });
  expect(await at('2.5')).toMatchObject({ incarnation: 1, state: 'freed', count: 0 });
  expect(await at('5.5')).toMatchObject({ incarnation: 2, count: 0, atEnd: false });
  expect(await at('6')).toMatchObject({ incarnation: 2, count: 1 });
  await expect(at('0.5')).rejects.toThrow('before the first event');
  await expect(at('6.1')).rejects.toThrow('--at 6.1 lies after the last event, at 6.000000 s');
});

test('a module that somebody put too often is not to be unloaded', async () => {
  const answer = await ask(
    'm',
    ...LOADED,
    'cat-42 2 module_get: m call_site=misc_open refcnt=2',
    'sh-43 3 module_put: m call_site=m_drop refcnt=1',
    'cat-42 4 module_put: m call_site=__fput refcnt=0',
  );
  expect(answer.verdict).toBe('idle');
  expect(answer.steps[0]).toMatch(/^Leave it alone and restart the machine/);
  expect(answer.steps.join()).not.toContain('Try again');
});
