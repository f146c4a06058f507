/** Recording, as the commands that record share it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bpftracePlan, openBpftrace } from '../capture/bpftrace.ts';
import type { CaptureDirectory } from '../capture/directory.ts';
import { cleanUp } from '../capture/instance.ts';
import { createKernel, type Kernel } from '../capture/kernel.ts';
import { makePlan } from '../capture/plan.ts';
import { type Recorded, record } from '../capture/record.ts';
import type { Session } from '../capture/session.ts';
import { findTracefs, type Survey, survey } from '../capture/survey.ts';
import { openTraceCmd } from '../capture/trace-cmd.ts';
import { openTracefs } from '../capture/tracefs.ts';
import type { Backend } from '../model/backend.ts';
import { UserError } from '../model/errors.ts';
import type { Manifest, Plan } from '../model/manifest.ts';
import { packageRoot, version } from '../package-root.ts';
import { plural } from '../report/layout.ts';
import { printable } from '../report/printable.ts';
import type { Io } from './io.ts';

interface Options {
  readonly module?: readonly string[];
  readonly backend?: Backend;
  readonly bufferSize?: number | undefined;
  readonly output?: string;
  readonly for?: number;
  readonly json?: boolean;
}

export function lookAtKernel(): { kernel: Kernel; found: Survey } {
  const kernel = createKernel();
  return { kernel, found: survey(kernel) };
}

export async function showPlan(modules: readonly string[], options: Options, io: Io): Promise<void> {
  const { kernel, found } = lookAtKernel();
  const { print } = await import('./print.ts');
  const plan = planFor(kernel, found, modules, options);
  await print({ type: 'plan', kernel: found.release, plan }, options, io);
}

function planFor(
  kernel: Kernel,
  found: Survey,
  modules: readonly string[],
  { backend, bufferSize }: Pick<Options, 'backend' | 'bufferSize'>,
): Plan {
  if (backend !== 'bpftrace') return makePlan(found, modules, bufferSize);
  if (bufferSize === undefined) return bpftracePlan(kernel, found, modules);
  throw new UserError('usage', 'bpftrace has no such buffer', 'BPFTRACE_PERF_RB_PAGES in its environment');
}

export async function capture(command: readonly string[], options: Options, io: Io): Promise<void> {
  const directory = options.output ?? `modlife-${stamp()}`;
  const until =
    command.length > 0 ? '' : options.for === undefined ? ', ^C ends it' : `, for ${options.for} s`;
  const { manifest, left } = await recordHere(directory, command, {
    ...options,
    onReady: () => io.stderr.write(`modlife: recording to ${printable(directory)}${until}\n`),
  });
  for (const line of summary(manifest)) io.stderr.write(`modlife: ${printable(line)}\n`);
  if (left !== undefined) {
    io.stderr.write(`modlife: not all could be taken out of tracefs: ${left} (modlife capture --cleanup)\n`);
  }
  io.stderr.write(`modlife: modlife analyze ${printable(directory)}\n`);
}

interface Recording extends Pick<Options, 'module' | 'backend' | 'bufferSize' | 'for'> {
  readonly until?: Promise<void>;
  readonly onText?: (text: Buffer) => void;
  readonly onLog?: (text: Buffer) => void;
  readonly onReady?: (refresh: () => void) => void;
}

export async function recordHere(
  directory: string | CaptureDirectory | undefined,
  command: readonly string[],
  { module = [], backend = 'tracefs', bufferSize, for: seconds, until, onText, onLog, onReady }: Recording,
): Promise<Recorded> {
  const { kernel, found } = lookAtKernel();
  const plan = planFor(kernel, found, module, { backend, bufferSize });
  return record(kernel, found, plan, {
    directory,
    backend,
    open: () => openSession(backend, kernel, found, plan, directory),
    command: command.length === 0 ? undefined : command,
    seconds,
    until,
    version: version(),
    onText,
    onLog,
    onReady,
  });
}

function openSession(
  backend: Backend,
  kernel: Kernel,
  found: Survey,
  plan: Plan,
  directory: string | CaptureDirectory | undefined,
): Session {
  switch (backend) {
    case 'tracefs':
      return openTracefs(kernel, found, plan, process.pid);
    case 'bpftrace':
      return openBpftrace(join(packageRoot(), 'collectors/bpftrace/record.sh'), plan);
    case 'trace-cmd':
      if (typeof directory !== 'string')
        throw new UserError(
          'usage',
          'trace-cmd writes a file and shows nothing before its end',
          'modlife capture',
        );
      return openTraceCmd(kernel, found, plan, process.pid, directory);
  }
}

function summary({ command, lost, missed, notProbed, begin, end }: Manifest): string[] {
  const events = lost.reduce((sum, own) => sum + own.lost, 0);
  const returns = missed.reduce((sum, own) => sum + own.times, 0);
  return [
    `recorded ${(((end ?? begin) - begin) / 1e9).toFixed(1)} s, ${events === 0 ? 'no events lost' : `${plural(events, 'event')} lost (a larger --buffer-size helps)`}`,
    ...(returns === 0 ? [] : [`${plural(returns, 'call')} went unprobed: too many at a time`]),
    ...(command === null || (command.status === 0 && command.signal === null)
      ? []
      : [`${command.argv[0]} ended with ${command.signal ?? command.status}`]),
    ...(notProbed.length === 0
      ? []
      : [`${plural(notProbed.length, 'probe')} could not be set; manifest.json says why`]),
  ];
}

/** `20261120-132209` */
function stamp(): string {
  const [day = '', time = ''] = new Date().toISOString().split('T');
  return `${day.replaceAll('-', '')}-${time.slice(0, 8).replaceAll(':', '')}`;
}

export function cleanup(io: Io): void {
  const kernel = createKernel();
  const leftovers = cleanUp(kernel, findTracefs(kernel), isRecorder);
  for (const { what, because } of leftovers) {
    io.stdout.write(`${because === undefined ? 'removed' : `cannot remove (${because})`} ${what}\n`);
  }
  if (leftovers.length === 0) io.stdout.write('nothing was left behind\n');
}

/** A pid may have been given to somebody else since. */
function isRecorder(pid: number): boolean {
  try {
    return /modlife/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}
