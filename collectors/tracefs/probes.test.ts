import { expect, test } from 'vitest';
import { eventsOf } from '../../src/testing/read-text.ts';
import { defineProbe, type Probe, probeName, readProbeName } from './probes.ts';

const open: Probe = { at: 'entry', fn: 'mydrv_open', module: 'mydrv', args: [] };

test.each([
  [open, 'enter5_mydrv_mydrv_open'],
  [{ ...open, at: 'return' as const }, 'leave5_mydrv_mydrv_open'],
  [{ ...open, module: 'my__drv', fn: '__open__' }, 'enter7_my__drv___open__'],
  [{ ...open, fn: 'mydrv_open.isra.0' }, 'enter5_mydrv_mydrv_open_isra_0'],
  [{ at: 'entry' as const, fn: 'free_module', args: [] }, 'free_module'],
  [{ at: 'return' as const, fn: 'free_module', args: [] }, 'free_module__return'],
])('a probe is named after what it probes: %j', (probe, name) => {
  expect(probeName(probe, 7)).toBe(name);
});

test('a name says module and function, however many underscores are in them', () => {
  expect(readProbeName('enter7_my__drv___open__')).toEqual({
    module: 'my__drv',
    fn: '__open__',
    at: 'entry',
  });
  expect(readProbeName('leave5_mydrv_mydrv_open')).toEqual({
    module: 'mydrv',
    fn: 'mydrv_open',
    at: 'return',
  });
});

test.each([
  'enter',
  'enter_7',
  'enter5_mydrv',
  'enter99_mydrv_open',
  'enter0__open',
  'free_module',
  'xenter5_mydrv_open',
])('a name that is not ours says nothing: %s', (name) => {
  expect(readProbeName(name)).toBeUndefined();
});

test('what is too long for the kernel is numbered', () => {
  const name = probeName({ ...open, fn: 'f'.repeat(64) }, 7);
  expect(name).toBe('enter_7');
  expect(probeName({ ...open, fn: 'f'.repeat(50) }, 7)).toHaveLength(63);
});

test('return probes leave room for many calls at a time', () => {
  const probe = { ...open, at: 'return' as const, args: ['ret=$retval:s32'] };
  expect(defineProbe('modlife_9', 'name', probe)).toBe(
    'r128:modlife_9/name mydrv:mydrv_open ret=$retval:s32',
  );
});

// Invented, after a real one: the symbols are those of a module that came to lie where mydrv was.
const LATE = `# tracer: nop
#
           rmmod-714     [001] .....     1.000000: enter5_mydrv_mydrv_release: (other_init+0x130/0x1000 [other])
           rmmod-714     [001] .....     1.000100: leave5_mydrv_mydrv_release: (kobject_put+0x8a/0x200 <- other_init) ret=0
           rmmod-714     [001] .....     1.000200: enter5_mydrv_mydrv_work_isra_0: (mydrv_work.isra.0+0x4/0x40 [mydrv])
           rmmod-714     [001] .....     1.000300: leave5_mydrv_mydrv_work_isra_0: (process_one_work+0x1/0x2 <- mydrv_work.isra.0)
`;

test('the name is right where the symbol was looked up too late', async () => {
  const events = await eventsOf(Buffer.from(LATE));
  expect(events.map((event) => 'fn' in event && event.fn)).toMatchObject([
    { symbol: 'mydrv_release', module: 'mydrv' },
    { symbol: 'mydrv_release', module: 'mydrv' },
    { symbol: 'mydrv_work.isra.0', module: 'mydrv', offset: 4 },
    { symbol: 'mydrv_work.isra.0', module: 'mydrv' },
  ]);
});

test('a probe that was given no name, read after its module had gone, is on the function of its default name', async () => {
  const records = `
          insmod-21  [000] .....     1.000000: module_load: my_drv OE
          insmod-21  [000] .....     1.100000: module_load: my OE
             cat-22  [000] .....     2.000000: p_my_drv_open_0: (0xffffffffc0439030)
             cat-22  [000] .....     2.100000: r_my_drv_open_0: (misc_open+0x24/0x130 <- 0xffffffffc0439030)
             cat-22  [000] .....     2.200000: p_other_open_0: (0xffffffffc0439030)
             cat-22  [000] .....     2.300000: p_my_drv_open_16: (0xffffffffc0439040)
             cat-22  [000] .....     2.400000: p_my_drv_open_0: (drv_open+0x0/0x40 [drv])`.slice(1);
  const events = await eventsOf(Buffer.from(records));
  const [, , entered, returned, unknown, within, named] = events;
  const fn = { symbol: 'open', module: 'my_drv' };
  expect(entered).toMatchObject({ kind: 'function_entry', fn });
  expect(returned).toMatchObject({ kind: 'function_return', fn });
  // No such module, not the beginning of a function, and a name that was printed.
  expect(unknown).toMatchObject({ fn: { address: '0xffffffffc0439030' } });
  expect(within).toMatchObject({ fn: { address: '0xffffffffc0439040' } });
  expect(named).toMatchObject({ fn: { symbol: 'drv_open', module: 'drv' } });
});
