/** What a rule flags, and why. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuleAnswer, RulesAnswer } from '../model/answers.ts';
import { UserError } from '../model/errors.ts';
import type { RuleId } from '../model/report.ts';
import { packageRoot } from '../package-root.ts';
import { type RuleText, rules } from '../passes/rules.ts';
import { nearest } from './nearest.ts';

export function listRules(): RulesAnswer {
  return {
    type: 'rules',
    rules: ruleNames().map((rule) => ({ rule, flags: rules[rule].flags })),
  };
}

/** @throws UserError naming the rules most like it */
export function explainRule(name: string): RuleAnswer {
  const rule = ruleNames().find((candidate) => candidate === name.toLowerCase());
  if (rule === undefined) {
    const near = nearest(name, ruleNames());
    throw new UserError(
      'usage',
      `there is no rule ${JSON.stringify(name)}`,
      near.length > 0 ? `did you mean ${near.join(' or ')}?` : 'modlife explain lists them',
    );
  }
  const { excerpt, ...text } = rules[rule];
  const answer: RuleAnswer = { type: 'rule', rule, ...text };
  return excerpt === undefined ? answer : { ...answer, excerpt: readExcerpt(excerpt) };
}

/** Lines of a shipped sample, without indentation, CPU, flags and the sizes of functions. */
function readExcerpt({
  sample,
  lines,
}: NonNullable<RuleText['excerpt']>): NonNullable<RuleAnswer['excerpt']> {
  const path = join(packageRoot(), 'samples', sample);
  const text = readFileSync(path, 'utf8').split('\n');
  return {
    sample: `samples/${sample}`,
    lines: lines.map((line) =>
      text[line - 1]!.trim()
        .replace(/^(.{1,16}?-\d+) +\[\d+\] +\S+ +(\d+\.\d+: )/, '$1  $2')
        .replaceAll(/\+0x0\/0x[0-9a-f]+/g, ''),
    ),
  };
}

export function ruleNames(): RuleId[] {
  return Object.keys(rules) as RuleId[];
}
