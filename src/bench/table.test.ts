import { expect, test } from 'vitest';
import { isMet, type Row } from './bench.ts';
import { type Results, toMarkdown, toText } from './table.ts';

const row: Row = {
  bar: 'P2',
  compared: 'a | b',
  size: '10⁵ events',
  measured: { median: 2.5, least: 2, most: 3.25 },
  unit: '×',
  limit: 3,
  wanted: 'at most',
};
const { measured: _measured, ...unmeasured } = row;
const results: Results = {
  date: '2026-01-31',
  machine: { kernel: '6.1', cpu: 'Some CPU', cpus: 2, node: '20.0.0', load: [0.5, 1.25] },
  sizes: [1e5],
  rounds: 3,
  missing: ['rg (apt-get install ripgrep)'],
  rows: [row, { ...unmeasured, measured: undefined, note: 'no rg here' }],
  failed: [{ bar: 'P9', because: 'it told nothing' }],
};

test('a bar is met at its limit, from the side that was promised', () => {
  const at = (limit: number, wanted: 'at most' | 'at least') => isMet({ ...row, limit, wanted });
  expect([at(2.5, 'at most'), at(2.4, 'at most')]).toEqual([true, false]);
  expect([at(2.5, 'at least'), at(2.6, 'at least')]).toEqual([true, false]);
  expect(isMet({ ...row, measured: undefined })).toBeUndefined();
});

test('what was missing and what failed is said', () => {
  const text = toText(results);
  expect(text).toMatch(/^P2 +a \| b +10⁵ events +2\.50× +2\.00 to 3\.25 +≤ 3\.00× +yes$/m);
  expect(text).toMatch(/^P2 +a \| b +10⁵ events +no rg here +≤ 3\.00× +-$/m);
  expect(text).toContain('Missing here: rg (apt-get install ripgrep).');
  expect(text).toContain('P9 could not be measured: it told nothing.');
});

test('cells of the Markdown table hold no bar of their own', () => {
  expect(toMarkdown(results, [])).toContain(
    '| P2  | a \\| b   | 10⁵ events | 2.50×      | 2.00 to 3.25 | ≤ 3.00× | yes |',
  );
});
