/** The command line: what commands there are. What they do is loaded when one is run. */
import { type Argument, Command, CommanderError } from 'commander';
import { version } from '../pipeline/package-root.ts';
import { type Io, PLAIN, styleOf } from './io.ts';

/** A command, once run, leaves its exit status here. */
export interface Run {
  readonly io: Io;
  status: number;
}

/** In the order in which --help lists them. */
const commands = {
  analyze: async () => (await import('./commands/analyze.ts')).registerAnalyze,
  report: async () => (await import('./commands/report.ts')).registerReport,
  tail: async () => (await import('./commands/tail.ts')).registerTail,
  holders: async () => (await import('./commands/holders.ts')).registerHolders,
  'why-busy': async () => (await import('./commands/why-busy.ts')).registerWhyBusy,
  balance: async () => (await import('./commands/balance.ts')).registerBalance,
  query: async () => (await import('./commands/query.ts')).registerQuery,
  diff: async () => (await import('./commands/diff.ts')).registerDiff,
  export: async () => (await import('./commands/export.ts')).registerExport,
  capture: async () => (await import('./commands/capture.ts')).registerCapture,
  doctor: async () => (await import('./commands/doctor.ts')).registerDoctor,
  ci: async () => (await import('./commands/ci.ts')).registerCi,
  explain: async () => (await import('./commands/explain.ts')).registerExplain,
  schema: async () => (await import('./commands/schema.ts')).registerSchema,
  completion: async () => (await import('./commands/completion.ts')).registerCompletion,
  man: async () => (await import('./commands/man.ts')).registerMan,
} satisfies Record<string, () => Promise<(program: Command, run: Run) => void>>;
const names = Object.keys(commands) as (keyof typeof commands)[];

/** @param only the command that will be run, where that is known: loading all of them takes longer than most
 *  answers. `completion` and `man` speak of all. */
async function createProgram(run: Run, only?: string): Promise<Command> {
  const { io } = run;
  const program = new Command('modlife')
    .description('Names the module-lifetime bug in a Linux kernel trace: where it is and how to mend it.')
    .version(version())
    .exitOverride()
    // A column for the names leaves room for what they do.
    .configureHelp({
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map(argumentTerm)].join(' '),
    })
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => styleOf(io).width,
      getErrHelpWidth: () => PLAIN.width,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // Told in one line, by `run`.
      outputError: () => {},
    });
  const named = names.find((name) => name === only);
  const wanted = named === undefined || named === 'completion' || named === 'man' ? names : [named];
  const registrations = await Promise.all(wanted.map((name) => commands[name]()));
  for (const register of registrations) register(program, run);
  program.addHelpText(
    'after',
    `
A CAPTURE is what tracefs, trace-cmd report, perf script or bpftrace printed, or
a store that \`analyze --db\` kept; - is stdin. Each command has its own --help.

Exit status: 0 nothing found, 1 findings, 2 could not do it, 3 capture damaged.`,
  );
  return program;
}

function argumentTerm(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '…' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** @returns the exit status */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const run: Run = { io, status: 0 };
  try {
    const program = await createProgram(run, argv[0]);
    await program.parseAsync([...argv], { from: 'user' });
    return run.status;
  } catch (error) {
    // Help and --version end this way, too; help that was not asked for is an error of usage.
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const { describeError, describeUsage, EXIT } = await import('./exit.ts');
    if (error instanceof CommanderError) {
      io.stderr.write(describeUsage(error, argv[0]));
      return EXIT.cannot;
    }
    const { text, status } = describeError(error);
    io.stderr.write(text);
    return status;
  }
}
