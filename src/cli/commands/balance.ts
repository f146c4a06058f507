import type { Command } from 'commander';
import type { BalanceBy } from '../../model/answers.ts';
import { formatOption } from '../format-option.ts';
import type { Run } from '../program.ts';

interface Options {
  by: BalanceBy;
  module?: string;
  all?: boolean;
  json?: boolean;
  format?: string;
}

export function registerBalance(command: Command, { io }: Run): void {
  command
    .addOption(
      command
        .createOption('--by <what>', 'add up per call site, stack or task')
        .choices(['site', 'stack', 'task'])
        .default('site'),
    )
    .option('-m, --module <name>', 'only this module')
    .option('--all', 'all rows, not the first 20')
    .option('--json', 'the same as JSON, all rows')
    .addOption(formatOption(command))
    .addHelpText('after', '\nExample: modlife balance --by task -m dm_mod boot.trace')
    .action(async (paths: string[], options: Options) => {
      const { inputsOf } = await import('../inputs.ts');
      const { print } = await import('../print.ts');
      const { by, module, format } = options;
      const inputs = inputsOf(paths, 'balance', io);
      const { balanceByPair, balanceBySite } = await import('../../questions/balance.ts');
      if (by === 'site') {
        const { read } = await import('../read.ts');
        const answer = balanceBySite(await read(inputs, { format }, io), module);
        return print(answer, { ...options, full: options.all === true }, io);
      }
      const { withAnalyzedStore } = await import('../with-store.ts');
      const answer = await withAnalyzedStore(inputs, { format }, io, (store, analysis) =>
        balanceByPair(analysis, store, by, module),
      );
      return print(answer, { ...options, full: options.all === true }, io);
    });
}
