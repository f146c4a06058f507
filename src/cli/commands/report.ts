import type { Command } from 'commander';
import { formatOption } from '../format-option.ts';
import type { Run } from '../program.ts';

interface Options {
  output?: string;
  format?: string;
}

/** Where it goes when nobody says and stdout is a terminal, which no one wants to see HTML in. */
const FILE = 'modlife-report.html';

export function registerReport(command: Command, { io }: Run): void {
  command
    .option('-o, --output <file>', `write there; - is stdout (default: ${FILE}, or stdout into a pipe)`)
    .addOption(formatOption(command))
    .addHelpText(
      'after',
      `
The file needs no network and no server. The exit status does not depend on what
was found: modlife analyze is the one to fail a build with.

Example: modlife report -o boot.html boot.trace`,
    )
    .action(async (paths: string[], { output, format }: Options) => {
      const { inputsOf } = await import('../inputs.ts');
      const inputs = inputsOf(paths, 'report', io);
      const [{ read }, { createDossier }, { toHtml }, { pageAssets }, { refuseInput, writeAside }] =
        await Promise.all([
          import('../read.ts'),
          import('../../questions/dossier.ts'),
          import('../../report/html/page.ts'),
          import('../page-assets.ts'),
          import('../write-aside.ts'),
        ]);
      const file = output ?? (io.stdout.isTTY === true ? FILE : '-');
      if (file !== '-') refuseInput(file, inputs);
      const keeper = createDossier();
      const analysis = await read(inputs, { format, onChange: keeper.change }, io);
      const page = toHtml(await keeper.dossier(analysis, inputs), pageAssets());
      if (file === '-') {
        io.stdout.write(page);
        return;
      }
      writeAside(file, page);
      const { error, warning, note } = analysis.report.summary;
      io.stderr.write(`modlife: wrote ${file}: errors ${error}, warnings ${warning}, notes ${note}\n`);
    });
}
