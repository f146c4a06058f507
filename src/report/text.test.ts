import { expect, test } from 'vitest';
import type { Finding, Report } from '../model/report.ts';
import { toText } from './text.ts';

const style = { width: 80, color: false };
const long = (words: number) => Array(words).fill('word').join(' ');

function finding(more: Partial<Finding> = {}): Finding {
  return {
    rule: 'release-after-exit',
    severity: 'error',
    certainty: 'observed',
    fingerprint: '0',
    module: 'mydrv',
    incarnation: 1,
    title: 'mydrv_obj_release() was still running when rmmod/714 freed mydrv',
    detail: 'Entered 64 ms before the free.',
    at: { ns: 2e9, input: 0, line: 20 },
    culprit: { context: 'task' },
    evidence: [
      {
        role: 'the text is freed',
        ns: 2e9,
        input: 0,
        line: 20,
        event: 'module_free',
        task: { comm: 'rmmod', pid: 714 },
        cpu: 0,
        context: 'task',
      },
    ],
    fix: { text: 'Move the release out of the module.', pattern: 'release elsewhere' },
    ...more,
  };
}

function report(findings: readonly Finding[]): Report {
  return {
    schema: 'modlife/findings@1',
    tool: { name: 'modlife', version: '0' },
    inputs: [
      {
        path: 'boot.trace',
        format: 'tracefs',
        clock: 'time',
        lines: 20,
        events: 20,
        skipped: 0,
        bad: 0,
        lost: 0,
        first: 1e9,
        last: 2e9,
      },
    ],
    modules: [],
    unloads: [],
    passes: [],
    findings: [...findings],
    summary: { error: findings.length, warning: 0, note: 0 },
  };
}

test('a finding, however much there is to tell, fits a screen of 24 lines and 80 columns', () => {
  const { evidence } = finding();
  const much = finding({
    title: long(25),
    detail: long(40),
    because: long(20),
    evidence: Array(40).fill({
      ...evidence[0]!,
      role: long(6),
      task: { comm: 'a b:c-1', pid: 4194304 },
    }),
    candidates: Array(9).fill({ symbol: 'other_open', task: { comm: 'cat', pid: 1 }, reading: 'holds one' }),
    fix: { text: long(40), pattern: '' },
  });
  const lines = toText(report([much]), style)
    .trimEnd()
    .split('\n');
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  const from = lines.findIndex((line) => line.startsWith('error'));
  const to = lines.findIndex((line) => line.startsWith('1 error'));
  expect(to - from - 1).toBeLessThanOrEqual(24);
  expect(lines.join('\n')).toMatch(/and 3\d more in --json, then/);
});

test('where to look is said as an editor takes it', () => {
  expect(toText(report([finding()]), style)).toContain(
    '  more  modlife explain release-after-exit; boot.trace:20\n',
  );
});

test('many rules that could not run are named, few are explained', () => {
  const idle = (rule: Finding['rule']) => ({ rule, ran: false, because: 'no such events' });
  const few = { ...report([]), passes: [idle('ref-leak'), { rule: 'early-put' as const, ran: true }] };
  expect(toText(few, style)).toContain('Nothing found.\nNot run: ref-leak (no such events); `modlife doctor');
  const many = { ...report([]), passes: (['ref-leak', 'early-put', 'text-in-use'] as const).map(idle) };
  expect(toText(many, style)).toContain('Not run, for want of events: ref-leak, early-put, text-in-use;');
});
