import type { Command } from 'commander';
import { type Backend, backends } from '../../model/backend.ts';
import type { Severity } from '../../model/report.ts';
import { formatOption } from '../format-option.ts';
import type { Run } from '../program.ts';
import { addTriageOptions, readTriage, type TriageFiles } from '../triage-options.ts';
import { collect, timeSpan } from './capture.ts';

interface Options extends TriageFiles {
  live?: boolean;
  module?: string[];
  backend?: Backend;
  output?: string;
  json?: boolean;
  plain?: boolean;
  new?: boolean;
  db?: string;
  retain?: number;
  keep?: number;
  verbose?: boolean;
  format?: string;
  failOn?: Severity;
  exec?: string[];
}

export function registerTail(command: Command, run: Run): void {
  command
    .option('--live', 'this machine, recorded as capture does; as root')
    .option(
      '-m, --module <name>',
      'with --live, probe every function of this module; again for more',
      collect,
    )
    .addOption(
      command
        .createOption(
          '--backend <name>',
          'with --live, what records (default: tracefs); trace-cmd tells nothing before its end',
        )
        .choices(backends.filter((name) => name !== 'trace-cmd')),
    )
    .option('-o, --output <dir>', 'with --live, keep the recording there; with --keep, only that')
    .option('--from-start', 'of a file, all of it, too (the default)')
    .option('--new', 'of a file, only what comes from now on')
    .option(
      '--keep <time>',
      'hold what came last; a finding, a refused rmmod, an oops, a BUG or a WARN has it written to -o',
      timeSpan,
    )
    .option('--db <file>', 'keep a store there, for other commands to ask meanwhile; go on with one')
    .option(
      '--retain <time>',
      'with --db, let go of what is older: 90s, 12h, 7d; references still out stay (default: never)',
      timeSpan,
    )
    .option('--json', 'an object a line: findings, states, gaps, a summary (modlife schema tail)')
    .option('--plain', 'a line for each event of interest, also on a terminal')
    .option('--verbose', 'tell each reference taken and given back, too')
    .addOption(formatOption(command))
    .addOption(
      command
        .createOption('--fail-on <severity>', 'end with status 1 at the first finding as grave as this')
        .choices(['error', 'warning', 'note']),
    )
    .option('--exec <program...>', 'run this for each finding that counts, which it gets as JSON on stdin');
  addTriageOptions(command)
    .addHelpText(
      'after',
      `
Ends with its source, or with ^C or q, and then prints what analyze would.

Examples: modlife tail --live -m mydrv
          ssh host cat /sys/kernel/tracing/trace_pipe | modlife tail
          modlife tail boot.trace --exec mail -- -s 'module bug' root`,
    )
    .action(async (source: string | undefined, args: string[], options: Options) => {
      const [{ inputsOf }, { keepIn }, { runTail }, { UserError }] = await Promise.all([
        import('../inputs.ts'),
        import('../keep-in.ts'),
        import('../run-tail.ts'),
        import('../../model/errors.ts'),
      ]);
      const { live: isLive, module, backend, output, keep } = options;
      if (isLive !== true && (module !== undefined || backend !== undefined))
        throw new UserError('usage', '--module and --backend are for --live', 'or use modlife capture');
      if (isLive !== true && output !== undefined && keep === undefined)
        throw new UserError('usage', '--output is for --live and --keep', 'or use modlife capture');
      if (keep !== undefined && output === undefined)
        throw new UserError('usage', '--keep needs a folder to write to', '-o DIR');
      if (isLive === true && source !== undefined)
        throw new UserError('usage', `${source}: --live is a source of its own`, 'leave one of them out');
      if (options.db !== undefined && options.new === true)
        throw new UserError(
          'usage',
          '--new with --db: a store holds the whole file',
          'leave one of them out',
        );
      if (options.retain !== undefined && options.db === undefined)
        throw new UserError('usage', '--retain is for a store that is kept', '--db FILE');
      const shape = options.json === true ? 'json' : options.plain === true ? 'plain' : 'screen';
      const onReady = () => {
        // A screen shows it.
        if (shape !== 'screen' || run.io.stdout.isTTY !== true)
          run.io.stderr.write('modlife: recording this machine, ^C ends it\n');
      };
      const live =
        isLive === true
          ? (await import('../live.ts')).openLive({ module, backend, output, keep, onReady })
          : undefined;
      const [path] =
        live === undefined ? inputsOf(source === undefined ? [] : [source], 'tail', run.io) : ['live'];
      if (args.length > 0 && options.exec === undefined)
        throw new UserError('usage', 'more than one source given', 'one at a time can be followed');
      const { failOn, exec, new: onlyNew, verbose, format, db, retain } = options;
      run.status = await runTail(
        {
          path: path!,
          follow: live?.follow,
          boot: live?.boot,
          db,
          retain,
          format: format ?? live?.format,
          onlyNew,
          verbose: verbose === true,
          failOn,
          triage: await readTriage(options, [path!], run.io),
          exec: exec === undefined ? undefined : [...exec, ...args],
          keep: keep === undefined ? undefined : { seconds: keep, save: keepIn(output!, live?.save) },
          shape,
        },
        run.io,
      ).finally(() => live?.ended);
    });
}
