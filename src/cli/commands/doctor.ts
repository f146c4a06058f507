import type { Command } from 'commander';
import { formatOption } from '../format-option.ts';
import type { Run } from '../program.ts';
import { collect } from './capture.ts';

interface Options {
  module?: string[];
  json?: boolean;
  format?: string;
}

export function registerDoctor(command: Command, { io }: Run): void {
  command
    .option('-m, --module <name>', 'as if this module were probed; again for more', collect)
    .option('--json', 'the same as JSON')
    .addOption(formatOption(command))
    .addHelpText('after', '\nExample: modlife doctor boot.trace')
    .action(async (paths: string[], options: Options) => {
      const { print } = await import('../print.ts');
      const { doctorCaptures, doctorMachine } = await import('../../questions/doctor.ts');
      if (paths.length === 0) {
        const [{ lookAtKernel }, { makePlan }] = await Promise.all([
          import('../run-capture.ts'),
          import('../../capture/plan.ts'),
        ]);
        const { found } = lookAtKernel();
        return print(doctorMachine(found.release, makePlan(found, options.module ?? [])), options, io);
      }
      const [{ read }, { readManifest }] = await Promise.all([
        import('../read.ts'),
        import('../../pipeline/capture-directory.ts'),
      ]);
      const { report } = await read(paths, { format: options.format }, io);
      const manifests = await Promise.all(paths.map(readManifest));
      await print(
        doctorCaptures(
          report,
          manifests.filter((manifest) => manifest !== undefined),
        ),
        options,
        io,
      );
    });
}
