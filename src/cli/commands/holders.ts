import type { Command } from 'commander';
import { formatOption } from '../format-option.ts';
import type { Run } from '../program.ts';

interface Options {
  at?: string;
  stacks?: boolean;
  json?: boolean;
  format?: string;
}

const ONLY_ONCE = [
  '--at: the clock of stdin counts and tells no seconds, which is known only once it is read',
  'save the capture to a file',
] as const;

export function registerHolders(command: Command, { io }: Run): void {
  command
    .option('--at <time>', 'then, not at the end: seconds as in the capture, or 123ns')
    .option('--stacks', 'whole stacks')
    .option('--json', 'the same as JSON')
    .addOption(formatOption(command))
    .addHelpText('after', '\nExample: modlife holders --at 162.424581 dm_mod boot.trace')
    .action(async (module: string, paths: string[], options: Options) => {
      const { inputsOf } = await import('../inputs.ts');
      const inputs = inputsOf(paths, `holders ${module}`, io);
      const [{ holders }, { withStandings }, { UserError }] = await Promise.all([
        import('../../questions/holders.ts'),
        import('../with-store.ts'),
        import('../../model/errors.ts'),
      ]);
      const { at, format } = options;
      const answer = await withStandings(inputs, { format }, io, (ask) => {
        let asked = 0;
        return holders(module, at, (until) => {
          if (++asked > 1 && inputs.includes('-')) throw new UserError('usage', ...ONLY_ONCE);
          return ask(until);
        });
      });
      const { print } = await import('../print.ts');
      await print(answer, { ...options, full: options.stacks === true }, io);
    });
}
