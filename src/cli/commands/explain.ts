import { type Command, Option } from 'commander';
import type { Run } from '../program.ts';

const formats = ['text', 'json', 'markdown'] as const;

interface Options {
  to: (typeof formats)[number];
  json?: boolean;
}

export function registerExplain(program: Command, { io }: Run): void {
  program
    .command('explain')
    .description('a rule: what it flags, its story, its fix')
    .argument('[rule]', 'without one they are listed')
    .addOption(new Option('--to <format>', 'print it as this').choices(formats).default('text'))
    .addOption(new Option('--json', 'short for --to json').conflicts('to'))
    .addHelpText('after', '\nExample: modlife explain release-after-exit')
    .action(async (rule: string | undefined, { to, json }: Options) => {
      const { explainRule, listRules, ruleNames } = await import('../../questions/explain.ts');
      if (to === 'markdown') {
        const { ruleMarkdown } = await import('../../report/rule-markdown.ts');
        const rules = rule === undefined ? ruleNames() : [rule];
        io.stdout.write(rules.map((name) => ruleMarkdown(explainRule(name))).join('\n'));
        return;
      }
      const { print } = await import('../print.ts');
      const answer = rule === undefined ? listRules() : explainRule(rule);
      await print(answer, { json: json === true || to === 'json' }, io);
    });
}
