/** Invented records: who takes, where what is printed does not tell. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

test('symbol_get takes for the module whose init the task is running', () => {
  const later = (pid: number) =>
    findingsOf(`
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
      insmod-11   2.0: module_load: bar OE
      insmod-${pid}   2.1: module_get: foo call_site=__symbol_get refcnt=2
      insmod-11   2.2: module_put: bar call_site=do_init_module refcnt=1
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: bar
      rmmod-30   5.2: sys_delete_module -> 0x0`);
  expect(later(11)).toEqual([expect.stringContaining('ref-leak foo: init of bar took a reference')]);
  expect(later(12)).toEqual([]);
});
