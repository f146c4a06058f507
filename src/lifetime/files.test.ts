/** Invented records: which files are open when the module goes. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

/** sleep opens and closes a file; what cat opens is never seen to be closed. */
const unloadAfter = (open: string) =>
  findingsOf(`
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
      sleep-19   1.5: foo_open: (foo_open+0x0/0x66 [foo])
      sleep-19   1.6: foo_open_ret: (misc_open+0xc1/0x180 <- foo_open)
      sleep-19   1.7: foo_close: (foo_close+0x0/0x66 [foo])
      sleep-19   1.8: foo_close_ret: (__fput+0xc1/0x180 <- foo_close)
      ${open}
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: foo
      rmmod-30   5.2: sys_delete_module -> 0x0`);

test('a file whose operations have no owner may be open still', () => {
  expect(
    unloadAfter(`cat-20   2.1: foo_open: (foo_open+0x0/0x66 [foo])
      cat-20   2.2: foo_open_ret: (misc_open+0xc1/0x180 <- foo_open)`),
  ).toEqual([expect.stringContaining('text-in-use foo: a file opened with foo_open()')]);
});

test('one that failed to open is not', () => {
  expect(
    unloadAfter(`cat-20   2.1: foo_open: (foo_open+0x0/0x66 [foo])
      cat-20   2.2: foo_open_ret: (misc_open+0xc1/0x180 <- foo_open) rv=0xfffffff0`),
  ).toEqual([]);
});

test('nor is one that the VFS took a reference for and gave it back, in whichever way', () => {
  for (const put of ['do_dentry_open', '__fput']) {
    expect(
      unloadAfter(`cat-20   2.0: module_get: foo call_site=misc_open refcnt=2
      cat-20   2.1: foo_open: (foo_open+0x0/0x66 [foo])
      cat-20   2.2: foo_open_ret: (misc_open+0xc1/0x180 <- foo_open)
      cat-20   2.3: module_put: foo call_site=${put} refcnt=1`),
    ).toEqual([]);
  }
});

test('that reference stands for one file: the next one without an owner may be open', () => {
  expect(
    unloadAfter(`cat-20   2.0: module_get: foo call_site=misc_open refcnt=2
      cat-20   2.1: foo_open: (foo_open+0x0/0x66 [foo])
      cat-20   2.2: foo_open_ret: (misc_open+0xc1/0x180 <- foo_open)
      cat-20   2.3: bar_open: (bar_open+0x0/0x66 [foo])
      cat-20   2.4: bar_open_ret: (misc_open+0xc1/0x180 <- bar_open)
      cat-20   2.5: module_put: foo call_site=__fput refcnt=1`),
  ).toEqual([expect.stringContaining('text-in-use foo: a file opened with bar_open()')]);
});
