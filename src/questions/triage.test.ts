import { describe, expect, test } from 'vitest';
import { analyze } from '../pipeline/analyze.ts';
import { createMark, type PlacedSuppression, triage } from './triage.ts';

const { report } = await analyze(['samples/tracefs/6.1-get-leak.txt']);
const [leak, get] = report.findings as [(typeof report.findings)[0], (typeof report.findings)[0]];
const today = () => '2026-11-20';

function suppressed(...suppressions: Omit<PlacedSuppression, 'path' | 'line' | 'reason'>[]) {
  const placed = suppressions.map((one, index) => ({ ...one, path: 's.json', line: index + 1, reason: 'r' }));
  const result = triage(report, { baseline: undefined, suppressions: placed, today });
  return {
    rules: result.findings.filter((finding) => finding.suppressed !== undefined).map(({ rule }) => rule),
    states: result.suppressions!.map(({ state }) => state),
    summary: result.summary,
  };
}

describe('a suppression', () => {
  test.each([
    [{ fingerprint: leak.fingerprint }, ['ref-leak']],
    [{ rule: 'ref-leak' as const }, ['ref-leak']],
    [{ module: 'ml-getleak' }, ['ref-leak', 'unprotected-get']],
    [{ module: 'ml_getleak', rule: 'unprotected-get' as const }, ['unprotected-get']],
    [{ module: 'ml_getleak', symbol: 'ml_getleak_open' }, ['ref-leak', 'unprotected-get']],
    [{ module: 'ml_getleak', symbol: 'other' }, []],
    [{ module: 'ml' }, []],
    [{ fingerprint: leak.fingerprint, rule: 'early-put' as const }, []],
  ])('%j is about %j', (suppression, rules) => {
    expect(suppressed(suppression).rules).toEqual(rules);
  });

  test('holds on its last day and not on the next', () => {
    const state = (expires: string) => suppressed({ rule: 'ref-leak', expires });
    expect(state('2026-11-20')).toMatchObject({ rules: ['ref-leak'], states: ['used'] });
    expect(state('2026-11-19')).toMatchObject({ rules: [], states: ['expired'], summary: report.summary });
  });

  test('that suppresses nothing is unused, unless its rule did not run', () => {
    expect(suppressed({ rule: 'early-put' }, { rule: 'forced-unload' }).states).toEqual([
      'unused',
      'not-run',
    ]);
  });

  test('takes its findings out of the summary', () => {
    expect(suppressed({ rule: 'ref-leak' }).summary).toEqual({
      error: 0,
      warning: 1,
      note: 0,
      suppressed: 1,
    });
  });
});

describe('a baseline', () => {
  test('makes as many findings of one fingerprint known as it has', () => {
    const twice = { ...report, findings: [leak, { ...leak }, get] };
    const states = (baseline: readonly (typeof leak)[]) =>
      triage(twice, { baseline, suppressions: undefined, today }).findings.map((finding) => finding.baseline);
    expect(states([])).toEqual(['new', 'new', 'new']);
    expect(states([leak])).toEqual(['known', 'new', 'new']);
    expect(states([leak, leak, get])).toEqual(['known', 'known', 'known']);
  });

  test('is not used up by what may yet be withdrawn', () => {
    const mark = createMark({ baseline: [leak], suppressions: undefined, today });
    expect([mark(leak, true), mark(leak), mark(leak)].map((finding) => finding.baseline)).toEqual([
      'known',
      'known',
      'new',
    ]);
  });
});

test('without either the report is what it was', () => {
  expect(triage(report, { baseline: undefined, suppressions: undefined, today })).toBe(report);
});
