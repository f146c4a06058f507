/** Invented records: what the kernel answers to an rmmod, and how often. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

const load = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1`;
const open = `
      cat-20   2.0: module_get: foo call_site=misc_open refcnt=2`;
const refusal = (ret: string) => `
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: sys_delete_module -> ${ret}`;

const refusals = (story: string) => findingsOf(story).filter((line) => line.includes('busy-unload'));

test('only -EWOULDBLOCK speaks of references', () => {
  expect(refusals(load + open + refusal('0xfffffffffffffff5'))).toHaveLength(1);
  // -EBUSY: not live, or without an exit; -ENOENT: no such module; -EPERM.
  for (const ret of ['0xfffffffffffffff0', '0xfffffffffffffffe', '0xffffffffffffffff'])
    expect(refusals(load + open + refusal(ret))).toEqual([]);
});

test('refusals for the same holder are counted, not told one by one', () => {
  expect(refusals(load + open + refusal('0xfffffffffffffff5').repeat(200))).toMatchInlineSnapshot(`
    [
      "  -> note possible busy-unload foo: rmmod/30 could not unload foo: 1 reference out",
      "  -> note possible busy-unload foo: foo could not be unloaded 199 more times, the last by rmmod/30",
    ]
  `);
});
