import type { RuleAnswer } from '../model/answers.ts';

/** The same that `explain` tells, as Markdown. */
export function ruleMarkdown({ rule, flags, from, story, excerpt, fix }: RuleAnswer): string {
  const parts = [
    `# ${rule}`,
    `**Flags.** ${flags}.`,
    block(story),
    ...(excerpt === undefined ? [] : [`In a real trace, \`${excerpt.sample}\`:`, block(excerpt.lines)]),
    `**Fix.** ${fix.text}`,
    ...(fix.reference === undefined ? [] : [`**See** ${fix.reference}.`]),
    `**From** ${from}.`,
    `\`modlife explain ${rule}\` tells the same.`,
  ];
  return `${parts.join('\n\n')}\n`;
}

function block(lines: readonly string[]): string {
  return ['```text', ...lines, '```'].join('\n');
}
