import type { Command } from 'commander';
import { formatOption } from '../format-option.ts';
import type { Run } from '../program.ts';

const formats = ['perfetto', 'csv', 'ndjson', 'parquet'] as const;
const tables = ['events', 'findings'] as const;

interface Options {
  to: (typeof formats)[number];
  table: (typeof tables)[number];
  output: string;
  format?: string;
}

export function registerExport(command: Command, { io }: Run): void {
  command
    .addOption(
      command
        .createOption('--to <format>', 'perfetto is the JSON that Chrome and Perfetto open')
        .choices(formats)
        .makeOptionMandatory(),
    )
    .addOption(
      command
        .createOption('--table <name>', 'what csv, ndjson and parquet hold')
        .choices(tables)
        .default('events'),
    )
    .option('-o, --output <file>', 'write there; - is stdout', '-')
    .addOption(formatOption(command))
    .addHelpText(
      'after',
      `
Perfetto shows each module as a process, those with findings first: its states,
its findings, a track for each task that takes a reference, and the references
held over time. An arrow goes from the get that is selected to its put.
https://ui.perfetto.dev opens the file without sending it anywhere.

Examples: modlife export --to perfetto -o boot.json boot.trace
          modlife export --to parquet -o events.parquet boot.db`,
    )
    .action(async (paths: string[], { to, table, output, format }: Options) => {
      const [{ inputsOf }, { runExport }] = await Promise.all([
        import('../inputs.ts'),
        import('../run-export.ts'),
      ]);
      await runExport(inputsOf(paths, 'export', io), { to, table, output, format }, io);
    });
}
