import type { Command } from 'commander';
import type { Backend } from '../../model/backend.ts';
import type { Severity } from '../../model/report.ts';
import type { Run } from '../program.ts';
import { backendOption, bufferOption, collect } from './capture.ts';

interface Options {
  module?: string[];
  output?: string;
  backend: Backend;
  bufferSize?: number;
  failOn: Severity;
  allowGaps?: boolean;
  json?: boolean;
}

export function registerCi(command: Command, run: Run): void {
  command
    .option('-m, --module <name>', 'probe every function of this module; again for more', collect)
    .option('-o, --output <dir>', 'keep the capture there; otherwise it is kept if something was found')
    .addOption(backendOption(command))
    .addOption(bufferOption(command))
    .addOption(
      command
        .createOption('--fail-on <severity>', 'exit 1 at findings of this severity or above')
        .choices(['error', 'warning', 'note'])
        .default('error'),
    )
    .option('--allow-gaps', 'exit 0, not 3, where finding nothing proves nothing')
    .option('--json', 'the verdict as JSON, the findings document in it')
    .addHelpText('after', '\nExample: modlife ci -m mydrv -- make -C tools/testing/selftests run_tests')
    .action(async (command: string[], options: Options) => {
      const { ci } = await import('../run-ci.ts');
      run.status = await ci(command, options, run.io);
    });
}
