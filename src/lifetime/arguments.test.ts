/** Invented records: whoever sets a probe names its arguments as they like. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

const load = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1`;

test.each(['ret=-16', 'rv=0xfffffff0', 'rv=0xfffffffffffffff0', 'rv=-16'])('%s is an error', (returned) => {
  expect(
    findingsOf(`${load}
      cat-20   2.0: in_open: (foo_open+0x0/0x66 [foo])
      cat-20   2.1: module_get: bar call_site=foo_open [foo] refcnt=2
      cat-20   2.2: out_open: (misc_open+0xc1/0x180 <- foo_open) ${returned}
      cat-20   3.0: module_get: bar call_site=misc_open refcnt=3`),
  ).toEqual([expect.stringContaining('ref-leak bar: foo_open [foo] took a reference')]);
});

test.each(['rv=0x10', 'rv=0xffff8880fffffff0', 'a=-16 b=0', 'comm="cat"'])('%s is none', (returned) => {
  expect(
    findingsOf(`${load}
      cat-20   2.0: in_open: (foo_open+0x0/0x66 [foo])
      cat-20   2.1: module_get: bar call_site=foo_open [foo] refcnt=2
      cat-20   2.2: out_open: (misc_open+0xc1/0x180 <- foo_open) ${returned}
      cat-20   3.0: module_get: bar call_site=misc_open refcnt=3`),
  ).toEqual([]);
});

const unload = (attempt: string) => `${load}
      insmod-10   1.2: init: (do_init_module+0x0/0x60) what="foo" where=0xffffffffc0402040
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: in_exit: (foo_exit+0x0/0x40 [foo])
      rmmod-30   5.2: tmg: (try_module_get+0x0/0xa0)${attempt}
      rmmod-30   5.3: module_put: foo call_site=foo_exit [foo] refcnt=0
      rmmod-30   5.4: module_free: foo
      rmmod-30   5.5: sys_delete_module -> 0x0`;

test.each([' name="foo"', ' m="foo"', ' m=0xffffffffc0402040', ' caller="foo_exit" m="foo"'])(
  'try_module_get with%s speaks of foo',
  (attempt) => {
    expect(findingsOf(unload(attempt))).toEqual([expect.stringContaining('put-after-failed-get foo')]);
  },
);

test.each(['', ' m=(fault)', ' m="fo"', ' m=0xffffffffc0402080', ' mod=0x0 name="foo"'])(
  'with%s it does not',
  (attempt) => {
    expect(findingsOf(unload(attempt))).toEqual([expect.stringContaining('put-without-get foo')]);
  },
);
