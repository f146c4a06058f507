/** What a rule flags, and why. */
import type { RuleAnswer, RulesAnswer } from '../model/answers.ts';
import { UserError } from '../model/errors.ts';
import type { RuleId } from '../model/report.ts';
import { rules } from '../passes/rules.ts';
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
  return { type: 'rule', rule, ...rules[rule] };
}

export function ruleNames(): RuleId[] {
  return Object.keys(rules) as RuleId[];
}
