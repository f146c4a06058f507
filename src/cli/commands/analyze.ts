import type { Command } from 'commander';
import type { Severity } from '../../model/report.ts';
import { formatOption } from '../format-option.ts';
import { PLAIN, styleOf } from '../io.ts';
import type { Run } from '../program.ts';
import { formatReport, type ReportFormat, reportFormats } from '../report-formats.ts';
import { addTriageOptions, idleSuppressions, readTriage, type TriageFiles } from '../triage-options.ts';

interface Options extends TriageFiles {
  to: ReportFormat;
  json?: boolean;
  format?: string;
  db?: string;
  failOn: Severity;
  allowGaps?: boolean;
  strict?: boolean;
  output?: string;
}

export function registerAnalyze(command: Command, run: Run): void {
  command
    .addOption(
      command
        .createOption('--to <format>', 'print the findings as this')
        .choices(reportFormats)
        .default('text'),
    )
    .addOption(
      command.createOption('--json', 'short for --to json (modlife schema describes it)').conflicts('to'),
    )
    .addOption(formatOption(command))
    .option('--db <file>', 'keep the store, for modlife query and the other commands')
    .addOption(
      command
        .createOption('--fail-on <severity>', 'exit 1 at findings of this severity or above')
        .choices(['error', 'warning', 'note'])
        .default('error'),
    )
    .option('--allow-gaps', 'exit 0, not 3, where finding nothing proves nothing')
    .option('--strict', 'exit 2 when a line could not be read')
    .option('-o, --output <file>', 'write there instead of to stdout');
  addTriageOptions(command)
    .addHelpText(
      'after',
      `
Status 3: nothing worse than a note was found, but no rule found its events, or
the capture is damaged: more events lost and lines unreadable than events read,
or a packed file that is cut off.

Example: modlife analyze --fail-on warning boot.trace`,
    )
    .action(async (paths: string[], options: Options) => {
      const { inputsOf } = await import('../inputs.ts');
      const { io } = run;
      const inputs = inputsOf(paths, 'analyze', io);
      const { output, format, db } = options;
      const [{ read }, { EXIT, statusOf }, { triage }, { refuseInput, writeAside }] = await Promise.all([
        import('../read.ts'),
        import('../exit.ts'),
        import('../../questions/triage.ts'),
        import('../write-aside.ts'),
      ]);
      for (const path of [output, db]) if (path !== undefined) refuseInput(path, inputs);
      const wanted = await readTriage(options, inputs, io);
      const report = triage(
        (await read(inputs, { format, db, strict: options.strict === true }, io)).report,
        wanted,
      );
      io.stderr.write(idleSuppressions(report));
      const isFile = output !== undefined && output !== '-';
      const bar = { failOn: options.failOn, allowGaps: options.allowGaps === true };
      const text = await formatReport(
        report,
        options.json === true ? 'json' : options.to,
        bar,
        isFile ? PLAIN : styleOf(io),
      );
      run.status = statusOf(report, bar);
      if (options.strict === true && report.inputs.some(({ bad }) => bad > 0)) run.status = EXIT.cannot;
      if (isFile) writeAside(output, text);
      else io.stdout.write(text);
    });
}
