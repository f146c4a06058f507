import type { Command } from 'commander';
import { analyze } from '../../pipeline/analyze.ts';
import { statusOf } from '../exit.ts';

export function registerAnalyze(program: Command): void {
  program
    .command('analyze')
    .description('findings of one or more captures of one boot')
    .argument('[capture...]', 'files; - is stdin', ['-'])
    .option('--json', 'the findings document')
    .option('--format <name>', 'read as this format instead of recognising it')
    .option('--fail-on <severity>', 'exit 1 at findings of this severity or above', 'error')
    .option('--allow-gaps', 'exit 0 for a damaged capture without findings')
    .action(
      async (
        paths: string[],
        options: { json?: boolean; format?: string; failOn: 'error'; allowGaps?: boolean },
      ) => {
        const { report } = await analyze(paths, { format: options.format });
        process.stdout.write(`${JSON.stringify(report, undefined, 1)}\n`);
        process.exitCode = statusOf(report, options.failOn, options.allowGaps === true);
      },
    );
}
