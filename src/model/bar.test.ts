import { expect, test } from 'vitest';
import { analyze } from '../pipeline/analyze.ts';
import { provesNothing } from './bar.ts';

const bar = { failOn: 'error', allowGaps: false } as const;

test('silence proves nothing where it is not known what was recorded', async () => {
  const { report } = await analyze(['samples/kallsyms/6.1-get-leak.txt']);
  expect(report.passes.some(({ ran }) => ran)).toBe(false);
  expect(provesNothing(report, bar)).toBe(true);
  expect(provesNothing(report, { ...bar, allowGaps: true })).toBe(false);
  // A capture directory says what it recorded.
  const inputs = report.inputs.map((input) => ({ ...input, capture: 'recorded' }));
  expect(provesNothing({ ...report, inputs }, bar)).toBe(false);
});
