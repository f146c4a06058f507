import type { Command } from 'commander';
import { formatOption } from '../format-option.ts';
import type { Run } from '../program.ts';

export function registerWhyBusy(command: Command, { io }: Run): void {
  command
    .option('--json', 'the same as JSON')
    .addOption(formatOption(command))
    .addHelpText('after', '\nExample: modlife why-busy nvme_rdma boot.trace')
    .action(async (module: string, paths: string[], options: { json?: boolean; format?: string }) => {
      const { inputsOf } = await import('../inputs.ts');
      const inputs = inputsOf(paths, `why-busy ${module}`, io);
      const [{ whyBusy }, { withStandings }, { print }] = await Promise.all([
        import('../../questions/why-busy.ts'),
        import('../with-store.ts'),
        import('../print.ts'),
      ]);
      const { format } = options;
      const answer = await withStandings(inputs, { format }, io, async (ask) =>
        whyBusy(module, await ask(undefined)),
      );
      await print(answer, options, io);
    });
}
