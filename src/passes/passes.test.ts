/** Invented records: real ones are under samples/. Each story is a bug or the thing that looks like it. */
import { describe, expect, test } from 'vitest';
import { findingsOf, story } from '../testing/story.ts';

const load = `
  insmod-10   1.0: module_load: foo OE
  insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1`;

test('a reference kept by an operation that failed is a leak', () => {
  expect(
    story(`${load}
      cat-20   2.0: foo_start: (foo_start+0x0/0x40 [foo])
      cat-20   2.1: module_get: bar call_site=foo_start [foo] refcnt=2
      cat-20   2.2: foo_start_ret: (vfs_ioctl+0x10/0x20 <- foo_start) ret=0xfffffff4
      cat-21   3.0: module_get: bar call_site=misc_open refcnt=3
      cat-21   3.1: module_put: bar call_site=__fput refcnt=2`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    cat-20   2.0: foo_start: (foo_start+0x0/0x40 [foo])
    cat-20   2.1: module_get: bar call_site=foo_start [foo] refcnt=2
    cat-20   2.2: foo_start_ret: (vfs_ioctl+0x10/0x20 <- foo_start) ret=0xfffffff4
    cat-21   3.0: module_get: bar call_site=misc_open refcnt=3
    cat-21   3.1: module_put: bar call_site=__fput refcnt=2
    the capture ends
      -> error observed ref-leak bar: foo_start [foo] took a reference to bar that was never given back"
  `);
});

test('a count that only goes up is a drift', () => {
  const operations = [1, 2, 3, 4, 5, 6].map(
    (n) => `nft-${30 + n}   ${n + 1}.0: module_get: foo call_site=bar_update [bar] refcnt=${n + 1}`,
  );
  expect(story(`${load}\n${operations.join('\n')}`)).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    nft-31   2.0: module_get: foo call_site=bar_update [bar] refcnt=2
    nft-32   3.0: module_get: foo call_site=bar_update [bar] refcnt=3
    nft-33   4.0: module_get: foo call_site=bar_update [bar] refcnt=4
    nft-34   5.0: module_get: foo call_site=bar_update [bar] refcnt=5
    nft-35   6.0: module_get: foo call_site=bar_update [bar] refcnt=6
    nft-36   7.0: module_get: foo call_site=bar_update [bar] refcnt=7
    the capture ends
      -> warning possible ref-leak foo: bar_update [bar] took 6 references to foo that were never given back"
  `);
});

test('a file held open to the end is in use, not leaked', () => {
  expect(
    story(`${load}
      daemon-20   2.0: module_get: foo call_site=misc_open refcnt=2
      cat-21   3.0: module_get: foo call_site=misc_open refcnt=3
      cat-21   3.1: module_put: foo call_site=__fput refcnt=2
      cat-22   4.0: module_get: foo call_site=misc_open refcnt=3
      cat-22   4.1: module_put: foo call_site=__fput refcnt=2
      cat-23   90.0: module_get: foo call_site=misc_open refcnt=3
      cat-23   90.1: module_put: foo call_site=__fput refcnt=2`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    daemon-20   2.0: module_get: foo call_site=misc_open refcnt=2
    cat-21   3.0: module_get: foo call_site=misc_open refcnt=3
    cat-21   3.1: module_put: foo call_site=__fput refcnt=2
    cat-22   4.0: module_get: foo call_site=misc_open refcnt=3
    cat-22   4.1: module_put: foo call_site=__fput refcnt=2
    cat-23   90.0: module_get: foo call_site=misc_open refcnt=3
    cat-23   90.1: module_put: foo call_site=__fput refcnt=2
    the capture ends"
  `);
});

test('a get and its put may come from different functions, tasks and contexts', () => {
  expect(
    story(`${load}
      dd-20   2.0: module_get: foo call_site=misc_open refcnt=2
      dd-20   2.1: module_get: foo call_site=foo_submit [foo] refcnt=3
      dd-20   2.2: module_get: foo call_site=foo_submit [foo] refcnt=4
      <idle>-0 [001] d.h1. 2.3: module_put: foo call_site=foo_complete [foo] refcnt=3
      <idle>-0 [001] d.h1. 2.4: module_put: foo call_site=foo_complete [foo] refcnt=2
      dd-20   2.5: module_put: foo call_site=__fput refcnt=1
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: foo
      rmmod-30   5.2: sys_delete_module -> 0x0`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    dd-20   2.0: module_get: foo call_site=misc_open refcnt=2
    dd-20   2.1: module_get: foo call_site=foo_submit [foo] refcnt=3
    dd-20   2.2: module_get: foo call_site=foo_submit [foo] refcnt=4
    <idle>-0 [001] d.h1. 2.3: module_put: foo call_site=foo_complete [foo] refcnt=3
    <idle>-0 [001] d.h1. 2.4: module_put: foo call_site=foo_complete [foo] refcnt=2
    dd-20   2.5: module_put: foo call_site=__fput refcnt=1
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: module_free: foo
    rmmod-30   5.2: sys_delete_module -> 0x0
    the capture ends"
  `);
});

test('a callback that ends with a jump to module_put() is who puts', () => {
  expect(
    findingsOf(`${load}
      cat-20          2.0: module_get: foo call_site=misc_open refcnt=2
      kworker/0:1-9   3.0: bar_work: (bar_work+0x0/0x40 [bar])
      kworker/0:1-9   3.1: module_put: foo call_site=process_one_work refcnt=1
      kworker/0:1-9   3.2: bar_work_ret: (worker_thread+0x10/0x20 <- bar_work)
      cat-20          4.0: module_put: foo call_site=__fput refcnt=0`)[0],
  ).toContain('foo: bar_work gave back a reference to foo that it never took');
});

test('a put that nobody took for steals a reference', () => {
  expect(
    story(`${load}
      sleep-20   2.0: module_get: foo call_site=misc_open refcnt=2
      cat-21   3.0: module_get: foo call_site=misc_open refcnt=3
      cat-21   3.1: module_put: foo call_site=foo_flush [foo] refcnt=2
      cat-21   3.2: module_put: foo call_site=__fput refcnt=1
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: foo
      rmmod-30   5.2: sys_delete_module -> 0x0`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    sleep-20   2.0: module_get: foo call_site=misc_open refcnt=2
    cat-21   3.0: module_get: foo call_site=misc_open refcnt=3
    cat-21   3.1: module_put: foo call_site=foo_flush [foo] refcnt=2
    cat-21   3.2: module_put: foo call_site=__fput refcnt=1
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: module_free: foo
    rmmod-30   5.2: sys_delete_module -> 0x0
      -> error observed put-without-get foo: foo_flush [foo] gave back a reference to foo that it never took
    the capture ends"
  `);
});

test('a put whose get is merely missing shows in the count', () => {
  expect(
    story(`${load}
      cat-21   3.1: module_put: foo call_site=foo_release [foo] refcnt=1
      cat-22   4.0: module_get: foo call_site=foo_open [foo] refcnt=2
      cat-22   4.1: module_put: foo call_site=foo_release [foo] refcnt=1`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    cat-21   3.1: module_put: foo call_site=foo_release [foo] refcnt=1
      -> note observed trace-gap foo: 1 get of foo missing before line 3
    cat-22   4.0: module_get: foo call_site=foo_open [foo] refcnt=2
    cat-22   4.1: module_put: foo call_site=foo_release [foo] refcnt=1
    the capture ends
      -> note possible unprotected-get foo: foo_open [foo] takes a reference to its own module while nobody holds it"
  `);
});

test('a put while the module is going, with nothing taken, follows a get that failed', () => {
  expect(
    story(`${load}
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      cat-21   5.1: module_put: foo call_site=bar_use [bar] refcnt=0
      rmmod-30   5.2: module_free: foo
      rmmod-30   5.3: sys_delete_module -> 0x0`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    cat-21   5.1: module_put: foo call_site=bar_use [bar] refcnt=0
    rmmod-30   5.2: module_free: foo
    rmmod-30   5.3: sys_delete_module -> 0x0
      -> error observed put-after-failed-get foo: bar_use [bar] put foo after its try_module_get had failed
    the capture ends"
  `);
});

test('a get inside a busy module is protected by whoever holds it', () => {
  expect(
    story(`${load}
      cat-20   2.0: module_get: foo call_site=misc_open refcnt=2
      cat-20   2.1: module_get: foo call_site=foo_start [foo] refcnt=3
      cat-20   2.2: module_put: foo call_site=foo_stop [foo] refcnt=2
      cat-20   2.3: module_put: foo call_site=__fput refcnt=1`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    cat-20   2.0: module_get: foo call_site=misc_open refcnt=2
    cat-20   2.1: module_get: foo call_site=foo_start [foo] refcnt=3
    cat-20   2.2: module_put: foo call_site=foo_stop [foo] refcnt=2
    cat-20   2.3: module_put: foo call_site=__fput refcnt=1
    the capture ends"
  `);
});

test('a free under holders is forced when the system call says so, and only then an error', () => {
  const held = `${load}
      cat-20   2.0: module_get: foo call_site=misc_open refcnt=2`;
  expect(
    story(`${held}
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: a00)
      rmmod-30   5.1: module_free: foo
      rmmod-30   5.2: sys_delete_module -> 0x0`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    cat-20   2.0: module_get: foo call_site=misc_open refcnt=2
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: a00)
    rmmod-30   5.1: module_free: foo
    rmmod-30   5.2: sys_delete_module -> 0x0
      -> error observed forced-unload foo: foo was freed while 1 reference was out
    the capture ends"
  `);
  expect(
    story(`${held}
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: foo
      rmmod-30   5.2: sys_delete_module -> 0x0`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    cat-20   2.0: module_get: foo call_site=misc_open refcnt=2
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: module_free: foo
    rmmod-30   5.2: sys_delete_module -> 0x0
    the capture ends"
  `);
});

test('rmmod refused names who held the module', () => {
  expect(
    story(`${load}
      udevd-20   2.0: module_get: foo call_site=misc_open refcnt=2
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: sys_delete_module -> 0xfffffffffffffff5
      udevd-20   5.2: module_put: foo call_site=__fput refcnt=1`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    udevd-20   2.0: module_get: foo call_site=misc_open refcnt=2
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: sys_delete_module -> 0xfffffffffffffff5
      -> note possible busy-unload foo: rmmod/30 could not unload foo: 1 reference out
    udevd-20   5.2: module_put: foo call_site=__fput refcnt=1
    the capture ends"
  `);
});

const racing = `${load}
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: foo_exit: (foo_exit+0x0/0x40 [foo])
      kworker/0:1-7   5.2: foo_obj_release: (foo_obj_release+0x0/0x40 [foo])`;
const freed = `
      rmmod-30   5.5: foo_exit_ret: (do_syscall_64+0x10/0x20 <- foo_exit)
      rmmod-30   5.6: module_free: foo
      rmmod-30   5.7: sys_delete_module -> 0x0`;

test('a release that returned in time by luck is predicted', () => {
  expect(
    story(`${racing}
      kworker/0:1-7   5.3: sched_waking: comm=rmmod pid=30 prio=120 target_cpu=000
      kworker/0:1-7   5.4: foo_obj_release_ret: (kobject_put+0x10/0x20 <- foo_obj_release)${freed}`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: foo_exit: (foo_exit+0x0/0x40 [foo])
    kworker/0:1-7   5.2: foo_obj_release: (foo_obj_release+0x0/0x40 [foo])
    kworker/0:1-7   5.3: sched_waking: comm=rmmod pid=30 prio=120 target_cpu=000
    kworker/0:1-7   5.4: foo_obj_release_ret: (kobject_put+0x10/0x20 <- foo_obj_release)
    rmmod-30   5.5: foo_exit_ret: (do_syscall_64+0x10/0x20 <- foo_exit)
    rmmod-30   5.6: module_free: foo
    rmmod-30   5.7: sys_delete_module -> 0x0
      -> warning predicted release-after-exit foo: foo_obj_release() ran in kworker/0:1/7 while rmmod/30 was unloading foo, and nothing makes the free wait for its return
    the capture ends"
  `);
});

test('a release whose return wakes the unloading task, or is flushed by it, is ordered', () => {
  expect(
    story(`${racing}
      kworker/0:1-7   5.3: foo_obj_release_ret: (kobject_put+0x10/0x20 <- foo_obj_release)
      kworker/0:1-7   5.4: sched_waking: comm=rmmod pid=30 prio=120 target_cpu=000${freed}`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: foo_exit: (foo_exit+0x0/0x40 [foo])
    kworker/0:1-7   5.2: foo_obj_release: (foo_obj_release+0x0/0x40 [foo])
    kworker/0:1-7   5.3: foo_obj_release_ret: (kobject_put+0x10/0x20 <- foo_obj_release)
    kworker/0:1-7   5.4: sched_waking: comm=rmmod pid=30 prio=120 target_cpu=000
    rmmod-30   5.5: foo_exit_ret: (do_syscall_64+0x10/0x20 <- foo_exit)
    rmmod-30   5.6: module_free: foo
    rmmod-30   5.7: sys_delete_module -> 0x0
    the capture ends"
  `);
  expect(
    story(`${racing}
      kworker/0:1-7   5.3: foo_obj_release_ret: (kobject_put+0x10/0x20 <- foo_obj_release)
      rmmod-30   5.4: flush_ret: (foo_exit+0x10/0x20 [foo] <- __flush_workqueue)${freed}`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: foo_exit: (foo_exit+0x0/0x40 [foo])
    kworker/0:1-7   5.2: foo_obj_release: (foo_obj_release+0x0/0x40 [foo])
    kworker/0:1-7   5.3: foo_obj_release_ret: (kobject_put+0x10/0x20 <- foo_obj_release)
    rmmod-30   5.4: flush_ret: (foo_exit+0x10/0x20 [foo] <- __flush_workqueue)
    rmmod-30   5.5: foo_exit_ret: (do_syscall_64+0x10/0x20 <- foo_exit)
    rmmod-30   5.6: module_free: foo
    rmmod-30   5.7: sys_delete_module -> 0x0
    the capture ends"
  `);
});

test('timers, work and RCU callbacks that are armed when the text goes are found; those that are over are not', () => {
  expect(
    story(`${load}
      cat-20   2.0: timer_start: timer=00000000aaaa function=foo_tick [foo] expires=4294 [timeout=250] cpu=0 idx=0 flags=
      cat-20   2.1: timer_start: timer=00000000bbbb function=foo_late [foo] expires=4294 [timeout=250] cpu=0 idx=0 flags=
      <idle>-0 ..s1. 2.5: timer_expire_entry: timer=00000000bbbb function=foo_late [foo] now=4294 baseclk=4294
      <idle>-0 ..s1. 2.6: timer_expire_exit: timer=00000000bbbb
      cat-20   3.0: workqueue_queue_work: work struct=00000000cccc function=foo_work [foo] workqueue=events req_cpu=64 cpu=0
      cat-20   3.1: workqueue_queue_work: work struct=00000000dddd function=foo_done [foo] workqueue=events req_cpu=64 cpu=0
      kworker/0:1-7   3.2: workqueue_execute_start: work struct 00000000dddd: function foo_done [foo]
      kworker/0:1-7   3.3: workqueue_execute_end: work struct 00000000dddd: function foo_done [foo]
      cat-20   4.0: rcu_callback: rcu_preempt rhp=00000000eeee func=foo_free_rcu [foo] 1
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: foo
      rmmod-30   5.2: sys_delete_module -> 0x0
      <idle>-0 ..s1. 6.0: timer_expire_entry: timer=00000000aaaa function=0xffffffffc0400010 now=4294 baseclk=4294`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    cat-20   2.0: timer_start: timer=00000000aaaa function=foo_tick [foo] expires=4294 [timeout=250] cpu=0 idx=0 flags=
    cat-20   2.1: timer_start: timer=00000000bbbb function=foo_late [foo] expires=4294 [timeout=250] cpu=0 idx=0 flags=
    <idle>-0 ..s1. 2.5: timer_expire_entry: timer=00000000bbbb function=foo_late [foo] now=4294 baseclk=4294
    <idle>-0 ..s1. 2.6: timer_expire_exit: timer=00000000bbbb
    cat-20   3.0: workqueue_queue_work: work struct=00000000cccc function=foo_work [foo] workqueue=events req_cpu=64 cpu=0
    cat-20   3.1: workqueue_queue_work: work struct=00000000dddd function=foo_done [foo] workqueue=events req_cpu=64 cpu=0
    kworker/0:1-7   3.2: workqueue_execute_start: work struct 00000000dddd: function foo_done [foo]
    kworker/0:1-7   3.3: workqueue_execute_end: work struct 00000000dddd: function foo_done [foo]
    cat-20   4.0: rcu_callback: rcu_preempt rhp=00000000eeee func=foo_free_rcu [foo] 1
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: module_free: foo
    rmmod-30   5.2: sys_delete_module -> 0x0
    <idle>-0 ..s1. 6.0: timer_expire_entry: timer=00000000aaaa function=0xffffffffc0400010 now=4294 baseclk=4294
      -> error observed text-in-use foo: a timer with foo_tick [foo] was still armed when foo was freed, and ran
    the capture ends
      -> note possible text-in-use foo: an RCU callback with foo_free_rcu [foo] had not run when foo was freed
      -> note possible text-in-use foo: a work item with foo_work [foo] was still armed when foo was freed"
  `);
});

test('a release in softirq that reaches vfree() is destruction there; an RCU callback that frees is not', () => {
  expect(
    story(`${load}
      <idle>-0 ..s1. 2.0: foo_release: (foo_release+0x0/0x40 [foo])
      <idle>-0 ..s1. 2.1: vfree: (vfree+0x0/0x40)
      <idle>-0 ..s1. 2.2: foo_release_ret: (kobject_put+0x10/0x20 <- foo_release)
      <idle>-0 ..s1. 3.0: foo_node_free: (foo_node_free+0x0/0x40 [foo])
      <idle>-0 ..s1. 3.1: vfree: (vfree+0x0/0x40)
      <idle>-0 ..s1. 3.2: foo_node_free_ret: (rcu_do_batch+0x10/0x20 <- foo_node_free)
      kworker/0:1-7   4.0: foo_release: (foo_release+0x0/0x40 [foo])
      kworker/0:1-7   4.1: vfree: (vfree+0x0/0x40)
      kworker/0:1-7   4.2: foo_release_ret: (kobject_put+0x10/0x20 <- foo_release)`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    <idle>-0 ..s1. 2.0: foo_release: (foo_release+0x0/0x40 [foo])
    <idle>-0 ..s1. 2.1: vfree: (vfree+0x0/0x40)
    <idle>-0 ..s1. 2.2: foo_release_ret: (kobject_put+0x10/0x20 <- foo_release)
    <idle>-0 ..s1. 3.0: foo_node_free: (foo_node_free+0x0/0x40 [foo])
    <idle>-0 ..s1. 3.1: vfree: (vfree+0x0/0x40)
    <idle>-0 ..s1. 3.2: foo_node_free_ret: (rcu_do_batch+0x10/0x20 <- foo_node_free)
    kworker/0:1-7   4.0: foo_release: (foo_release+0x0/0x40 [foo])
    kworker/0:1-7   4.1: vfree: (vfree+0x0/0x40)
    kworker/0:1-7   4.2: foo_release_ret: (kobject_put+0x10/0x20 <- foo_release)
    the capture ends
      -> error observed free-in-interrupt foo: foo_release() ran in softirq"
  `);
});

describe('in softirq', () => {
  const timer = (name: string, inside: string[]) =>
    findingsOf(
      [
        load,
        `<idle>-0 ..s1. 2.0: ${name}: (${name}+0x0/0x40 [foo])`,
        ...inside.map((record, at) => `<idle>-0 ..s1. 2.${at + 1}: ${record}`),
        `<idle>-0 ..s1. 2.8: ${name}_ret: (call_timer_fn+0x10/0x20 <- ${name})`,
      ].join('\n'),
    );

  test('a release in which nothing was seen proves nothing', () => {
    expect(timer('foo_release', [])).toMatchInlineSnapshot(`
      [
        "  -> note possible free-in-interrupt foo: foo_release() ran in softirq",
      ]
    `);
  });

  test('it is worth a warning where the kobject core called it, not by its name alone', () => {
    const called = [
      load,
      '<idle>-0 ..s1. 2.0: foo_end: (foo_end+0x0/0x40 [foo])',
      '<idle>-0 ..s1. 2.1: foo_end_ret: (kobject_put+0x8b/0x1d0 <- foo_end)',
    ].join('\n');
    expect(findingsOf(called)).toEqual([
      '  -> warning possible free-in-interrupt foo: foo_end() ran in softirq',
    ]);
  });

  test('a release that leaves the rest to a work item, or frees at once, is right', () => {
    expect(
      timer('foo_release', [
        'workqueue_queue_work: work struct=00000000cccc function=foo_work [foo] workqueue=events req_cpu=64 cpu=0',
      ]),
    ).toEqual([]);
    expect(timer('foo_release', ['kfree: (kfree+0x0/0x40)'])).toEqual([]);
    expect(timer('foo_release', ['vfree_atomic: (vfree_atomic+0x0/0x40)'])).toEqual([]);
  });

  test('it is wrong to sleep in one, whatever else it does', () => {
    expect(
      timer('foo_release', ['kfree: (kfree+0x0/0x40)', 'mutex_lock: (mutex_lock+0x0/0x40)']),
    ).toMatchInlineSnapshot(`
      [
        "  -> error observed free-in-interrupt foo: foo_release() ran in softirq",
      ]
    `);
  });

  test('vfree() tells of destruction whatever its caller is called', () => {
    expect(timer('foo_last', ['vfree: (vfree+0x0/0x40)'])).toMatchInlineSnapshot(`
      [
        "  -> warning observed free-in-interrupt foo: foo_last() freed memory in softirq",
      ]
    `);
    // To sleep there is a bug, but not of destruction.
    expect(timer('foo_last', ['mutex_lock: (mutex_lock+0x0/0x40)'])).toEqual([]);
  });

  test('a release is blamed rather than what it calls', () => {
    expect(
      timer('foo_release', [
        'foo_clear: (foo_clear+0x0/0x40 [foo])',
        'vfree: (vfree+0x0/0x40)',
        'foo_clear_ret: (foo_release+0x10/0x20 [foo] <- foo_clear)',
      ]),
    ).toMatchInlineSnapshot(`
      [
        "  -> error observed free-in-interrupt foo: foo_release() ran in softirq",
      ]
    `);
  });

  test('what was not seen to return need not have done what follows', () => {
    expect(
      findingsOf(`${load}
      <idle>-0 ..s1. 2.0: foo_release: (foo_release+0x0/0x40 [foo])
      <idle>-0 ..s1. 2.1: vfree: (vfree+0x0/0x40)`),
    ).toMatchInlineSnapshot(`
      [
        "  -> note possible free-in-interrupt foo: foo_release() ran in softirq",
      ]
    `);
  });

  test('vfree() names its caller when it returns; without a stack that may be an RCU callback', () => {
    const freed = `${load}
      <idle>-0 ..s1. 2.1: vfree: (vfree+0x0/0x40)
      <idle>-0 ..s1. 2.2: vfree_ret: (foo_last+0x10/0x20 [foo] <- vfree)`;
    const stack = (...frames: string[]) =>
      ['<idle>-0 ..s1. 2.2: <stack trace>', ...frames.map((frame) => ` => ${frame}`)].join('\n');
    expect(findingsOf(freed)).toMatchInlineSnapshot(`
      [
        "  -> note possible free-in-interrupt foo: foo_last() freed memory in softirq",
      ]
    `);
    expect(
      findingsOf(`${freed}\n${stack('foo_last', 'call_timer_fn', '__do_softirq')}`),
    ).toMatchInlineSnapshot(`
      [
        "  -> warning observed free-in-interrupt foo: foo_last() freed memory in softirq",
      ]
    `);
    expect(findingsOf(`${freed}\n${stack('foo_last', 'rcu_do_batch', '__do_softirq')}`)).toEqual([]);
  });
});

test('an init that fails frees the module without an unload', () => {
  expect(
    story(`
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
      insmod-10   1.2: module_free: foo`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    insmod-10   1.2: module_free: foo
    the capture ends"
  `);
});

test('lost events weaken what they could overturn', () => {
  expect(
    story(`${load}
      sleep-20   2.0: module_get: foo call_site=misc_open refcnt=2
      CPU:0 [LOST 7 EVENTS]
      cat-21   3.1: module_put: foo call_site=foo_flush [foo] refcnt=1
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: foo
      rmmod-30   5.2: sys_delete_module -> 0x0`),
  ).toMatchInlineSnapshot(`
    "insmod-10   1.0: module_load: foo OE
    insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
    sleep-20   2.0: module_get: foo call_site=misc_open refcnt=2
    CPU:0 [LOST 7 EVENTS]
    cat-21   3.1: module_put: foo call_site=foo_flush [foo] refcnt=1
    rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
    rmmod-30   5.1: module_free: foo
    rmmod-30   5.2: sys_delete_module -> 0x0
      -> note possible put-without-get foo: foo_flush [foo] gave back a reference to foo that it never took
    the capture ends
      -> note observed trace-gap *: 7 events were lost: on CPU 0 before line 4"
  `);
});

const opened = `${load}
      sh-20   1.5: module_get: foo call_site=misc_open refcnt=2`;
const request = (n: number) => `
      sh-20   ${n}.0: foo_write: (foo_write+0x0/0x40 [foo])
      sh-20   ${n}.1: module_get: foo call_site=foo_write [foo] refcnt=3
      sh-20   ${n}.2: hrtimer_start: hrtimer=00000000000a${n} function=foo_done [foo] expires=5 softexpires=5 mode=REL was_armed=0
      sh-20   ${n}.3: foo_write_ret: (vfs_write+0x10/0x20 <- foo_write) ret=0x2`;
const completion = (n: number) => `
      <idle>-0 d.h1. ${n}.4: hrtimer_cancel: hrtimer=00000000000a${n}
      <idle>-0 d.h1. ${n}.5: hrtimer_expire_entry: hrtimer=00000000000a${n} function=foo_done [foo] now=1
      <idle>-0 d.h1. ${n}.6: module_put: foo call_site=foo_done [foo] refcnt=2
      <idle>-0 d.h1. ${n}.7: hrtimer_expire_exit: hrtimer=00000000000a${n}`;
const others = [2, 3, 4].map((n) => request(n) + completion(n)).join('');
const cancelled = `${request(5)}
      sh-20   5.4: hrtimer_cancel: hrtimer=00000000000a5`;
const anotherOpen = `
      cat-21   7.0: module_get: foo call_site=misc_open refcnt=4
      cat-21   7.1: module_put: foo call_site=__fput refcnt=3`;

test('what a cancelled timer was to give back is a leak, unless who cancels gives it back', () => {
  expect(findingsOf(opened + others + cancelled + anotherOpen)).toEqual([
    '  -> error observed ref-leak foo: foo_write [foo] took a reference to foo that was never given back',
  ]);
  const givenBack = `
      sh-20   5.5: module_put: foo call_site=foo_write [foo] refcnt=2`;
  expect(findingsOf(opened + others + cancelled + givenBack)).toEqual([]);
  // Not yet run; and armed again after it was cancelled.
  expect(findingsOf(opened + others + request(5))).toEqual([]);
  const again = `
      sh-20   5.5: hrtimer_start: hrtimer=00000000000a5 function=foo_done [foo] expires=9 softexpires=9 mode=REL was_armed=0`;
  expect(findingsOf(opened + others + cancelled + again)).toEqual([]);
});

test('a call that leaves its reference to nobody, where others left theirs to a timer, is suspected', () => {
  const aborted = request(5).replace(/\n.*hrtimer_start.*/, '');
  expect(findingsOf(`${opened}${others}${aborted}${anotherOpen.replaceAll('7.', '90.')}`)).toEqual([
    '  -> warning possible ref-leak foo: foo_write [foo] took a reference to foo that was never given back',
  ]);
  // It may yet come.
  expect(findingsOf(`${opened}${others}${aborted}`)).toEqual([]);
});

test('a function that gave back less than it was called for is told of, in the load that it happened in', () => {
  const life = (at: number, kept: number) =>
    [1, 2, 3, 4]
      .map((n) => {
        const out = n > kept ? 1 : 0;
        const time = at + n;
        const put = `
      kworker/0:1-9   ${time}.4: module_put: foo call_site=bar_retire [bar] refcnt=${1 + out}`;
        return `
      sh-20   ${time}.1: module_get: foo call_site=bar_open [bar] refcnt=${2 + out}
      kworker/0:1-9   ${time}.3: bar_retire: (bar_retire+0x0/0x40 [bar])${n === kept ? '' : put}
      kworker/0:1-9   ${time}.5: bar_retire_ret: (process_one_work+0x10/0x20 <- bar_retire)`;
      })
      .join('');
  const again = `
      rmmod-30   7.0: module_free: foo${load.replaceAll(' 1.', ' 8.')}`;
  const later = `
      cat-21   90.0: module_get: foo call_site=misc_open refcnt=3
      cat-21   90.1: module_put: foo call_site=__fput refcnt=2`;
  expect(findingsOf(load + life(1, 9) + again + life(10, 2) + later)).toEqual([
    '  -> error observed ref-leak foo: bar_open [bar] took a reference to foo that was never given back',
  ]);
  expect(findingsOf(load + life(1, 9) + again + life(10, 9))).toEqual([]);
});

test('a call that returns, where others went on to what saw to their references, is suspected', () => {
  const call = (pid: number, at: number, refcnt: number, next: string) => `
      dd-${pid}   ${at}.0: bar_write: (bar_write+0x0/0x40 [bar])
      dd-${pid}   ${at}.1: module_get: foo call_site=bar_write [bar] refcnt=${refcnt}${next}
      dd-${pid}   ${at}.4: bar_write_ret: (vfs_write+0x10/0x20 <- bar_write) ret=0x2`;
  const submit = (pid: number, at: number) => `
      dd-${pid}   ${at}.2: foo_submit: (foo_submit+0x0/0x40 [foo])
      dd-${pid}   ${at}.3: foo_submit_ret: (bar_write+0x10/0x40 [bar] <- foo_submit)`;
  // One work item gives back what several calls left.
  const puts = [4, 3, 2].map(
    (refcnt) =>
      `\n      kworker/0:1-9   6.0${6 - refcnt}: module_put: foo call_site=foo_done [foo] refcnt=${refcnt}`,
  );
  const calls = (last: string) =>
    [call(20, 2, 2, submit(20, 2)), call(21, 3, 3, last), call(22, 4, 4, submit(22, 4))].join('') +
    call(23, 5, 5, submit(23, 5)) +
    puts.join('');
  const later = '\n      sh-99   900.0: module_get: baz call_site=misc_open refcnt=2';
  expect(findingsOf(`${load}${calls('')}${later}`)).toEqual([
    '  -> warning possible ref-leak foo: bar_write [bar] took a reference to foo that was never given back',
  ]);
  // It may still be under way, or be none of those that are gone.
  expect(findingsOf(`${load}${calls('')}`)).toEqual([]);
  expect(findingsOf(`${load}${calls(submit(21, 3))}${later}`)).toEqual([]);
});

test('what a module took from another and did not give back before it was freed', () => {
  const taken = `${load}
      insmod-11   1.5: module_load: bar OE
      insmod-11   1.6: module_put: bar call_site=do_init_module refcnt=1
      cat-20   2.0: bar_find: (bar_find+0x0/0x40 [bar])
      cat-20   2.1: module_get: foo call_site=__symbol_get refcnt=2
      cat-20   2.2: bar_find_ret: (vfs_write+0x10/0x20 <- bar_find) ret=0x2
      cat-21   3.0: module_get: foo call_site=misc_open refcnt=3
      cat-21   3.1: module_put: foo call_site=__fput refcnt=2`;
  const freed = `
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: bar
      rmmod-30   5.2: sys_delete_module -> 0x0`;
  expect(findingsOf(taken + freed)).toEqual([
    '  -> warning possible ref-leak foo: bar_find [bar] took a reference to foo that was never given back',
  ]);
  const givenBack = `
      rmmod-30   4.0: module_put: foo call_site=__symbol_put refcnt=1`;
  expect(findingsOf(taken + givenBack + freed)).toEqual([]);
  // Who else gives such references back is known where one came back.
  const before = taken.slice(load.length).replaceAll(/ [23]\.(\d): /g, ' 1.9$1: ');
  const another = `
      cat-20   1.99: module_put: foo call_site=bar_done [bar] refcnt=1`;
  expect(findingsOf(load + before + another + taken.slice(load.length) + freed)).toEqual([
    '  -> error observed ref-leak foo: bar_find [bar] took a reference to foo that was never given back',
  ]);
  // Its user is still there and may need it.
  expect(findingsOf(taken)).toEqual([]);
});

test('of a count that never adds up the first gaps are told one by one, and how many more there were', () => {
  // Each round but the first lacks the get before it.
  const rounds = [...Array(40).keys()].flatMap((n) =>
    [0, 1, 2, 3].map((k) => {
      const [verb, refcnt] = k % 2 === 0 ? ['get', 2] : ['put', 1];
      return `cat-20   ${2 + n}.${k}: module_${verb}: foo call_site=${k % 2 === 0 ? 'misc_open' : '__fput'} refcnt=${refcnt + n}`;
    }),
  );
  const told = findingsOf(`${load}\n${rounds.join('\n')}`).filter((line) => line.includes('trace-gap'));
  expect(told).toHaveLength(17);
  expect(told[0]).toBe('  -> note observed trace-gap foo: 1 get of foo missing before line 7');
  expect(told.at(-1)).toBe(
    '  -> note observed trace-gap foo: 23 more gets and puts of foo missing, the last before line 159',
  );
});
