/** Invented records. The real ones are the captures of stuck unloads under samples/. */
import { expect, test } from 'vitest';
import { createEngine } from '../pipeline/engine.ts';
import { captureOf } from '../testing/read-text.ts';

const record = (task: string, time: string, what: string) =>
  `${task.padStart(16)}      [000] .....  ${time.padStart(12)}: ${what}\n`;

const LOADED =
  '# tracer: nop\n#\n' +
  record('insmod-10', '1.000000', 'module_load: foo OE') +
  record('insmod-10', '1.100000', 'module_put: foo call_site=do_init_module refcnt=1');
const UNLOAD = record('rmmod-20', '5.000000', 'sys_delete_module(name_user: 7ffd, flags: 800)');
const EXIT = record('rmmod-20', '5.100000', 'foo_exit: (foo_exit+0x0/0x40 [foo])');
const RETURNED =
  record('rmmod-20', '150.000000', 'foo_exit_ret: (__do_sys_delete_module+0x1b6/0x330 <- foo_exit)') +
  record('rmmod-20', '150.100000', 'module_free: foo') +
  record('rmmod-20', '150.200000', 'sys_delete_module -> 0x0');
const LATER = record('cat-30', '160.000000', 'module_get: bar call_site=misc_open refcnt=2');

const HUNG = hung('foo_exit+0x98/0xf0e [foo]', '__do_sys_delete_module+0x1b6/0x330');

function hung(...frames: readonly string[]): string {
  return [
    'INFO: task rmmod:20 blocked for more than 120 seconds.',
    'Call Trace:',
    ' <TASK>',
    ' schedule+0x5a/0xd0',
    ...frames.map((frame) => ` ${frame}`),
    ' </TASK>',
    '',
  ]
    .map((line) => `[  130.000000] ${line}\n`)
    .join('');
}

/** Of the captures of one boot, traces first. */
async function verdicts(...texts: readonly string[]): Promise<string[]> {
  const engine = createEngine();
  let end: number | undefined;
  for (const text of texts) {
    const capture = await captureOf(Buffer.from(text));
    for await (const items of capture.items) for (const item of items) engine.feed(item, 0);
    end ??= capture.summary.end;
  }
  engine.end(end);
  return engine.findings
    .filter(({ rule }) => rule === 'stuck-unload')
    .map(({ severity, certainty, title }) => `${severity} ${certainty}: ${title}`);
}

test('a hung task and an exit that did not return confirm each other', async () => {
  expect(await verdicts(LOADED + UNLOAD + EXIT + LATER, HUNG)).toEqual([
    'error observed: rmmod/20 has been unloading foo for 155 s and does not come back',
  ]);
});

test('without the log the trace may only have ended too early', async () => {
  expect(await verdicts(LOADED + UNLOAD + EXIT + LATER)).toEqual([
    'warning possible: rmmod/20 has been unloading foo for 155 s and does not come back',
  ]);
});

test('an unload that was slow and came back is not stuck', async () => {
  expect(await verdicts(LOADED + UNLOAD + EXIT + RETURNED + LATER, HUNG)).toEqual([]);
});

test('a log alone does not tell whether the task came back', async () => {
  expect(await verdicts(HUNG)).toEqual([
    'warning possible: rmmod/20 was blocked for more than 120 s while it unloaded foo',
  ]);
});

test('a task that hangs elsewhere, or in code of no module, is not a stuck unload', async () => {
  expect(await verdicts(hung('foo_read+0x10/0x40 [foo]', 'vfs_read+0x9d/0x190'))).toEqual([]);
  expect(await verdicts(hung('free_module+0x10/0x40', '__do_sys_delete_module+0x1b6/0x330'))).toEqual([]);
});
