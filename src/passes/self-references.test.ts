/** Invented records: a thread that holds its module and gives it back from inside, where its function is not probed. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

const held = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: do_init_module: (do_init_module+0x0/0x60) name="foo" mod=0xffffffffc0402000
      insmod-10   1.2: module_put: foo call_site=do_init_module refcnt=1
      sh-20       2.0: module_get: foo call_site=misc_open refcnt=2
      sh-20       2.1: module_get: foo call_site=foo_write [foo] refcnt=3
      sh-20       2.2: module_put: foo call_site=__fput refcnt=2`;
const put = (site: string) => `
      foo_job-21  3.0: module_put: foo call_site=${site} refcnt=1`;
const unload = `
      rmmod-30    4.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30    4.1: module_free: foo
      rmmod-30    4.2: sys_delete_module -> 0x0`;
const fault = (pid: number) => `
      foo_job-${pid}  5.0: console: [    5.0] BUG: unable to handle page fault for address: ffffffffc0401020`;

test('nothing tells whether it had returned when the text was freed', () => {
  expect(findingsOf(held + put('foo_job [foo]') + unload)).toEqual([
    '  -> note possible early-put foo: foo_job [foo] dropped the last reference to its own module, which was then unloaded',
  ]);
});

test('that its task crashes in that memory tells that it had not', () => {
  const [early, ...others] = findingsOf(held + put('foo_job [foo]') + unload + fault(21)).reverse();
  expect(early).toBe(
    '  -> error observed early-put foo: foo_job [foo] dropped the last reference to its own module, which was freed before it returned',
  );
  expect(others).toHaveLength(1);
  // Another task crashed there.
  expect(findingsOf(held + put('foo_job [foo]') + unload + fault(22)).at(-1)).toContain(
    'note possible early-put',
  );
});

test('a task that frees the module itself has returned', () => {
  expect(findingsOf(held + put('foo_job [foo]').replace('foo_job-21 ', 'rmmod-30 ') + unload)).toEqual([]);
});

test('a thread that puts and exits in one built-in function leaves nothing behind', () => {
  const enters = `
      foo_job-21  2.5: foo_job: (foo_job+0x0/0x60 [foo])
      foo_job-22  2.6: foo_job: (foo_job+0x0/0x60 [foo])
      foo_job-22  2.7: foo_job_ret: (kthread+0x10/0x60 <- foo_job)`;
  expect(findingsOf(held + enters + put('__module_put_and_kthread_exit') + unload)).toEqual([]);
  expect(findingsOf(held + enters + put('kthread') + unload)).toEqual([
    '  -> warning possible text-in-use foo: foo_job() was still running in foo_job/21 when rmmod/30 freed foo',
  ]);
});
