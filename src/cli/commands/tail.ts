import { type Command, Option } from 'commander';
import type { Severity } from '../../model/report.ts';
import type { Run } from '../program.ts';
import { addTriageOptions, readTriage, type TriageFiles } from '../triage-options.ts';

interface Options extends TriageFiles {
  json?: boolean;
  plain?: boolean;
  new?: boolean;
  verbose?: boolean;
  format?: string;
  failOn?: Severity;
  exec?: string[];
}

export function registerTail(program: Command, run: Run): void {
  const command = program
    .command('tail')
    .description('the same while it happens: a growing file, a pipe')
    .argument('[source]', 'a file that grows, a FIFO; - is stdin')
    .argument('[args...]', 'after --, options of the program that --exec names')
    .option('--from-start', 'of a file, all of it, too (the default)')
    .option('--new', 'of a file, only what comes from now on')
    .option('--json', 'an object a line: findings, states, gaps, a summary at the end')
    .option('--plain', 'a line for each event of interest, also on a terminal')
    .option('--verbose', 'tell each reference taken and given back, too')
    .option('--format <name>', 'read as this format instead of recognising it')
    .addOption(
      new Option('--fail-on <severity>', 'end with status 1 at the first finding as grave as this').choices([
        'error',
        'warning',
        'note',
      ]),
    )
    .option('--exec <program...>', 'run this for each finding that counts, which it gets as JSON on stdin');
  addTriageOptions(command)
    .addHelpText(
      'after',
      `
Ends with its source, or with ^C or q, and then prints what analyze would.

Examples: ssh host cat /sys/kernel/tracing/trace_pipe | modlife tail
          modlife tail boot.trace --exec mail -- -s 'module bug' root`,
    )
    .action(async (source: string | undefined, args: string[], options: Options) => {
      const [{ inputsOf }, { runTail }, { UserError }] = await Promise.all([
        import('../inputs.ts'),
        import('../run-tail.ts'),
        import('../../model/errors.ts'),
      ]);
      const [path] = inputsOf(source === undefined ? [] : [source], 'tail', run.io);
      if (args.length > 0 && options.exec === undefined)
        throw new UserError('usage', 'more than one source given', 'one at a time can be followed');
      const { failOn, exec, new: onlyNew, verbose, format } = options;
      run.status = await runTail(
        {
          path: path!,
          format,
          onlyNew,
          verbose: verbose === true,
          failOn,
          triage: await readTriage(options, [path!], run.io),
          exec: exec === undefined ? undefined : [...exec, ...args],
          shape: options.json === true ? 'json' : options.plain === true ? 'plain' : 'screen',
        },
        run.io,
      );
    });
}
