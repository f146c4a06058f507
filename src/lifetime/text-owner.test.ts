/** Invented records, but where samples are named: whose text it is where names were looked up too late. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { analyze } from '../pipeline/analyze.ts';
import { findingsOf } from '../testing/story.ts';

const load = (module: string, at: number, mod: string) => `
      insmod-10   ${at}.0: module_load: ${module} OE
      insmod-10   ${at}.1: do_init_module: (do_init_module+0x0/0x60) name="${module}" mod=0x${mod}
      insmod-10   ${at}.2: module_put: ${module} call_site=do_init_module refcnt=1`;
const unload = (module: string, at: number) => `
      rmmod-30   ${at}.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   ${at}.1: module_free: ${module}
      rmmod-30   ${at}.2: sys_delete_module -> 0x0`;
const fault = `
      foo-7   8.0: console: [    8.0] BUG: unable to handle page fault for address: ffffffffc0401020`;

test('of two loads at one place, a fault is in the text of the later one', () => {
  const first = `${load('foo', 1, 'ffffffffc0402000')}${unload('foo', 2)}`;
  const second = `${load('foo', 3, 'ffffffffc0402000')}
      foo-7   4.0: foo_thread: (foo_thread+0x0/0x40 [foo])${unload('foo', 5)}${fault}`;
  const found = [
    '  -> error observed text-in-use foo: foo_thread() was still running in foo/7 when rmmod/30 freed foo',
  ];
  expect(findingsOf(second)).toEqual(found);
  expect(findingsOf(first + second)).toEqual(found);
});

test('what exit calls in another module that it uses is not the exit of that one', () => {
  const dependency = `
      insmod-10   3.5: module_get: foo call_site=resolve_symbol refcnt=2`;
  expect(
    findingsOf(`${load('foo', 1, 'ffffffffc0402000')}${load('bar', 3, 'ffffffffc0502000')}${dependency}
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: foo_forget: (foo_forget+0x0/0x40 [foo])
      rmmod-30   5.2: foo_forget_ret: (bar_exit+0x10/0x20 [bar] <- foo_forget)`),
  ).toEqual(['  -> note possible stuck-unload bar: rmmod/30 is still unloading bar when the capture ends']);
});

test('a call site is where the function around it is, if both are printed as another module', () => {
  const open = (site: string) => `${load('foo', 1, 'ffffffffc0402000')}${load('bar', 2, 'ffffffffc0502000')}
      cat-20   3.0: enter3_bar_bar_open: (foo_init+0x44/0xff0 [foo])
      cat-20   3.1: module_get: bar call_site=${site} refcnt=2
      cat-20   3.2: leave3_bar_bar_open: (misc_open+0x10/0x20 <- foo_init) ret=0
      cat-20   4.0: enter3_bar_bar_close: (foo_init+0x4/0xff0 [foo])
      cat-20   4.1: module_put: bar call_site=${site} refcnt=1
      cat-20   4.2: leave3_bar_bar_close: (__fput+0x10/0x20 <- foo_init)`;
  expect(findingsOf(open('foo_init [foo]'))).toEqual([
    '  -> warning predicted unprotected-get bar: bar_open [bar] takes a reference to its own module while nobody holds it',
  ]);
  expect(findingsOf(open('foo_use [foo]'))).toEqual([]);
});

test('a call is in the freed text though its symbol was that of an init of another module, and its offset right', () => {
  const story = (
    offset: string,
  ) => `${load('foo', 1, 'ffffffffc0402000')}${load('bar', 2, 'ffffffffc0502000')}
      cat-20   3.0: bar_read: (foo_init+0x4/0xff0 [foo])
      cat-20   3.1: bar_read_ret: (vfs_read+0x10/0x20 <- foo_init)
      cat-20   4.0: bar_read: (foo_init+0x4/0xff0 [foo])
      rmmod-30   5.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   5.1: bar_exit: (foo_init+${offset}/0xff0 [foo])
      rmmod-30   5.2: bar_exit_ret: (__do_sys_delete_module+0x1b5/0x330 <- foo_init)
      rmmod-30   5.3: module_free: bar
      rmmod-30   5.4: sys_delete_module -> 0x0
      cat-20   8.0: console: [    8.0] BUG: unable to handle page fault for address: ffffffffc050002b`;
  expect(findingsOf(story('0x54'))).toEqual([
    '  -> error observed text-in-use bar: bar_read() was still running in cat/20 when rmmod/30 freed bar',
  ]);
});

test('a release that faults in its second load, its symbols gone to an init of another module', async () => {
  const { report } = await analyze([
    'samples/tracefs/lab/6.12-release-after-exit-loaded-twice.txt',
    'samples/kernel-log/6.12-release-after-exit-loaded-twice-console.txt',
  ]);
  const found = report.findings.map(({ rule, certainty, incarnation, culprit }) => [
    rule,
    certainty,
    incarnation,
    culprit.symbol,
  ]);
  expect(found).toEqual([['release-after-exit', 'observed', 2, 'teach_kobject_release']]);
});

test('a fault behind struct module, where the timer lay, is in the memory of that module', () => {
  const tick = `${load('foo', 1, 'ffffffffc0402040')}${load('bar', 2, 'ffffffffc0404040')}
      sh-20   3.0: timer_start: timer=00000000aaaa function=foo_tick [foo] expires=4294 [timeout=250] cpu=0 idx=0 flags=`;
  const at = (address: string) => `${unload('foo', 5)}
      <idle>-0 ..s1. 8.0: console: [    8.0] BUG: unable to handle page fault for address: ${address}`;
  const armed = 'text-in-use foo: a timer with foo_tick [foo] was still armed when foo was freed';
  expect(findingsOf(tick + at('ffffffffc04023c8'))).toEqual([`  -> error observed ${armed}`]);
  // In the text of the other one, or in nobody's.
  expect(findingsOf(tick + at('ffffffffc04033c8'))).toEqual([`  -> warning possible ${armed}`]);
});

test('a crash in the memory of what the kernel unloaded last, though the trace ends before', async () => {
  const { report } = await analyze([
    'samples/tracefs/6.12-hrtimer-pending-cut.txt',
    'samples/kernel-log/6.12-hrtimer-pending-cut-console.txt',
  ]);
  const found = report.findings.map(({ rule, certainty, module, detail }) => [
    rule,
    certainty,
    module,
    detail,
  ]);
  expect(found).toEqual([
    [
      'text-in-use',
      'observed',
      'x_tick',
      expect.stringContaining('the kernel says that x_tick was the last to go'),
    ],
  ]);
});

test('a crash in a call of what the kernel unloaded last, though the trace ends before the free', async () => {
  const whole = readFileSync('samples/tracefs/6.1-kthread-outlives.txt', 'utf8');
  const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
  const cut = join(folder, 'trace.txt');
  writeFileSync(cut, whole.slice(0, whole.lastIndexOf('\n', whole.indexOf(' free_module: ')) + 1));
  const console = 'samples/kernel-log/6.1-kthread-outlives-console.txt';
  const { report } = await analyze([cut, console]);
  rmSync(folder, { recursive: true });
  const errors = report.findings.filter(({ severity }) => severity === 'error');
  expect(errors.map(({ rule, certainty, culprit }) => [rule, certainty, culprit.symbol])).toEqual([
    ['text-in-use', 'observed', 'ml_kthread_fn'],
  ]);
  expect(errors[0]!.detail).toContain('The task was in ml_kthread_fn()');
});

test('a crash that the trace and the kernel log beside it tell is told once', async () => {
  const { report } = await analyze([
    'samples/tracefs/6.1-kthread-outlives.txt',
    'samples/kernel-log/6.1-kthread-outlives-console.txt',
  ]);
  expect(report.findings.map(({ rule, culprit }) => [rule, culprit.symbol])).toEqual([
    ['text-in-use', 'ml_kthread_fn'],
  ]);
});

test('whose text an address is in is known from the first get of a load that was not seen', () => {
  // As in a real capture that began too late: the get that follows tells of bar before anything else does.
  const story = `
      bash-9      1.0: try_module_get: (try_module_get+0x0/0xa0) name="foo" mod=0xffffffffc0414040
      bash-9      1.1: module_get: foo call_site=register_kprobe refcnt=2
      bash-9      1.2: module_put: foo call_site=register_kprobe refcnt=1
      cat-10      2.0: try_module_get: (try_module_get+0x0/0xa0) name="bar" mod=0xffffffffc040f0c0
      cat-10      2.1: module_get: bar call_site=misc_open refcnt=3
      cat-10      2.2: bar_use: (0xffffffffc040d0c0)
      cat-10      2.3: try_module_get: (try_module_get+0x0/0xa0) name="foo" mod=0xffffffffc0414040
      cat-10      2.4: module_get: foo call_site=0xffffffffc040d0da refcnt=2
      cat-10      2.5: module_put: foo call_site=0xffffffffc040d0e6 refcnt=1
      cat-10      2.6: bar_use_ret: (0xffffffffc040d16a <- 0xffffffffc040d0c0)`;
  expect(findingsOf(story)).toEqual([]);
});
