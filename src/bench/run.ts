/** Whole processes, and what they cost. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type Spread, spreadOf } from './statistics.ts';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  /** Quick ones are run so often for one measurement: the kernel counts in hundredths of a second. */
  readonly times?: number;
  /** Seconds after which it is stopped; without, it is waited for. */
  readonly patience?: number;
}

export interface Cost {
  /** Seconds, user and system, of the process and its children. */
  readonly cpu: number;
  /** Bytes that were resident at most. */
  readonly peak: number;
  /** Whether it took longer than there was patience for. */
  readonly stopped: boolean;
}

export interface Pair {
  /** Of the first one's CPU to the second one's, each pair by itself. */
  readonly ratio: Spread;
  readonly first: Spread;
  readonly second: Spread;
}

/** sysconf(_SC_CLK_TCK), which Linux promises to programs whatever its own tick is. */
const TICKS = 100;
const LOOK_MS = 5;

/** Statuses of modlife that say it did its job: nothing found, findings, a damaged capture. */
const DONE = [0, 1, 3];

/** One at a time: CPU is told of all children together.
 *  @throws Error when it cannot be started, or fails */
export async function run(command: Command): Promise<Cost> {
  const { times = 1 } = command;
  const before = childrenCpu();
  let peak = 0;
  let stopped = false;
  for (let i = 0; i < times && !stopped; i++) {
    const one = await once(command);
    peak = Math.max(peak, one.peak);
    stopped = one.stopped;
  }
  return { cpu: (childrenCpu() - before) / times, peak, stopped };
}

/** In turn, so that what else the machine does meets both alike. */
export async function runPaired(first: Command, second: Command, rounds: number): Promise<Pair> {
  const a: number[] = [];
  const b: number[] = [];
  for (let round = 0; round < rounds; round++) {
    a.push((await run(first)).cpu);
    b.push((await run(second)).cpu);
  }
  return {
    ratio: spreadOf(a.map((cpu, round) => cpu / Math.max(b[round]!, 1 / TICKS))),
    first: spreadOf(a),
    second: spreadOf(b),
  };
}

/** What a program writes to stdout. */
export async function outputOf({ file, args }: Command): Promise<string> {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await ended(child, file);
  return text;
}

/** Runs it with stdout into a file. */
export async function runInto(path: string, { file, args }: Command): Promise<void> {
  const out = openSync(path, 'w');
  try {
    await ended(spawn(file, args, { stdio: ['ignore', out, 'ignore'] }), file);
  } finally {
    closeSync(out);
  }
}

async function once({ file, args, patience = 0 }: Command): Promise<Omit<Cost, 'cpu'>> {
  const child = spawn(file, args, { stdio: 'ignore', timeout: patience * 1000, killSignal: 'SIGKILL' });
  let peak = 0;
  const look = setInterval(() => {
    peak = Math.max(peak, residentPeak(child.pid));
  }, LOOK_MS);
  try {
    await ended(child, `${file} ${args.join(' ')}`);
  } catch (error) {
    if (patience === 0 || child.signalCode !== 'SIGKILL') throw error;
    return { peak, stopped: true };
  } finally {
    clearInterval(look);
  }
  return { peak, stopped: false };
}

function ended(child: ReturnType<typeof spawn>, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (status !== null && DONE.includes(status)) resolve();
      else reject(new Error(`${what}: ended with ${status ?? child.signalCode}`));
    });
  });
}

/** Seconds that the children which have ended took, and theirs: proc_pid_stat(5), cutime and cstime. */
function childrenCpu(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / TICKS;
}

/** Seconds that a running process has taken. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function residentPeak(pid: number | undefined): number {
  try {
    const kib = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return Number(kib ?? 0) * 1024;
  } catch {
    // It has just ended.
    return 0;
  }
}
