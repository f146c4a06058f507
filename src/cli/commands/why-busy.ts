import type { Command } from 'commander';
import type { Run } from '../program.ts';

export function registerWhyBusy(program: Command, { io }: Run): void {
  program
    .command('why-busy')
    .description('why rmmod is refused or stuck, and what to do')
    .argument('<module>', 'its name; - and _ are the same')
    .argument('[capture...]', 'files; - is stdin')
    .option('--json', 'the same as JSON')
    .option('--format <name>', 'read as this format instead of recognising it')
    .addHelpText('after', '\nExample: modlife why-busy nvme_rdma boot.trace')
    .action(async (module: string, paths: string[], options: { json?: boolean; format?: string }) => {
      const { inputsOf } = await import('../inputs.ts');
      const inputs = inputsOf(paths, `why-busy ${module}`, io);
      const [{ whyBusy }, { read }] = await Promise.all([
        import('../../questions/why-busy.ts'),
        import('../read.ts'),
      ]);
      const { print } = await import('../print.ts');
      await print(whyBusy(module, await read(inputs, { format: options.format }, io)), options, io);
    });
}
