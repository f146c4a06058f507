/** JUnit XML as CI servers read it: a test case for each rule. */
import type { Bar } from '../model/bar.ts';
import type { Report } from '../model/report.ts';
import type { Style } from './layout.ts';
import { printable } from './printable.ts';
import { type RuleTest, ruleTests } from './rule-tests.ts';
import { story } from './text.ts';

const STYLE: Style = { width: 80, color: false };

export function toJunit(report: Report, bar: Bar): string {
  const tests = ruleTests(report, bar);
  const count = (result: RuleTest['result']) => tests.filter((test) => test.result === result).length;
  const counts = attributes({
    tests: tests.length,
    failures: count('failed'),
    errors: count('error'),
    skipped: count('skipped'),
  });
  const name = report.inputs.map(({ path }) => (path === '-' ? 'stdin' : path)).join(', ');
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${attributes({ name: 'modlife' })}${counts}>`,
    ` <testsuite${attributes({ name })}${counts}>`,
    ...properties(report),
    ...tests.map((test) => testCase(test, report)),
    ' </testsuite>',
    '</testsuites>',
  ].join('\n')}\n`;
}

/** How good the captures are, for whoever wonders what a pass is worth. */
function properties({ tool, inputs }: Report): string[] {
  const property = (name: string, value: string | number) => `   <property${attributes({ name, value })}/>`;
  return [
    '  <properties>',
    property('modlife.version', tool.version),
    ...inputs.flatMap(({ path, format, events, lost, bad }, index) => [
      property(`input.${index}.path`, path),
      property(`input.${index}.format`, format),
      property(`input.${index}.events`, events),
      property(`input.${index}.lost`, lost),
      property(`input.${index}.unreadable`, bad),
    ]),
    '  </properties>',
  ];
}

function testCase({ name, result, because = '', failures, remarks }: RuleTest, report: Report): string {
  const children = [
    ...(result === 'skipped' ? [`   <skipped${attributes({ message: because })}/>`] : []),
    ...(result === 'error' ? [`   <error${attributes({ message: because, type: 'capture' })}/>`] : []),
    ...(failures.length === 0 ? [] : [failure(failures, report)]),
    ...(remarks.length === 0 ? [] : [`   <system-out>${stories(remarks, report)}</system-out>`]),
  ];
  const open = `  <testcase${attributes({ classname: 'modlife', name })}`;
  return children.length === 0 ? `${open}/>` : [`${open}>`, ...children, '  </testcase>'].join('\n');
}

/** One for all of them: many readers look no further than the first. */
function failure(failures: RuleTest['failures'], report: Report): string {
  const [{ title, module, severity, certainty }] = failures as [RuleTest['failures'][number]];
  const more = failures.length === 1 ? '' : ` (and ${failures.length - 1} more)`;
  const head = attributes({
    message: `${module === '*' ? '' : `${module}: `}${title}${more}`,
    type: `${severity}, ${certainty}`,
  });
  return `   <failure${head}>${stories(failures, report)}</failure>`;
}

function stories(findings: RuleTest['failures'], report: Report): string {
  return findings.map((finding) => `\n${escaped(story(finding, report, STYLE))}\n`).join('');
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(printable(String(value)))}"`)
    .join('');
}

/** `>` too, so that no `]]>` can stand in the text. */
function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
