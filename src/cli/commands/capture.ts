import { type Command, InvalidArgumentError, type Option } from 'commander';
import { type Backend, backends } from '../../model/backend.ts';
import type { Run } from '../program.ts';

interface Options {
  module?: string[];
  output?: string;
  for?: number;
  backend: Backend;
  bufferSize?: number;
  plan?: boolean;
  cleanup?: boolean;
  json?: boolean;
}

export function registerCapture(command: Command, run: Run): void {
  command
    .option('-m, --module <name>', 'probe every function of this module; again for more', collect)
    .option('-o, --output <dir>', 'write there; a new folder (default: modlife-DATE)')
    .option('--for <time>', 'end after so long: 90s, 5m, 12h', timeSpan)
    .addOption(backendOption(command))
    .addOption(bufferOption(command))
    .option('--plan', 'show what would be recorded, and what cannot be; record nothing')
    .option('--cleanup', 'remove what a recorder left behind that was killed')
    .option('--json', 'the plan as JSON')
    .addHelpText(
      'after',
      `
Examples: modlife capture -m mydrv -o boot.capture -- rmmod mydrv
          modlife analyze boot.capture

Exit status: 0 recorded, whatever became of COMMAND; 2 could not do it.`,
    )
    .action(async (command: string[], options: Options) => {
      const { capture, cleanup, showPlan } = await import('../run-capture.ts');
      if (options.cleanup === true) return cleanup(run.io);
      if (options.plan === true) return showPlan(options.module ?? [], options, run.io);
      await capture(command, options, run.io);
    });
}

export function backendOption(command: Command): Option {
  return command.createOption('--backend <name>', 'what records').choices(backends).default('tracefs');
}

export function bufferOption(command: Command): Option {
  return command
    .createOption('--buffer-size <KiB>', 'of each CPU (default: 4096, less where there are many)')
    .argParser(kibibytes);
}

function kibibytes(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new InvalidArgumentError('expected KiB, a whole number');
  return Number(text);
}

export function collect(value: string, all: readonly string[] = []): string[] {
  // As the kernel spells it, whatever the file is called.
  const module = value.replaceAll('-', '_');
  if (!/^\w+$/.test(module)) throw new InvalidArgumentError('expected the name of a module');
  return [...all, module];
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `60`, `60s`, `5m`, `12h` or `7d`, in seconds. */
export function timeSpan(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)([smhd])?$/.exec(text) ?? [];
  const seconds = Number(number) * UNITS[unit]!;
  if (!(seconds > 0)) throw new InvalidArgumentError('expected a time, as 90s, 5m, 12h or 7d');
  return seconds;
}
