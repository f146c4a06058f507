/** Invented records: references that code took which had gone, and its symbols with it, when the trace was read. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

const load = (module: string, at: number) => `
      insmod-10   ${at}.0: module_load: ${module} OE
      insmod-10   ${at}.1: module_put: ${module} call_site=do_init_module refcnt=1`;
const unload = (module: string, at: number) => `
      rmmod-30   ${at}.0: sys_delete_module(name_user: 55, flags: 800)
      rmmod-30   ${at}.1: module_free: ${module}
      rmmod-30   ${at}.2: sys_delete_module -> 0x0`;
/** Once with its put, once without. */
const use = (page: string, at: number) => `
      cat-20   ${at}.0: module_get: foo call_site=0x${page}093 refcnt=2
      cat-20   ${at}.1: module_put: foo call_site=0x${page}041 refcnt=1
      cat-20   ${at}.2: module_get: foo call_site=0x${page}093 refcnt=2`;

const PAGE = 'ffffffffc0497';
const told = (module: string) => [
  `  -> warning possible ref-leak foo: 0x${PAGE}093 [${module}] took a reference to foo that was never given back`,
];

test('the only module that was there then, and is gone, took it', () => {
  const all = `${load('foo', 1)}${load('bar', 2)}${use(PAGE, 3)}`;
  expect(findingsOf(all)).toEqual([]);
  expect(findingsOf(`${all}${unload('bar', 4)}`)).toEqual(told('bar'));
});

test('of several, the one that was there each time', () => {
  const before = `${load('foo', 1)}${load('bar', 2)}${use(PAGE, 3)}`;
  const after = `${load('baz', 5)}${unload('baz', 6)}${unload('bar', 8)}`;
  const old = load('old', 0);
  expect(findingsOf(`${old}${before}${unload('old', 4)}${after}`)).toEqual([]);
  const again = `
      cat-20   7.0: module_put: foo call_site=0x${PAGE}041 refcnt=1
      cat-20   7.1: module_get: foo call_site=0x${PAGE}093 refcnt=2`;
  const late = `${unload('old', 4)}${again}${unload('bar', 8)}`;
  expect(findingsOf(`${old}${before}${late}`)).toEqual(told('bar'));
});

test('a page that may have changed hands is not what it was', () => {
  expect(
    findingsOf(
      `${load('foo', 1)}${load('bar', 2)}${load('baz', 2)}${use(PAGE, 3)}${unload('bar', 4)}${load('bar', 5)}
      cat-20   6.0: module_put: foo call_site=0x${PAGE}041 refcnt=1
      cat-20   6.1: module_get: foo call_site=0x${PAGE}093 refcnt=2${unload('bar', 7)}${unload('baz', 8)}`,
    ),
  ).toEqual([]);
});

test('what is taken while init() of one of them runs in that task, it took', () => {
  const all = (pid: number) => `${load('foo', 1)}${load('old', 2)}
      insmod-11   3.0: module_load: bar OE
      insmod-${pid}   3.1: module_get: foo call_site=0x${PAGE}093 refcnt=2
      insmod-11   3.2: module_put: bar call_site=do_init_module refcnt=1${unload('bar', 4)}${unload('old', 5)}`;
  expect(findingsOf(all(11))).toEqual(told('bar'));
  expect(findingsOf(all(12))).toEqual([]);
});

test('what the core gives back for such code it may yet give back', () => {
  expect(
    findingsOf(`${load('foo', 1)}${load('bar', 2)}
      cat-20   3.0: module_get: foo call_site=0x${PAGE}093 refcnt=2
      cat-20   3.1: module_put: foo call_site=drop_it refcnt=1
      cat-20   3.2: module_get: foo call_site=0x${PAGE}093 refcnt=2${unload('bar', 4)}`),
  ).toEqual([]);
});
