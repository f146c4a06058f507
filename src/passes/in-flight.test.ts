/** Invented records: what an unload waits for before the text goes, and what returns while it goes. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

const load = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: do_init_module: (do_init_module+0x0/0x60) name="foo" mod=0xffffffffc0402000
      insmod-10   1.2: module_put: foo call_site=do_init_module refcnt=1`;
const enters = (flags = '.....') => `
      sh-20 [001] ${flags} 2.0: foo_set: (foo_set+0x0/0x40 [foo])`;
const returns = (seconds: string, caller: string, flags = '.....') => `
      sh-20 [001] ${flags} ${seconds}: foo_set_ret: (${caller}+0x10/0x20 <- foo_set)`;
const unloadBegins = `
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: foo`;
const unloadEnds = `
      rmmod-30   5.3: sys_delete_module -> 0x0`;

test('what returns while free_module() is at work may have done so in time', () => {
  const title = 'text-in-use foo: foo_set() was still running in sh/20 when rmmod/30 freed foo';
  expect(findingsOf(load + enters() + unloadBegins + returns('5.2', 'vfs_write') + unloadEnds)).toEqual([
    `  -> warning predicted ${title}`,
  ]);
  expect(findingsOf(load + enters() + unloadBegins + unloadEnds + returns('5.4', 'vfs_write'))).toEqual([
    `  -> error observed ${title}`,
  ]);
});

test('methods of sysfs files are waited for', () => {
  for (const caller of ['param_attr_store', 'kernfs_fop_write_iter', 'dev_attr_show']) {
    expect(findingsOf(load + enters() + unloadBegins + returns('5.2', caller) + unloadEnds)).toEqual([]);
  }
});

test('so is what runs in interrupts, unless it crashes', () => {
  const inSoftirq = load + enters('..s1.') + unloadBegins;
  expect(findingsOf(inSoftirq + returns('5.2', 'call_timer_fn', '..s1.') + unloadEnds)).toEqual([]);
  expect(
    findingsOf(`${inSoftirq}${unloadEnds}
      sh-20 [001] ..s1. 6.0: console: [ 6.0] BUG: unable to handle page fault for address: ffffffffc0401020`),
  ).toEqual([
    '  -> error observed text-in-use foo: foo_set() was still running in softirq on CPU 1 when rmmod/30 freed foo',
  ]);
});

test('a method of a sysfs file may take its own module', () => {
  const takes = `
      sh-20   2.1: module_get: foo call_site=foo_set [foo] refcnt=2`;
  expect(findingsOf(load + enters() + takes + returns('2.2', 'kernfs_fop_write_iter'))).toEqual([]);
  expect(findingsOf(load + enters() + takes + returns('2.2', 'vfs_write'))).toEqual([
    '  -> warning predicted unprotected-get foo: foo_set [foo] takes a reference to its own module while nobody holds it',
  ]);
});

test('so it may be where only its name tells what it is', () => {
  expect(
    findingsOf(`${load}
      sh-20   2.1: module_get: foo call_site=level_store [foo] refcnt=2`),
  ).toEqual([
    '  -> note possible unprotected-get foo: level_store [foo] takes a reference to its own module while nobody holds it',
  ]);
});

test('a last put from inside is in time where exit waits for its return', () => {
  const puts = `
      sh-9        2.0: module_get: foo call_site=foo_open [foo] refcnt=2
      kworker/0:1-7   3.0: foo_work: (foo_work+0x0/0x40 [foo])
      kworker/0:1-7   3.1: module_put: foo call_site=foo_work [foo] refcnt=1
      rmmod-30   4.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   4.1: foo_exit: (foo_exit+0x0/0x40 [foo])
      kworker/0:1-7   4.2: foo_work_ret: (process_one_work+0x10/0x20 <- foo_work)`;
  const freed = `
      rmmod-30   4.5: foo_exit_ret: (__do_sys_delete_module+0x10/0x20 <- foo_exit)
      rmmod-30   4.6: module_free: foo
      rmmod-30   4.7: sys_delete_module -> 0x0`;
  const flushes = `
      rmmod-30   4.3: __flush_workqueue_ret: (foo_exit+0x10/0x40 [foo] <- __flush_workqueue)`;
  const early = (story: string) => findingsOf(load + story).filter((line) => line.includes('early-put'));
  expect(early(puts + freed)).toEqual([
    '  -> warning predicted early-put foo: foo_work() dropped the last reference to its own module and had yet to return when the unload began',
  ]);
  expect(early(puts + flushes + freed)).toEqual([]);
});

test('whether a flush waits for a release in a work item is open where no flush could be seen', () => {
  const release = `
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: foo_exit: (foo_exit+0x0/0x40 [foo])
      kworker/0:1-7   5.2: workqueue_execute_start: work struct 00000000aaaa: function foo_work [foo]
      kworker/0:1-7   5.3: foo_release: (foo_release+0x0/0x40 [foo])
      kworker/0:1-7   5.4: sched_waking: comm=rmmod pid=30 prio=120 target_cpu=000
      kworker/0:1-7   5.5: foo_release_ret: (kobject_put+0x10/0x20 <- foo_release)
      kworker/0:1-7   5.6: workqueue_execute_end: work struct 00000000aaaa: function foo_work [foo]
      rmmod-30   5.7: foo_exit_ret: (__do_sys_delete_module+0x10/0x20 <- foo_exit)
      rmmod-30   5.8: module_free: foo
      rmmod-30   5.9: sys_delete_module -> 0x0`;
  const elsewhere = `
      sh-20      1.5: __flush_workqueue_ret: (bar_sync+0x10/0x40 [bar] <- __flush_workqueue)`;
  const title = 'foo_release() ran in kworker/0:1/7 while rmmod/30 was unloading foo, and nothing';
  expect(findingsOf(load + release)).toEqual([
    `  -> note possible release-after-exit foo: ${title} in this capture shows that the free waits for its return`,
  ]);
  expect(findingsOf(load + elsewhere + release)).toEqual([
    `  -> warning predicted release-after-exit foo: ${title} makes the free wait for its return`,
  ]);
});

test('a call that is never seen to return explains no crash of its task long after', () => {
  // Where the module lay is not told, so that it was its memory is inferred.
  const story = `${load.replace(/\n.*do_init_module\+0x0.*/, '')}
      sh-20      2.0: foo_notify: (foo_notify+0x0/0x40 [foo])${unloadBegins}${unloadEnds}
      sh-20      6.0: console: [    6.0] BUG: unable to handle page fault for address: ffffffffc0401020`;
  expect(findingsOf(story)).toEqual([
    '  -> warning possible text-in-use foo: sh/20 faulted at 0xffffffffc0401020, in the memory of foo, which was gone',
  ]);
});
