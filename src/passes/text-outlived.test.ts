/** Invented records: what ends a call, and what a crash is told with. */
import { expect, test } from 'vitest';
import { createEngine } from '../pipeline/engine.ts';
import { captureOf } from '../testing/read-text.ts';
import { findingsOf } from '../testing/story.ts';

const load = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
      cat-20   1.2: foo_read: (foo_read+0x0/0x40 [foo])
      cat-20   1.3: foo_read_ret: (vfs_read+0x10/0x20 <- foo_read)`;
const unload = `
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: module_free: foo
      rmmod-30   5.2: sys_delete_module -> 0x0`;

test('a call is over when the work item or the timer that it ran in is', () => {
  expect(
    findingsOf(`${load}
      cat-20   2.0: workqueue_queue_work: work struct=00000000cccc function=foo_work [foo] workqueue=events req_cpu=64 cpu=0
      kworker/0:1-7   2.1: workqueue_execute_start: work struct 00000000cccc: function foo_work [foo]
      kworker/0:1-7   2.2: foo_work: (foo_work+0x0/0x40 [foo])
      kworker/0:1-7   2.3: workqueue_execute_end: work struct 00000000cccc: function foo_work [foo]${unload}`),
  ).toEqual([]);
  expect(
    findingsOf(`${load}
      cat-20   2.0: timer_start: timer=00000000aaaa function=foo_tick [foo] expires=4294 [timeout=250] cpu=0 idx=0 flags=
      <idle>-0 ..s1. 2.1: timer_expire_entry: timer=00000000aaaa function=foo_tick [foo] now=4294 baseclk=4294
      <idle>-0 ..s1. 2.2: foo_tick: (foo_tick+0x0/0x40 [foo])
      <idle>-0 ..s1. 2.3: timer_expire_exit: timer=00000000aaaa${unload}`),
  ).toEqual([]);
});

test('a fault shows that a call was running, though no return was ever seen', () => {
  const thread = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
      insmod-10   1.2: do_init_module: (do_init_module+0x0/0x60) name="foo" mod=0xffffffffc0402000
      foo-7   2.0: foo_thread: (foo_thread+0x0/0x40 [foo])${unload}`;
  expect(findingsOf(thread)).toEqual([]);
  expect(
    findingsOf(`${thread}
      foo-7   6.0: console: [ 6.0] BUG: unable to handle page fault for address: ffffffffc0400020`),
  ).toMatchInlineSnapshot(`
    [
      "  -> error observed text-in-use foo: foo_thread() was still running in foo/7 when rmmod/30 freed foo",
    ]
  `);
});

test('but only in the text that was freed: a task may fault elsewhere long after', () => {
  expect(
    findingsOf(`
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
      insmod-10   1.2: do_init_module: (do_init_module+0x0/0x60) name="foo" mod=0xffffffffc0402000
      foo-7   2.0: foo_thread: (foo_thread+0x0/0x40 [foo])${unload}
      foo-7   6.0: console: [ 6.0] BUG: unable to handle page fault for address: 0000000000000020`),
  ).toEqual([]);
});

test('a return that prints as the successor of its function is known by the name of its probe', () => {
  expect(
    findingsOf(`${load}
      kworker/0:1-7   4.0: foo_work: (foo_work+0x0/0x40 [foo])${unload}
      kworker/0:1-7   5.3: foo_work_ret: (process_one_work+0x10/0x20 <- bar_init)`),
  ).toMatchInlineSnapshot(`
    [
      "  -> error observed text-in-use foo: foo_work() was still running in kworker/0:1/7 when rmmod/30 freed foo",
    ]
  `);
});

test('the one timer that was armed explains a crash in the memory of its module', () => {
  const story = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
      insmod-10   1.2: do_init_module: (do_init_module+0x0/0x60) name="foo" mod=0xffffffffc0402000
      cat-20   2.0: timer_start: timer=00000000aaaa function=foo_tick [foo] expires=4294 [timeout=250] cpu=0 idx=0 flags=`;
  const crash = `
      <idle>-0 ..s1. 6.0: console: [ 6.0] BUG: unable to handle page fault for address: ffffffffc0400020`;
  expect(findingsOf(`${story}${unload}${crash}`)).toMatchInlineSnapshot(`
    [
      "  -> error observed text-in-use foo: a timer with foo_tick [foo] was still armed when foo was freed",
    ]
  `);
  const second =
    'cat-20   2.1: timer_start: timer=00000000bbbb function=foo_tock [foo] expires=4294 [timeout=250] cpu=0 idx=0 flags=';
  expect(findingsOf(`${story}\n${second}${unload}${crash}`)).toMatchInlineSnapshot(`
    [
      "  -> error observed text-in-use foo: softirq on CPU 0 faulted at 0xffffffffc0400020, in the memory of foo, which was gone",
      "  -> warning possible text-in-use foo: a timer with foo_tick [foo] was still armed when foo was freed",
      "  -> warning possible text-in-use foo: a timer with foo_tock [foo] was still armed when foo was freed",
    ]
  `);
});

test('a timer that was to call the function where a task crashed explains it, though all names were gone', () => {
  const armed = (fn: string) => `${load}
      sh-20   2.0: hrtimer_start: hrtimer=00000000aaaa function=0x${fn} expires=4294 softexpires=4294 mode=REL
      <idle>-0 d.h1. 2.1: hrtimer_expire_entry: hrtimer=00000000aaaa function=0x${fn} now=4294
      <idle>-0 d.h1. 2.2: foo_tick: (0xffffffffc04850a4)
      <idle>-0 d.h1. 2.3: foo_tick_ret: (__hrtimer_run_queues+0x12a/0x240 <- 0xffffffffc04850a4)
      <idle>-0 d.h1. 2.4: hrtimer_expire_exit: hrtimer=00000000aaaa
      <idle>-0 d.h1. 2.5: hrtimer_start: hrtimer=00000000aaaa function=0x${fn} expires=4295 softexpires=4295 mode=ABS${unload}
      <idle>-0 d.h1. 6.0: hrtimer_expire_entry: hrtimer=00000000aaaa function=0x${fn} now=4295
      <idle>-0 d.h1. 6.1: console: [ 6.1] BUG: unable to handle page fault for address: ffffffffc04850a0`;
  expect(findingsOf(armed('ffffffffc04850a0'))).toEqual([
    '  -> warning possible text-in-use foo: an hrtimer with foo_tick [foo] was still armed when foo was freed',
  ]);
  // A probe tells what it crashed in, but nothing what led there.
  expect(findingsOf(armed('ffffffffc0999000'))).toEqual([
    '  -> warning possible text-in-use foo: hardirq on CPU 0 faulted in foo_tick(), in the memory of foo, which was gone',
  ]);
});

test('what an earlier module called what lay there says nothing of a later one', () => {
  const old = `
      insmod-9   0.1: module_load: old OE
      insmod-9   0.2: module_put: old call_site=do_init_module refcnt=1
      cat-20   0.3: old_tick: (0xffffffffc04850a4)
      cat-20   0.4: old_tick_ret: (vfs_read+0x10/0x20 <- 0xffffffffc04850a4)
      rmmod-30   0.5: module_free: old`;
  const crash = `
      cat-20   8.0: console: [ 8.0] BUG: unable to handle page fault for address: ffffffffc04850a0`;
  const placed = `${load}
      insmod-10   1.4: do_init_module: (do_init_module+0x0/0x60) name="foo" mod=0xffffffffc0487000`;
  expect(findingsOf(old + placed + unload + crash)).toEqual([
    '  -> error observed text-in-use foo: cat/20 faulted at 0xffffffffc04850a0, in the memory of foo, which was gone',
  ]);
});

test('a work item that was first seen running is not said to have been armed', async () => {
  const capture = await captureOf(
    Buffer.from(`# tracer: nop
#
       insmod-10      [000] .....     1.000000: module_load: foo OE
       insmod-10      [000] .....     1.100000: module_put: foo call_site=do_init_module refcnt=1
  kworker/0:1-7       [000] .....     2.000000: workqueue_execute_start: work struct 00000000cccc: function foo_work [foo]
        rmmod-30      [001] .....     5.000000: module_free: foo
`),
  );
  const engine = createEngine();
  for await (const items of capture.items) for (const item of items) engine.feed(item, 0);
  engine.end();
  const [finding] = engine.findings;
  expect(finding!.detail).toBe(
    'kworker/0:1/7 began to run it 3 s before the free, and no end of it was seen.',
  );
  expect(finding!.evidence.map(({ role }) => role)).toEqual(['a work item runs', 'the text is freed']);
});
