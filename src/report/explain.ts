import type { RuleAnswer, RulesAnswer } from '../model/answers.ts';
import { beside, clip, labelled, paint, type Style, wrap } from './layout.ts';

export function renderRule({ rule, flags, from, story, excerpt, fix }: RuleAnswer, style: Style): string {
  const parts = [
    `${paint(rule, 'bold', style)}\n${wrap(`${flags}.`, style, '  ')}`,
    story.map((line) => step(line, style)).join('\n'),
    ...(excerpt === undefined ? [] : [inTrace(excerpt, style)]),
    [
      labelled('fix', fix.text, style),
      ...(fix.reference === undefined ? [] : [labelled('see', fix.reference, style)]),
      labelled('from', from, style),
    ].join('\n'),
  ];
  return `${parts.join('\n\n')}\n`;
}

function inTrace({ sample, lines }: NonNullable<RuleAnswer['excerpt']>, style: Style): string {
  const shown = lines.map((line) => paint(`    ${clip(line, style.width - 4)}`, 'dim', style));
  return [wrap(`In a real trace, ${sample}:`, style, '  '), ...shown].join('\n');
}

/** What an event means stands in the last column, and wraps there. */
function step(line: string, style: Style): string {
  const at = /^(?:.*\S {2,}| *)(?=\S)/.exec(line)?.[0].length ?? 0;
  const lead = `    ${line.slice(0, at)}`;
  if (lead.length > style.width - 16) return wrap(line, style, '        ', '    ');
  return lead + wrap(line.slice(at), style, ' '.repeat(lead.length)).slice(lead.length);
}

export function renderRules({ rules }: RulesAnswer, style: Style): string {
  const margin = Math.max(...rules.map(({ rule }) => rule.length)) + 2;
  return `${rules.map(({ rule, flags }) => beside(rule.padEnd(margin), flags, style)).join('\n')}\n\nmodlife explain RULE tells the story and the fix.\n`;
}
