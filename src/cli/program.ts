/** The command line: what commands there are. What they do is loaded when one is run. */
import { createRequire } from 'node:module';
import type { Argument, Command } from 'commander';
import { version } from '../package-root.ts';
import { type Io, PLAIN, styleOf } from './io.ts';

/** CommonJS: as an ES module Node would read it twice, once for the names of its exports. */
const commander = createRequire(import.meta.url)('commander') as typeof import('commander');

/** A command, once run, leaves its exit status here. */
export interface Run {
  readonly io: Io;
  status: number;
}

interface Entry {
  /** In the list of --help. */
  readonly does: string;
  /** Its arguments. */
  readonly takes: Readonly<Record<string, string>>;
  /** Gives it its options and what it does. */
  readonly load: () => Promise<(command: Command, run: Run) => void>;
}

const FILES = 'files; - is stdin';
const NAME = 'its name; - and _ are the same';

/** In the order in which --help lists them. */
const commands: Readonly<Record<string, Entry>> = {
  analyze: {
    does: 'the bugs in one or more captures of one boot',
    takes: { '[capture...]': FILES },
    load: async () => (await import('./commands/analyze.ts')).registerAnalyze,
  },
  report: {
    does: 'one HTML file: the verdict, each finding as a story, each module over time',
    takes: { '[capture...]': FILES },
    load: async () => (await import('./commands/report.ts')).registerReport,
  },
  tail: {
    does: 'the same while it happens: a growing file, a pipe',
    takes: {
      '[source]': 'a file that grows, a FIFO; - is stdin',
      '[args...]': 'after --, options of the program that --exec names',
    },
    load: async () => (await import('./commands/tail.ts')).registerTail,
  },
  holders: {
    does: 'who holds a module: call site, task, since when',
    takes: { '<module>': NAME, '[capture...]': FILES },
    load: async () => (await import('./commands/holders.ts')).registerHolders,
  },
  'why-busy': {
    does: 'why rmmod is refused or stuck, and what to do',
    takes: { '<module>': NAME, '[capture...]': FILES },
    load: async () => (await import('./commands/why-busy.ts')).registerWhyBusy,
  },
  balance: {
    does: 'references taken and given back, most still held first',
    takes: { '[capture...]': FILES },
    load: async () => (await import('./commands/balance.ts')).registerBalance,
  },
  query: {
    does: 'ask a store or capture a named question, or SQL',
    takes: {
      '[name]': 'a named question; without one they are listed',
      '[capture...]': 'a store that analyze --db kept, or captures; - is stdin',
    },
    load: async () => (await import('./commands/query.ts')).registerQuery,
  },
  diff: {
    does: 'two runs compared: findings that are new, fixed and unchanged',
    takes: {
      '<a>': 'the run before: what analyze --json printed, a store or a capture',
      '<b>': 'the run after, likewise',
    },
    load: async () => (await import('./commands/diff.ts')).registerDiff,
  },
  export: {
    does: 'a capture for other programs: Perfetto, a spreadsheet, a data frame',
    takes: { '[capture...]': 'files, or a store that analyze --db kept; - is stdin' },
    load: async () => (await import('./commands/export.ts')).registerExport,
  },
  capture: {
    does: 'record on this machine, as root, until COMMAND ends or ^C',
    takes: { '[command...]': 'after --; run while the kernel is recorded' },
    load: async () => (await import('./commands/capture.ts')).registerCapture,
  },
  doctor: {
    does: 'which rules this machine can decide, as root, or a capture',
    takes: { '[capture...]': 'files or capture directories; none: this machine' },
    load: async () => (await import('./commands/doctor.ts')).registerDoctor,
  },
  ci: {
    does: 'record while COMMAND runs, as root; a short verdict, a status',
    takes: { '<command...>': 'after --' },
    load: async () => (await import('./commands/ci.ts')).registerCi,
  },
  explain: {
    does: 'a rule: what it flags, its story, its fix',
    takes: { '[rule]': 'without one they are listed' },
    load: async () => (await import('./commands/explain.ts')).registerExplain,
  },
  schema: {
    does: 'JSON Schema of what analyze, tail or diff prints as JSON',
    takes: { '[document]': 'what analyze, tail (a line of it) or diff prints, or --suppress reads' },
    load: async () => (await import('./commands/schema.ts')).registerSchema,
  },
  completion: {
    does: 'completion script for bash, zsh or fish',
    takes: { '<shell>': 'bash, zsh or fish' },
    load: async () => (await import('./commands/completion.ts')).registerCompletion,
  },
  man: {
    does: 'the manual page',
    takes: {},
    load: async () => (await import('./commands/man.ts')).registerMan,
  },
};

/** A command that will be run is all there is: all of them take longer than most answers. Where it is not known, the
 *  others are there by name; `completion` and `man` speak of all. */
async function createProgram(run: Run, argv: readonly string[]): Promise<Command> {
  const { io } = run;
  const program = new commander.Command('modlife')
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
  const [first = ''] = argv;
  const speaksOfAll = first === 'completion' || first === 'man';
  const names = Object.hasOwn(commands, first) && !speaksOfAll ? [first] : Object.keys(commands);
  await Promise.all(
    names.map(async (name) => {
      const { does, takes, load } = commands[name]!;
      const command = program.command(name).description(does);
      for (const [argument, help] of Object.entries(takes)) command.argument(argument, help);
      // `help NAME`, or an option before the name.
      if (speaksOfAll || argv.includes(name)) (await load())(command, run);
    }),
  );
  program.addHelpText(
    'after',
    `
A CAPTURE is what tracefs, trace-cmd report, perf script or bpftrace printed, or
a store that \`analyze --db\` kept; - is stdin. Each command has its own --help.

Exit status: 0 nothing found, 1 findings, 2 could not do it,
3 nothing found, which proves nothing: no rule could be asked, or damage.`,
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
    const program = await createProgram(run, argv);
    await program.parseAsync([...argv], { from: 'user' });
    return run.status;
  } catch (error) {
    // Help and --version end this way, too; help that was not asked for is an error of usage.
    if (error instanceof commander.CommanderError && error.exitCode === 0) return 0;
    const { describeError, describeUsage, EXIT } = await import('./exit.ts');
    if (error instanceof commander.CommanderError) {
      io.stderr.write(describeUsage(error, argv[0]));
      return EXIT.cannot;
    }
    const { text, status } = describeError(error);
    io.stderr.write(text);
    return status;
  }
}
