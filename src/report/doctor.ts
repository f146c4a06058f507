/** Doctor's answer in plain words. */
import type { DoctorAnswer, RuleHealth } from '../model/answers.ts';
import { type Style, wrap } from './layout.ts';

const WORDS = {
  machine: {
    yes: 'This machine can decide',
    partly: 'It can decide, but sees less than it could for',
    no: 'It cannot decide',
  },
  captures: { yes: 'Fully asked', partly: 'Asked, but seeing less than it could', no: 'Not asked' },
} as const;

export function renderDoctor({ about, subject, rules, troubles }: DoctorAnswer, style: Style): string {
  const words = WORDS[subject];
  const of = (state: RuleHealth['state']) => rules.filter((rule) => rule.state === state);
  const parts = [wrap(about, style, '    ', '')];
  if (of('yes').length > 0) {
    const names = of('yes').map(({ rule }) => rule);
    parts.push(`${words.yes}\n${wrap(names.join(', '), style, '  ')}`);
  }
  for (const state of ['partly', 'no'] as const) {
    const names = of(state).map(({ rule }) => rule);
    if (names.length > 0) parts.push(`${words[state]}\n${wrap(names.join(', '), style, '  ')}`);
  }
  const reasons = [...byReason(rules)];
  if (reasons.length > 0) parts.push(['Why', ...reasons.map((why) => because(why, style))].join('\n'));
  if (troubles.length > 0) {
    parts.push(
      ['Trouble', ...troubles.map((reason) => wrap(inWords(reason), style, '    ', '  '))].join('\n'),
    );
  }
  return `${parts.join('\n\n')}\n`;
}

function byReason(rules: readonly RuleHealth[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { rule, reasons } of rules) {
    for (const reason of reasons) {
      const why = inWords(reason);
      groups.set(why, [...new Set([...(groups.get(why) ?? []), rule])]);
    }
  }
  return groups;
}

function because([why, names]: readonly [string, readonly string[]], style: Style): string {
  return `${wrap(why, style, '    ', '  ')}\n${wrap(`for ${names.join(', ')}`, style, '      ')}`;
}

function inWords({ text, advice }: DoctorAnswer['troubles'][number]): string {
  return advice === undefined ? text : `${text} (${advice})`;
}
