/** Invented records: an error path that puts twice takes somebody else's reference, and that one's put is in order. */
import { expect, test } from 'vitest';
import { findingsOf } from '../testing/story.ts';

const load = `
      insmod-10   1.0: module_load: foo OE
      insmod-10   1.1: module_put: foo call_site=do_init_module refcnt=1`;

const told = (place: string) => [
  `  -> error observed put-without-get foo: ${place} gave back a reference to foo that it never took`,
];

test('where no call is recorded, the place tells', () => {
  expect(
    findingsOf(`${load}
      sleep-20   2.0: module_get: foo call_site=bar_open [bar] refcnt=2
      sleep-20   2.1: module_get: foo call_site=bar_init [bar] refcnt=3
      cat-21   3.0: module_get: foo call_site=bar_open [bar] refcnt=4
      cat-21   3.1: module_put: foo call_site=bar_open [bar] refcnt=3
      cat-21   3.2: module_put: foo call_site=bar_open [bar] refcnt=2
      sleep-20   4.0: module_put: foo call_site=bar_close [bar] refcnt=1
      sleep-20   4.1: module_put: foo call_site=bar_close [bar] refcnt=0`),
  ).toEqual([expect.stringContaining('bar_open [bar]')]);
});

test('a call that puts twice takes what its own task took in another call', () => {
  expect(
    findingsOf(`${load}
      init-9   1.5: module_get: foo call_site=misc_open refcnt=2
      cat-20   2.0: bar_open: (bar_open+0x0/0x66 [bar])
      cat-20   2.1: module_get: foo call_site=bar_open [bar] refcnt=3
      cat-20   2.2: bar_open_ret: (misc_open+0xc1/0x180 <- bar_open)
      cat-20   3.0: bar_open: (bar_open+0x0/0x66 [bar])
      cat-20   3.1: module_get: foo call_site=bar_open [bar] refcnt=4
      cat-20   3.2: module_put: foo call_site=bar_open [bar] refcnt=3
      cat-20   3.3: module_put: foo call_site=bar_open [bar] refcnt=2
      cat-20   3.4: bar_open_ret: (misc_open+0xc1/0x180 <- bar_open)
      cat-20   4.0: module_put: foo call_site=bar_close [bar] refcnt=1`),
  ).toEqual(told('bar_open [bar]'));
});

test('of two error paths that put twice, each is told', () => {
  expect(
    findingsOf(`${load}
      init-9   1.5: module_get: foo call_site=misc_open refcnt=2
      init-9   1.6: module_get: foo call_site=misc_open refcnt=3
      sleep-20   2.0: module_get: foo call_site=bar_open [bar] refcnt=4
      cat-21   3.0: module_get: foo call_site=bar_open [bar] refcnt=5
      cat-21   3.1: module_put: foo call_site=bar_open [bar] refcnt=4
      cat-21   3.2: module_put: foo call_site=bar_open [bar] refcnt=3
      sleep-20   4.0: module_get: foo call_site=bar_ioctl [bar] refcnt=4
      sleep-20   4.1: module_put: foo call_site=bar_ioctl [bar] refcnt=3
      sleep-20   4.2: module_put: foo call_site=bar_ioctl [bar] refcnt=2
      sleep-20   5.0: module_put: foo call_site=bar_close [bar] refcnt=1`),
  ).toEqual([...told('bar_ioctl [bar]'), ...told('bar_open [bar]')]);
});

test('a put of what another task took is in order as long as that one does not put, too', () => {
  expect(
    findingsOf(`${load}
      sleep-20   2.0: module_get: foo call_site=bar_open [bar] refcnt=2
      cat-21   3.0: module_get: foo call_site=bar_open [bar] refcnt=3
      cat-21   3.1: module_put: foo call_site=bar_open [bar] refcnt=2
      cat-21   3.2: module_put: foo call_site=bar_open [bar] refcnt=1`),
  ).toEqual([]);
});

test('nor is it told of what a worker gives back', () => {
  expect(
    findingsOf(`${load}
      init-9   1.5: module_get: foo call_site=misc_open refcnt=2
      sleep-20   2.0: module_get: foo call_site=bar_open [bar] refcnt=3
      kworker/0:1-7   3.0: module_put: foo call_site=bar_retire [bar] refcnt=2
      sleep-20   4.0: module_put: foo call_site=bar_close [bar] refcnt=1`),
  ).toEqual(told('bar_close [bar]'));
});

/** As mount calls a file system: the core takes a reference for the operation, the module takes one for itself. */
const mount = (path: string) => `${load}
      mount-20   2.0: module_get: foo call_site=get_filesystem refcnt=2
      mount-20   2.1: module_get: foo call_site=foo_fill [foo] refcnt=3${path}
      mount-20   3.0: module_put: foo call_site=put_fs_context refcnt=0`;

test('of the core and a module that had given back its own, the module put once too often', () => {
  const twice = `
      mount-20   2.2: module_put: foo call_site=foo_fill [foo] refcnt=2
      mount-20   2.3: module_put: foo call_site=foo_kill [foo] refcnt=1`;
  expect(findingsOf(mount(twice))).toEqual(told('foo_kill [foo]'));
});

test('nor is the module blamed for a put of the core where it gave back but once', () => {
  const once = `
      mount-20   2.2: module_put: foo call_site=foo_kill [foo] refcnt=2
      mount-20   2.3: module_put: foo call_site=put_super refcnt=1`;
  expect(findingsOf(mount(once))).toEqual([
    '  -> error observed put-without-get foo: put_fs_context put foo while nobody held it',
  ]);
});
