/** KTAP as the kernel's own test tools read it (Documentation/dev-tools/ktap.rst): a test for each rule. */
import type { Bar } from '../model/bar.ts';
import type { Finding, Report } from '../model/report.ts';
import type { Style } from './layout.ts';
import { printable } from './printable.ts';
import { type RuleTest, ruleTests } from './rule-tests.ts';
import { story } from './text.ts';

const STYLE: Style = { width: 80, color: false };

export function toKtap(report: Report, bar: Bar): string {
  const tests = ruleTests(report, bar);
  const ok = tests.every(({ result }) => result === 'passed' || result === 'skipped');
  const nested = [
    'KTAP version 1',
    '# Subtest: modlife',
    `1..${tests.length}`,
    ...tests.flatMap((test, index) => resultOf(test, index + 1, report)),
  ];
  const lines = [
    'KTAP version 1',
    '1..1',
    ...nested.map((line) => `  ${line}`),
    `${ok ? 'ok' : 'not ok'} 1 modlife`,
  ];
  return `${lines.join('\n')}\n`;
}

function resultOf(
  { name, result, because, failures, remarks }: RuleTest,
  number: number,
  report: Report,
): string[] {
  const directive =
    because === undefined ? '' : ` # ${result === 'skipped' ? 'SKIP' : 'ERROR'} ${printable(because)}`;
  const ok = result === 'passed' || result === 'skipped';
  return [
    ...[...failures, ...remarks].flatMap((finding) => diagnostics(finding, report)),
    `${ok ? 'ok' : 'not ok'} ${number} ${name}${directive}`,
  ];
}

function diagnostics(finding: Finding, report: Report): string[] {
  return ['', ...story(finding, report, STYLE).split('\n')].map((line) => `# ${line}`.trimEnd());
}
