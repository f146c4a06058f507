import type { Command } from 'commander';
import { formatOption } from '../format-option.ts';
import type { Run } from '../program.ts';

interface Options {
  sql?: string;
  param: string[];
  csv?: boolean;
  json?: boolean;
  format?: string;
}

export function registerQuery(command: Command, { io }: Run): void {
  command
    .option('--sql <select>', 'this instead of a named question')
    .option('-p, --param <key=value>', 'a parameter; may be given several times', collect, [])
    .option('--csv', 'comma-separated values')
    .option('--json', 'the same as JSON')
    .addOption(formatOption(command))
    .addHelpText(
      'after',
      `
Examples: modlife query holders -p module=dm_mod boot.trace
          modlife query --sql 'SELECT * FROM modules' boot.db`,
    )
    .action(async (name: string | undefined, paths: string[], options: Options) => {
      const { inputsOf } = await import('../inputs.ts');
      const { print } = await import('../print.ts');
      const { askNamed, askSql, listQueries, parseParameters } = await import('../../questions/query.ts');
      if (name === undefined && options.sql === undefined) return print(listQueries(), options, io);
      const parameters = parseParameters(options.param);
      const { sql } = options;
      // With --sql there is no name: the first word is a capture already.
      const captures = sql !== undefined && name !== undefined ? [name, ...paths] : paths;
      const inputs = inputsOf(
        captures,
        name === undefined || sql !== undefined ? 'query --sql …' : `query ${name}`,
        io,
      );
      const { withStore } = await import('../with-store.ts');
      const answer = await withStore(inputs, { format: options.format }, io, (store) =>
        sql === undefined ? askNamed(store, name!, parameters) : askSql(store, sql),
      );
      if (options.csv !== true) return print(answer, options, io);
      const { toCsv } = await import('../../report/csv.ts');
      io.stdout.write(toCsv(answer));
    });
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
