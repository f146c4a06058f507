import { expect, test } from 'vitest';
import type { Code, ModuleRefEvent } from '../model/event.ts';
import type { Family } from '../model/standing.ts';
import { findingsOf } from '../testing/story.ts';
import { createReferenceBook } from './references.ts';
import { familyOf, readFrame } from './sites.ts';

const codes = new Map<string, Code>();
function code(text: string): Code {
  const [, symbol, module] = /^(\S+)(?: \[(\w+)\])?$/.exec(text)!;
  const known = codes.get(text) ?? { text, symbol: symbol!, ...(module === undefined ? {} : { module }) };
  codes.set(text, known);
  return known;
}

let seq = 0;
function event(kind: 'module_get' | 'module_put', site: string, pid: number): ModuleRefEvent {
  seq++;
  return {
    kind,
    seq,
    input: 0,
    line: seq,
    ts: seq * 1000,
    cpu: 0,
    pid,
    comm: 'cat',
    context: 'task',
    module: 'foo',
    callSite: code(site),
    refcnt: 2,
  };
}

function book() {
  const references = createReferenceBook();
  const family = (site: string): Family => familyOf(code(site), 'foo');
  return {
    references,
    get: (site: string, pid: number) =>
      references.take(event('module_get', site, pid), code(site), family(site), undefined),
    put: (site: string, pid: number) =>
      references.giveBack(event('module_put', site, pid), code(site), family(site), undefined),
  };
}

test('what the VFS took for a file only the VFS gives back', () => {
  const { get, put, references } = book();
  get('misc_open', 1);
  expect(put('foo_flush [foo]', 1)).toBeUndefined();
  const file = get('misc_open', 2);
  expect(put('__fput', 2)).toBe(file);
  expect(references.open()).toHaveLength(1);
});

test("a task gives back its own before another's", () => {
  const { get, put } = book();
  get('foo_open [foo]', 1);
  const mine = get('foo_open [foo]', 2);
  get('foo_open [foo]', 3);
  const back = put('foo_release [foo]', 2);
  expect(back).toBe(mine);
  expect(back?.ambiguous).toBe(false);
});

test('given back by a task that took none, it is the oldest, and said to be a guess', () => {
  const { get, put } = book();
  const oldest = get('foo_submit [foo]', 1);
  get('foo_submit [foo]', 2);
  const back = put('foo_complete [foo]', 9);
  expect(back).toBe(oldest);
  expect(back?.ambiguous).toBe(true);
});

test('pairs of places seen before decide between takers', () => {
  const { get, put } = book();
  get('foo_start [foo]', 1);
  put('foo_stop [foo]', 1);
  get('bar_pin [bar]', 5);
  const started = get('foo_start [foo]', 6);
  expect(put('foo_stop [foo]', 9)).toBe(started);
});

test('the tracer, the loader and dependencies pair among themselves', () => {
  const { get, put } = book();
  const linked = get('resolve_symbol', 1);
  const probed = get('register_kprobe', 1);
  expect(put('module_unload_free', 7)).toBe(linked);
  expect(put('register_kprobe', 1)).toBe(probed);
  expect(put('module_unload_free', 7)).toBeUndefined();
});

test('the newest of a task is found after others were closed in any order', () => {
  const { get, put, references } = book();
  const [a, b, c] = [1, 1, 1].map((pid) => get('foo_open [foo]', pid));
  expect(put('foo_release [foo]', 2)).toBe(a);
  expect(references.newestOf(1)).toBe(c);
  expect(put('foo_release [foo]', 1)).toBe(c);
  expect(references.newestOf(1)).toBe(b);
  expect(put('foo_release [foo]', 1)).toBe(b);
  expect(references.newestOf(1)).toBeUndefined();
});

test.each([
  ['misc_open', 'misc_open', undefined],
  ['try_module_get+0x85/0xa0', 'try_module_get', undefined],
  ['foo_open+0x11/0x20 [foo]', 'foo_open', 'foo'],
  ['ffffffffc040d031 foo_open+17', 'foo_open', undefined],
  ['blkdev_get_by_dev.part.0+0x1', 'blkdev_get_by_dev.part.0', undefined],
])('a frame %s is read as ftrace, perf and bpftrace print it', (frame, symbol, module) => {
  expect(readFrame(frame)).toEqual(module === undefined ? { symbol } : { symbol, module });
});

test('a frame that is only an address names nothing', () => {
  expect(readFrame('0xffffffffc0390031')).toBeUndefined();
  expect(readFrame('ffffffffc0390031')).toBeUndefined();
});

test('what a call that failed kept is not what the task gives back', () => {
  const told = findingsOf(`
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1
      cat-20   2.0: foo_ioctl: (foo_ioctl+0x0/0x66 [foo])
      cat-20   2.1: module_get: bar call_site=foo_ioctl [foo] refcnt=2
      cat-20   2.2: foo_ioctl_ret: (vfs_ioctl+0xc1/0x180 <- foo_ioctl) rv=0x0
      cat-20   3.0: foo_ioctl: (foo_ioctl+0x0/0x66 [foo])
      cat-20   3.1: module_get: bar call_site=foo_ioctl [foo] refcnt=3
      cat-20   3.2: foo_ioctl_ret: (vfs_ioctl+0xc1/0x180 <- foo_ioctl) rv=0xfffffff0
      cat-20   4.0: module_put: bar call_site=foo_close [foo] refcnt=2
      cat-20   5.0: module_get: bar call_site=misc_open refcnt=3`);
  expect(told).toEqual([expect.stringContaining('error observed ref-leak bar: foo_ioctl [foo]')]);
});
