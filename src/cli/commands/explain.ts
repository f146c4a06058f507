import type { Command } from 'commander';
import type { Run } from '../program.ts';

const formats = ['text', 'json', 'markdown'] as const;

interface Options {
  to: (typeof formats)[number];
  json?: boolean;
}

export function registerExplain(command: Command, { io }: Run): void {
  command
    .addOption(command.createOption('--to <format>', 'print it as this').choices(formats).default('text'))
    .addOption(command.createOption('--json', 'short for --to json').conflicts('to'))
    .addHelpText('after', '\nExample: modlife explain release-after-exit')
    .action(async (rule: string | undefined, { to, json }: Options) => {
      const [{ explainRule, listRules, ruleNames }, { print }] = await Promise.all([
        import('../../questions/explain.ts'),
        import('../print.ts'),
      ]);
      if (to === 'markdown') {
        const { ruleMarkdown } = await import('../../report/rule-markdown.ts');
        const rules = rule === undefined ? ruleNames() : [rule];
        io.stdout.write(rules.map((name) => ruleMarkdown(explainRule(name))).join('\n'));
        return;
      }
      const answer = rule === undefined ? listRules() : explainRule(rule);
      await print(answer, { json: json === true || to === 'json' }, io);
    });
}
