import { expect, test } from 'vitest';
import { analyze } from '../pipeline/analyze.ts';
import { fixOfDeferred } from './text-in-use-fix.ts';

test.each([
  ['6.1-no-owner', '.owner = THIS_MODULE'],
  ['6.1-kthread-outlives', 'kthread_stop()'],
  ['6.1-init-fails-timer-pending', 'timer_shutdown_sync()'],
  ['lab/6.12-text-in-use-rcu', 'rcu_barrier()'],
])('%s: the fix is for what is claimed there', async (sample, cure) => {
  const { report } = await analyze([`samples/tracefs/${sample}.txt`]);
  const texts = report.findings.filter(({ rule }) => rule === 'text-in-use').map(({ fix }) => fix.text);
  expect(texts.length).toBeGreaterThan(0);
  const cures = ['.owner', 'kthread_stop()', 'timer_shutdown_sync()', 'rcu_barrier()'];
  for (const text of texts) expect(cures.filter((one) => text.includes(one))).toEqual([cure.split(' ')[0]]);
});

test("a timer of the core's that queues work of a kthread worker is ended as that work", () => {
  const timer = (symbol: string) => ({ kind: 'timer_start', fn: { text: symbol, symbol } }) as const;
  expect(fixOfDeferred(timer('kthread_delayed_work_timer_fn')).text).toContain(
    'kthread_cancel_delayed_work_sync()',
  );
  expect(fixOfDeferred(timer('foo_tick')).text).not.toContain('kthread');
});
