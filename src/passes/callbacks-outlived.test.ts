/** Invented records, after those that probes on call_rcu() print on 6.1. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

const load = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1`;
const callbacks = `
      cat-20   2.0: foo_drop: (foo_drop+0x0/0x40 [foo])
      cat-20   2.1: call_rcu: (call_rcu+0x0/0x650) head=0xff110000aaaaaa00 func=foo_reap+0x0/0x70 [foo]
      cat-20   2.2: call_rcu: (call_rcu+0x0/0x650) head=0xff110000cccccc00 func=file_free_rcu+0x0/0x50
      cat-20   2.3: foo_drop_ret: (vfs_write+0x10/0x20 <- foo_drop)
      <idle>-0 ..s1. 2.4: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000aaaaaa00
      <idle>-0 ..s1. 2.5: foo_reap_ret: (rcu_do_batch+0x1c3/0x560 <- foo_reap)
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: foo_exit: (foo_exit+0x0/0x40 [foo])
      rmmod-30   5.2: call_rcu: (call_rcu+0x0/0x650) head=0xff110000aaaaaa00 func=foo_reap+0x0/0x70 [foo]
      rmmod-30   5.3: call_rcu: (call_rcu+0x0/0x650) head=0xff110000bbbbbb00 func=foo_reap+0x0/0x70 [foo]`;
const freed = `
      rmmod-30   5.6: foo_exit_ret: (__do_sys_delete_module+0x1b6/0x330 <- foo_exit)
      rmmod-30   5.7: module_free: foo
      rmmod-30   5.8: sys_delete_module -> 0x0`;

test('RCU callbacks that exit left behind are predicted; rcu_barrier(), or their run, ends them', () => {
  expect(findingsOf(`${load}${callbacks}${freed}`)).toMatchInlineSnapshot(`
    [
      "  -> warning predicted text-in-use foo: 2 RCU callbacks with foo_reap [foo] had not run when exit returned",
    ]
  `);
  expect(
    findingsOf(`${load}${callbacks}
      rmmod-30   5.4: rcu_barrier: (rcu_barrier+0x0/0x2d0)
      rmmod-30   5.5: rcu_barrier_ret: (foo_exit+0x20/0x40 [foo] <- rcu_barrier)${freed}`),
  ).toEqual([]);
  expect(
    findingsOf(`${load}${callbacks}
      <idle>-0 ..s1. 5.4: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000aaaaaa00
      <idle>-0 ..s1. 5.5: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000bbbbbb00${freed}`),
  ).toEqual([]);
});

test('one RCU callback left behind may be one unrecorded run, and nothing is known where no run ever was', () => {
  expect(
    findingsOf(`${load}${callbacks}
      <idle>-0 ..s1. 5.4: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000aaaaaa00${freed}`),
  ).toMatchInlineSnapshot(`
    [
      "  -> warning possible text-in-use foo: an RCU callback with foo_reap [foo] had not run when exit returned",
    ]
  `);
  const unprobed = callbacks.replace(/^.* foo_reap(?:_ret)?: .*\n/gm, '');
  expect(findingsOf(`${load}${unprobed}${freed}`)).toMatchInlineSnapshot(`
    [
      "  -> note possible text-in-use foo: 2 RCU callbacks with foo_reap [foo] had not run when exit returned",
    ]
  `);
});

test('a CPU runs its callbacks in order, so a run that was not recorded is made up for by a later one', () => {
  expect(
    findingsOf(`${load}${callbacks}
      <idle>-0 ..s1. 5.5: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000bbbbbb00${freed}`),
  ).toEqual([]);
});

test('callbacks and their runs are joined by the rcu_head where symbols came too late', () => {
  const late = callbacks.replaceAll('foo_reap: (foo_reap+0x0/0x70 [foo])', 'foo_reap: (0xffffffffc0400010)');
  expect(findingsOf(`${load}${late}${freed}`)).toMatchInlineSnapshot(`
    [
      "  -> warning predicted text-in-use foo: 2 RCU callbacks with foo_reap [foo] had not run when exit returned",
    ]
  `);
});

test('an RCU callback is no release method, whatever it is called', () => {
  const named = `${load}${callbacks}
      <idle>-0 ..s1. 5.4: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000aaaaaa00
      <idle>-0 ..s1. 5.41: foo_reap_ret: (rcu_do_batch+0x1c3/0x560 <- foo_reap)
      <idle>-0 ..s1. 5.5: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000bbbbbb00
      <idle>-0 ..s1. 5.51: foo_reap_ret: (rcu_do_batch+0x1c3/0x560 <- foo_reap)${freed}`;
  expect(findingsOf(named.replaceAll('foo_reap', 'foo_free'))).toEqual([]);
  // Not even where call_rcu() was not probed.
  expect(findingsOf(named.replaceAll('foo_reap', 'foo_free').replace(/^.* call_rcu: .*\n/gm, ''))).toEqual(
    [],
  );
});

test('what was left when exit returned is known to be seen running by a run that comes after', () => {
  const unprobedBefore = callbacks.replace(/^.* foo_(?:drop|reap)(?:_ret)?: .*\n/gm, '');
  expect(
    findingsOf(
      `${load}${unprobedBefore}${freed.replace(
        /\n.*module_free/,
        '\n      <idle>-0 ..s1. 5.61: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000aaaaaa00$&',
      )}`,
    ),
  ).toMatchInlineSnapshot(`
    [
      "  -> warning predicted text-in-use foo: 2 RCU callbacks with foo_reap [foo] had not run when exit returned",
    ]
  `);
});

test('one that exit left and that ran before the free is predicted harm, whatever went unrecorded', () => {
  const inTime = freed.replace(
    /\n.*module_free/,
    '\n      <idle>-0 ..s1. 5.65: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000bbbbbb00$&',
  );
  expect(
    findingsOf(`${load}${callbacks}
      <idle>-0 ..s1. 5.4: foo_reap: (foo_reap+0x0/0x70 [foo]) head=0xff110000aaaaaa00${inTime}`),
  ).toMatchInlineSnapshot(`
    [
      "  -> warning predicted text-in-use foo: an RCU callback with foo_reap [foo] had not run when exit returned",
    ]
  `);
});
