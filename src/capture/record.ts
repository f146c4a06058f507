/** One recording, from the first probe to the last file. */
import type { Backend } from '../model/backend.ts';
import { UserError } from '../model/errors.ts';
import { MANIFEST, type Manifest, type Plan } from '../model/manifest.ts';
import { type CaptureDirectory, createDirectory, KERNEL_LOG, nowhere } from './directory.ts';
import type { Kernel } from './kernel.ts';
import { openKernelLog } from './kernel-log.ts';
import { watchModules } from './module-watch.ts';
import { type Ended, type Running, runCommand } from './run-command.ts';
import type { Session } from './session.ts';
import type { Survey } from './survey.ts';

export interface RecordOptions {
  /** Made, or one that is there; absent: nothing is kept. */
  readonly directory?: string | CaptureDirectory | undefined;
  readonly backend: Backend;
  /** Begins to record, once nothing can stop us from ending it. */
  readonly open: () => Session;
  /** Recorded while it runs; otherwise until `seconds` are over or somebody says stop. */
  readonly command?: readonly string[] | undefined;
  readonly seconds?: number | undefined;
  /** Ends it, as a signal does. */
  readonly until?: Promise<void> | undefined;
  /** Of modlife. */
  readonly version: string;
  /** Each piece of the stream, as it comes. */
  readonly onText?: ((text: Buffer) => void) | undefined;
  /** The same of the kernel's log, a moment later. */
  readonly onLog?: ((text: Buffer) => void) | undefined;
  /** All is set up, and what happens from now on is recorded.
   *  @param refresh gives the directory what is known by now, for it is to be read before the end */
  readonly onReady?: ((refresh: () => void) => void) | undefined;
}

export interface Recorded {
  readonly manifest: Manifest;
  /** Why something of ours is still in tracefs. */
  readonly left: string | undefined;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What the command did last is mostly over by then. */
const LINGER_MS = 500;
/** A crash costs what came since. */
const FLUSH_MS = 200;

/** @throws UserError where nothing can be recorded, or the command cannot be started */
export async function record(
  kernel: Kernel,
  survey: Survey,
  plan: Plan,
  {
    directory: where,
    backend,
    open,
    command,
    seconds,
    until: told,
    version,
    onText,
    onLog,
    onReady,
  }: RecordOptions,
): Promise<Recorded> {
  const directory = typeof where === 'string' ? createDirectory(where) : (where ?? nowhere);
  // Before the first probe is set: what ends us from now on must not leave it behind.
  const stop = stopper();
  const session = open();
  const watch = watchModules(kernel, survey, plan, session, directory);
  const trace = session.isWriter === true ? undefined : directory.append(session.file);
  const log = openKernelLog(kernel);
  const logFile = log === undefined ? undefined : directory.append(KERNEL_LOG);

  const manifest: Manifest = {
    schema: MANIFEST,
    tool: { name: 'modlife', version },
    state: 'recording',
    backend,
    kernel: { release: survey.release, machine: survey.machine, cpus: survey.cpus },
    clock: plan.clock,
    begin: now(),
    end: null,
    command: command === undefined ? null : { argv: [...command], status: null, signal: null },
    streams: [session.file],
    kernelLog: logFile === undefined ? null : KERNEL_LOG,
    symbols: [],
    plan,
    notProbed: [],
    lost: [],
    missed: [],
  };
  const flush = () => {
    const said = log?.read() ?? '';
    if (said !== '') {
      const bytes = Buffer.from(said, 'latin1');
      logFile?.write(bytes);
      onLog?.(bytes);
    }
    trace?.flush();
    logFile?.flush();
  };
  /** So many probes and snapshots are in the manifest. */
  let described = plan.probes.length;
  /** What is known by now. */
  const describe = (state: Manifest['state']) => {
    described = watch.files.length + plan.probes.length;
    manifest.state = state;
    manifest.symbols = [...watch.files];
    manifest.notProbed = [...session.refused, ...watch.notProbed];
    manifest.lost = session.lost().map((own) => ({ told: watch.told.get(own.cpu) ?? 0, ...own }));
    manifest.missed = session.missed();
    directory.manifest(manifest);
  };
  /** What went wrong beside the recording itself: the disk is full, the kernel ended the stream. */
  let trouble: unknown;
  let fail: (error: unknown) => void = () => {};
  const failed = new Promise<void>((resolve) => {
    fail = (error) => {
      trouble ??= error;
      resolve();
    };
  });
  const timer = setInterval(() => {
    try {
      flush();
      if (watch.files.length + plan.probes.length > described) describe('recording');
    } catch (error) {
      fail(error);
    }
  }, FLUSH_MS);

  let running: Running | undefined;
  let ended: Ended | undefined;
  let streamed: Promise<void> | undefined;
  let state: Manifest['state'] = 'failed';
  let left: string | undefined;
  try {
    directory.put('modules-before.txt', kernel.read('/proc/modules') ?? '');
    directory.manifest(manifest);
    streamed = session.stream((text) => {
      trace?.write(text);
      watch.read(text);
      onText?.(text);
    });
    streamed.catch(fail);
    await session.ready;
    manifest.begin = now();
    await watch.begin();
    onReady?.(() => {
      flush();
      describe('recording');
    });
    if (command !== undefined) running = await runCommand(command);
    stop.forward = running;
    const asked = Promise.race([stop.asked, failed, ...(told === undefined ? [] : [told])]);
    ended = await until(running, asked, failed, seconds);
    if (manifest.command !== null && ended !== undefined) {
      manifest.command = { ...manifest.command, ...ended };
    }
    if (trouble !== undefined) throw cannotGoOn(typeof where === 'string' ? where : 'what happens', trouble);
    state = 'complete';
  } finally {
    clearInterval(timer);
    manifest.end = now();
    session.stop();
    try {
      await streamed?.catch(fail);
      await watch.end();
      flush();
      describe(state);
      directory.put('modules-after.txt', kernel.read('/proc/modules') ?? '');
    } finally {
      left = session.remove();
      trace?.close();
      log?.close();
      logFile?.close();
      stop.off();
    }
  }
  return { manifest, left };
}

function cannotGoOn(path: string, trouble: unknown): unknown {
  const code = trouble instanceof UserError ? undefined : (trouble as NodeJS.ErrnoException).code;
  return code === undefined ? trouble : new UserError('cannot-write', `recording to ${path} failed: ${code}`);
}

/** CLOCK_MONOTONIC, which is trace_clock mono. */
function now(): number {
  return Number(process.hrtime.bigint());
}

interface Stopper {
  /** Resolves at the first signal. */
  readonly asked: Promise<void>;
  /** Who else is to hear of it. */
  forward: Running | undefined;
  off(): void;
}

function stopper(): Stopper {
  let tell: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const handle = (signal: NodeJS.Signals) => {
    // A terminal sends ^C to the command as well.
    if (signal !== 'SIGINT' || process.stdin.isTTY !== true) stopper.forward?.kill(signal);
    tell();
  };
  for (const signal of SIGNALS) process.on(signal, handle);
  const stopper: Stopper = {
    asked,
    forward: undefined,
    off() {
      for (const signal of SIGNALS) process.off(signal, handle);
    },
  };
  return stopper;
}

/** Until the command ends, the time is over or somebody says stop, whichever is first. */
async function until(
  running: Running | undefined,
  asked: Promise<void>,
  failed: Promise<void>,
  seconds: number | undefined,
): Promise<Ended | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<'over'>((resolve) => {
    if (seconds !== undefined) timer = setTimeout(() => resolve('over'), seconds * 1000);
  });
  // Without a command, a timer or a signal handler that keeps it, the process would end here.
  const alive = setInterval(() => {}, 1 << 30);
  try {
    if (running === undefined) {
      await Promise.race([asked, over]);
      return undefined;
    }
    const first = await Promise.race([running.ended, over, failed]);
    if (first === 'over' || first === undefined) running.kill('SIGTERM');
    const ended = await running.ended;
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, LINGER_MS))]);
    return ended;
  } finally {
    clearTimeout(timer);
    clearInterval(alive);
  }
}
