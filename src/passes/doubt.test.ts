/** Invented records: real losses lie where they like, and these are about where they are told. */
import { expect, test } from 'vitest';
import type { Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Event } from '../model/event.ts';
import { createEngine } from '../pipeline/engine.ts';
import { captureOf } from '../testing/read-text.ts';
import { doubt } from './make-finding.ts';

const record = (task: string, cpu: number, time: string, what: string) =>
  `${task.padStart(16)}      [00${cpu}] .....  ${time.padStart(12)}: ${what}\n`;

/** The release runs on CPU 1 when rmmod frees the text on CPU 0; that its return can be seen was seen before. */
const IN_FLIGHT =
  '# tracer: nop\n#\n' +
  record('insmod-10', 0, '1.000000', 'module_load: foo OE') +
  record('insmod-10', 0, '1.100000', 'module_put: foo call_site=do_init_module refcnt=1') +
  record('cat-30', 1, '2.000000', 'foo_close: (foo_close+0x0/0x40 [foo])') +
  record('cat-30', 1, '2.100000', 'foo_release: (foo_release+0x0/0x40 [foo])') +
  record('cat-30', 1, '2.200000', 'foo_release_ret: (foo_close+0x1a/0x40 [foo] <- foo_release)') +
  record('cat-30', 1, '2.300000', 'foo_close_ret: (__fput+0x1a/0x40 <- foo_close)') +
  record('cat-30', 1, '3.000000', 'foo_close: (foo_close+0x0/0x40 [foo])') +
  record('cat-30', 1, '3.100000', 'foo_release: (foo_release+0x0/0x40 [foo])') +
  record('rmmod-20', 0, '5.000000', 'sys_delete_module(name_user: 7ffd, flags: 800)') +
  record('rmmod-20', 0, '5.100000', 'module_free: foo') +
  record('rmmod-20', 0, '5.200000', 'sys_delete_module -> 0x0');
const OTHER = (cpu: number, time: string) =>
  record('dd-40', cpu, time, 'module_get: bar call_site=misc_open refcnt=2');

async function verdicts(text: string) {
  const told: string[] = [];
  const engine = createEngine({ onFinding: ({ rule, certainty }) => told.push(`${certainty} ${rule}`) });
  const capture = await captureOf(Buffer.from(text));
  for await (const items of capture.items) for (const item of items) engine.feed(item, 0);
  engine.end();
  const kept = engine.findings
    .filter(({ rule }) => rule !== 'trace-gap')
    .map(({ severity, certainty, because = '' }) => [severity, certainty, because]);
  return { told: told.filter((one) => !one.endsWith('trace-gap')), kept };
}

test('a loss told after a verdict puts it in doubt where that CPU was silent since before its end', async () => {
  const { told, kept } = await verdicts(`${IN_FLIGHT}CPU:1 [LOST 10 EVENTS]\n${OTHER(1, '6.000000')}`);
  // What was told as it came stays told.
  expect(told).toEqual(['observed release-after-exit']);
  expect(kept).toEqual([['note', 'possible', '10 events were lost on CPU 1 before line 14']]);
});

test('a CPU that had told nothing before may have lost it at any time', async () => {
  const { kept } = await verdicts(`${IN_FLIGHT}CPU:3 [LOST 10 EVENTS]\n${OTHER(3, '6.000000')}`);
  expect(kept).toEqual([['note', 'possible', '10 events were lost on CPU 3 before line 14']]);
});

test('what was lost after the end of the verdict does not touch it', async () => {
  const after = `${OTHER(1, '6.000000')}CPU:1 [LOST 10 EVENTS]\n${OTHER(1, '7.000000')}`;
  expect((await verdicts(IN_FLIGHT + after)).kept).toEqual([['error', 'observed', '']]);
});

test('a verdict that is given after the loss was told looks as far back', async () => {
  // One unseen return would explain this: it waits for the end of the capture.
  const alone = IN_FLIGHT.replace(/.*: foo_close.*\n/g, '');
  const one = 'only the return of foo_release() is missing, which one unrecorded event would explain';
  const loss = `CPU:1 [LOST 10 EVENTS]\n${OTHER(1, '7.000000')}`;
  expect((await verdicts(alone + OTHER(1, '6.000000') + loss)).kept).toEqual([
    ['warning', 'possible', expect.stringContaining(one)],
  ]);
  expect((await verdicts(alone + loss)).told).toEqual(['possible release-after-exit']);
  expect((await verdicts(alone + loss)).kept).toEqual([
    ['note', 'possible', '10 events were lost on CPU 1 before line 11'],
  ]);
});

test('what must not be done in an interrupt was done in that call only if nothing is lost until then', async () => {
  const softirq = (time: string, what: string) => record('dd-40', 0, time, what).replace('.....', '..s1.');
  const enters =
    softirq('3.500000', 'foo_release: (foo_release+0x0/0x40 [foo])') +
    softirq('3.510000', 'foo_unlink: (foo_unlink+0x0/0x40 [foo])') +
    softirq('3.520000', 'foo_unlink_ret: (foo_release+0x1a/0x40 [foo] <- foo_unlink)');
  const harm = softirq('3.600000', 'synchronize_rcu: (synchronize_rcu+0x0/0x40)');
  const returns = softirq('3.700000', 'foo_release_ret: (foo_close+0x1a/0x40 [foo] <- foo_release)');
  const loaded = IN_FLIGHT.split('\n').slice(0, 4).join('\n');
  const lost = 'CPU:0 [LOST 10 EVENTS]\n';
  expect((await verdicts(`${loaded}\n${enters}${harm}${returns}`)).kept).toEqual([['error', 'observed', '']]);
  expect((await verdicts(`${loaded}\n${enters}${lost}${harm}${returns}`)).kept).toEqual([
    ['note', 'possible', '10 events were lost on CPU 0 before line 8'],
  ]);
});

test('a get or put that the count shows missing came after the last refcnt that agreed', () => {
  const at = (seq: number, line = seq) => ({ seq, line }) as Event;
  const why = (agreed: number, disagreed: number) => {
    const gap = { delta: -1, after: at(agreed), before: at(disagreed) };
    const incarnation = { module: 'foo', gap } as Incarnation;
    return doubt({ losses: [] as Ledger['losses'] } as Ledger, incarnation, at(10), at(20));
  };
  expect(why(15, 1000)).toContain('refcnt at line 1000 shows that 1 put of foo');
  expect(why(5, 18)).toBeDefined();
  expect(why(30, 40)).toBeUndefined();
});
