import { describe, expect, test } from 'vitest';
import type { Report } from '../model/report.ts';
import { analyze } from '../pipeline/analyze.ts';
import { diff } from './diff.ts';

const sample = async (name: string) => (await analyze([`samples/tracefs/${name}.txt`])).report;
const leak = await sample('6.1-get-leak');
const fixed = await sample('6.1-get-leak-fixed');

function compare(a: Report, b: Report) {
  const answer = diff({ path: 'a', report: a }, { path: 'b', report: b });
  const rules = (findings: Report['findings']) => findings.map(({ rule }) => rule);
  return {
    fresh: rules(answer.new),
    fixed: rules(answer.fixed),
    unchanged: rules(answer.unchanged.map(({ finding }) => finding)),
    undecided: answer.undecided.map(({ finding, because }) => `${finding.rule}: ${because}`),
    warnings: answer.warnings,
    answer,
  };
}

test('a leak that came is new, one that went is fixed, the rest is unchanged', () => {
  expect(compare(fixed, leak)).toMatchObject({ fresh: ['ref-leak'], unchanged: ['unprotected-get'] });
  expect(compare(leak, fixed)).toMatchObject({ fixed: ['ref-leak'], unchanged: ['unprotected-get'] });
  expect(compare(leak, leak)).toMatchObject({ fresh: [], fixed: [], undecided: [], warnings: [] });
});

test('the same bug at another address, time and pid is unchanged', async () => {
  const elsewhere = (await analyze(['samples/perf-script/6.1-get-leak.txt'])).report;
  expect(compare(leak, elsewhere).unchanged).toContain('ref-leak');
});

test('the same fingerprint twice is two findings', () => {
  const twice = { ...leak, findings: [...leak.findings, { ...leak.findings[0]! }] };
  expect(compare(leak, twice)).toMatchObject({ fresh: ['ref-leak'], fixed: [] });
  expect(compare(twice, leak)).toMatchObject({ fresh: [], fixed: ['ref-leak'] });
  expect(compare(twice, twice)).toMatchObject({ fresh: [], fixed: [] });
});

test('of two with one fingerprint the one that is as grave stays', () => {
  const [first, ...rest] = leak.findings;
  const weaker = { ...first!, severity: 'note', certainty: 'possible' } as const;
  const both = { ...leak, findings: [weaker, first!, ...rest] };
  const { answer } = compare(both, leak);
  expect(answer.fixed).toEqual([weaker]);
  expect(answer.unchanged.every(({ was }) => was === undefined)).toBe(true);
});

test('a finding that grew graver is unchanged and says what it was', () => {
  const [first, ...rest] = leak.findings;
  const before = {
    ...leak,
    findings: [{ ...first!, severity: 'note', certainty: 'possible' } as const, ...rest],
  };
  const { answer } = compare(before, leak);
  expect(answer.new).toEqual([]);
  expect(answer.unchanged[0]!.was).toEqual({ severity: 'note', certainty: 'possible' });
});

describe('what the second run could not have shown is not decided', () => {
  const none = { ...fixed, findings: [] };

  test('its rule did not run', () => {
    const passes = fixed.passes.map((pass) =>
      pass.rule === 'ref-leak' ? { rule: pass.rule, ran: false, because: 'no gets' } : pass,
    );
    expect(compare(leak, { ...none, passes })).toMatchObject({
      fixed: ['unprotected-get'],
      undecided: ['ref-leak: ref-leak did not run in B: no gets'],
      warnings: ['B did not run ref-leak, which A ran (no gets)'],
    });
  });

  test('its rule is not known to the modlife that wrote the document', () => {
    const passes = fixed.passes.filter(({ rule }) => rule !== 'ref-leak');
    expect(compare(leak, { ...none, passes }).undecided).toEqual([
      'ref-leak: ref-leak did not run in B: it does not know that rule',
    ]);
  });

  test('its module never appeared', () => {
    expect(compare(leak, { ...none, modules: [] }).undecided).toEqual([
      'ref-leak: B does not mention ml_getleak',
      'unprotected-get: B does not mention ml_getleak',
    ]);
  });

  test('the capture is damaged', () => {
    const inputs = fixed.inputs.map((input) => ({ ...input, lost: input.events + 1 }));
    const { undecided, warnings } = compare(leak, { ...none, inputs });
    expect(undecided).toEqual([
      'ref-leak: B is too damaged to tell',
      'unprotected-get: B is too damaged to tell',
    ]);
    expect(warnings[0]).toMatch(/^B lost \d+ events/);
  });
});
