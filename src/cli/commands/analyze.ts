import { type Command, Option } from 'commander';
import type { Severity } from '../../model/report.ts';
import { PLAIN, styleOf } from '../io.ts';
import type { Run } from '../program.ts';

interface Options {
  json?: boolean;
  format?: string;
  db?: string;
  failOn: Severity;
  allowGaps?: boolean;
  strict?: boolean;
  output?: string;
}

export function registerAnalyze(program: Command, run: Run): void {
  program
    .command('analyze')
    .description('the bugs in one or more captures of one boot')
    .argument('[capture...]', 'files; - is stdin')
    .option('--json', 'the findings document (modlife schema describes it)')
    .option('--format <name>', 'read as this format instead of recognising it')
    .option('--db <file>', 'keep the store, for modlife query and the other commands')
    .addOption(
      new Option('--fail-on <severity>', 'exit 1 at findings of this severity or above')
        .choices(['error', 'warning', 'note'])
        .default('error'),
    )
    .option('--allow-gaps', 'exit 0, not 3, for a damaged capture without findings')
    .option('--strict', 'exit 2 when a line could not be read')
    .option('-o, --output <file>', 'write there instead of to stdout')
    .addHelpText('after', '\nExample: modlife analyze --fail-on warning boot.trace')
    .action(async (paths: string[], options: Options) => {
      const { inputsOf } = await import('../inputs.ts');
      const { io } = run;
      const inputs = inputsOf(paths, 'analyze', io);
      const { output, format, db } = options;
      const [{ read }, { EXIT, statusOf }, { toJson }, { toText }, { refuseInput, writeAside }] =
        await Promise.all([
          import('../read.ts'),
          import('../exit.ts'),
          import('../../report/json.ts'),
          import('../../report/text.ts'),
          import('../write-aside.ts'),
        ]);
      for (const path of [output, db]) if (path !== undefined) refuseInput(path, inputs);
      const { report } = await read(inputs, { format, db }, io);
      const isFile = output !== undefined && output !== '-';
      const text = options.json === true ? toJson(report) : toText(report, isFile ? PLAIN : styleOf(io));
      run.status = statusOf(report, options.failOn, options.allowGaps === true);
      if (options.strict === true && report.inputs.some(({ bad }) => bad > 0)) run.status = EXIT.cannot;
      if (isFile) writeAside(output, text);
      else io.stdout.write(text);
    });
}
