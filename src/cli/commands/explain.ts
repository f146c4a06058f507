import type { Command } from 'commander';
import type { Run } from '../program.ts';

export function registerExplain(program: Command, { io }: Run): void {
  program
    .command('explain')
    .description('a rule: what it flags, its story, its fix')
    .argument('[rule]', 'without one they are listed')
    .option('--json', 'the same as JSON')
    .addHelpText('after', '\nExample: modlife explain release-after-exit')
    .action(async (rule: string | undefined, options: { json?: boolean }) => {
      const { explainRule, listRules } = await import('../../questions/explain.ts');
      const { print } = await import('../print.ts');
      await print(rule === undefined ? listRules() : explainRule(rule), options, io);
    });
}
