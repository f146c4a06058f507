import { Command, CommanderError } from 'commander';
import { version } from '../pipeline/package-root.ts';
import { registerAnalyze } from './commands/analyze.ts';
import { exitWith } from './exit.ts';

const program = new Command('modlife')
  .description('names the module-lifetime bug in a Linux kernel trace: where it is and how to mend it')
  .version(version())
  .exitOverride()
  .configureOutput({
    outputError: (text) => process.stderr.write(`modlife: ${text.replace(/^error: /, '')}`),
  })
  .showHelpAfterError('(modlife --help lists the commands)');

registerAnalyze(program);

// `| head` has seen enough: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else exitWith(error);
}
