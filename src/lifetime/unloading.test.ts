/** Invented records: unloads that come to nothing. */
import { expect, test } from 'vitest';
import { createEngine } from '../pipeline/engine.ts';
import { captureOf } from '../testing/read-text.ts';
import { RETURNED } from './unloading.ts';

async function engineOf(records: string, flags = '    ') {
  const lines = records
    .trim()
    .split('\n')
    .map((record) => /^\s*(\S+) (\d) (\S+) (.*)$/.exec(record)!)
    .map(([, task, cpu, time, what]) => {
      const [seconds, fraction = ''] = time!.split('.');
      return `${task!.padStart(16)}   [00${cpu}] ${flags} ${seconds}.${fraction.padEnd(6, '0')}: ${what}\n`;
    });
  const engine = createEngine();
  const capture = await captureOf(Buffer.from(`# tracer: nop\n#\n${lines.join('')}`));
  for await (const items of capture.items) for (const item of items) engine.feed(item, 0);
  engine.end();
  return engine;
}

const LOADED = `
  insmod-10 0 1.0 module_load: drv
  insmod-10 0 1.1 module_put: drv call_site=do_init_module refcnt=1
  insmod-10 0 1.2 module_load: foo
  insmod-10 0 1.3 module_put: foo call_site=do_init_module refcnt=1
  cat-30 1 1.4 module_get: foo call_site=misc_open refcnt=2`;
const USED_ON = [...Array(8).keys()]
  .map(
    (at) => `
  cat-30 1 4.${at} module_get: drv call_site=misc_open refcnt=2
  cat-30 1 4.${at}5 module_put: drv call_site=__fput refcnt=1`,
  )
  .join('');

test('a refused unload leaves no bystander going whose interrupt came in its task', async () => {
  const { findings, ledger } = await engineOf(`${LOADED}
  rmmod-20 0 3.0 sys_delete_module(name_user: 56392e56d808, flags: 800)
  rmmod-20 0 3.1 drv_irq: (drv_irq+0x4/0x20 [drv])
  rmmod-20 0 3.2 drv_irq_ret: (handle_irq <- drv_irq)
  rmmod-20 0 3.3 sys_delete_module -> 0xfffffffffffffff5${USED_ON}`);
  expect(ledger.incarnations.map(({ module, state, unload }) => [module, state, unload])).toEqual([
    ['drv', 'live', undefined],
    ['foo', 'live', undefined],
  ]);
  // Nor is it the one that could not be unloaded, and its refcnt goes on as before.
  expect(findings.map(({ rule, module, certainty }) => [rule, module, certainty])).toEqual([
    ['busy-unload', 'foo', 'possible'],
  ]);
});

test('of unknown context, what runs in the task of an unload under way only lets infer the module', async () => {
  const stuck = `${LOADED}
  rmmod-20 0 3.0 sys_delete_module(name_user: 56392e56d808, flags: 800)
  rmmod-20 0 3.1 drv_exit: (drv_exit+0x0/0x20 [drv])
  cat-30 1 9.0 module_put: foo call_site=__fput refcnt=1`;
  const identified = async (flags: string) =>
    (await engineOf(stuck, flags)).ledger.underWay.map((unload) => unload.identified);
  expect(await identified('    ')).toEqual(['inferred']);
  expect(await identified('.....')).toEqual(['named']);
});

test('an unload that does not come back keeps the latest calls that may be in its text, and no others', async () => {
  const calls = (module: string) =>
    [...Array(RETURNED + 100).keys()]
      .map(
        (at) => `
  cat-${1000 + at} 1 4.${1000 + at} ${module}_read: (${module}_read+0x0/0x20 [${module}])
  cat-${1000 + at} 1 4.${1000 + at} ${module}_read_ret: (vfs_read+0x10/0x20 <- ${module}_read)`,
      )
      .join('');
  const exit = `
  rmmod-20 0 3.1 drv_exit: (drv_exit+0x0/0x20 [drv])`;
  const kept = async (records: string) => {
    const { ledger } = await engineOf(records, '.....');
    return ledger.underWay[0]!.returned.map(({ entry }) => entry.pid);
  };
  const idle = LOADED.replace(/\n.*module_get.*/, '');
  const begins = `${idle}
  rmmod-20 0 3.0 sys_delete_module(name_user: 56392e56d808, flags: 800)`;
  expect(await kept(begins + exit + calls('foo'))).toEqual([]);
  const latest = [...Array(RETURNED).keys()].map((at) => at + 1100);
  expect(await kept(begins + exit + calls('drv'))).toEqual(latest);
  // Not known by then which of them it is.
  expect(await kept(begins + calls('foo'))).toEqual(latest);
});
