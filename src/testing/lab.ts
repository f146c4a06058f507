/** The lab of samples/lab: real kernels that run one small buggy module after the other. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../package-root.ts';

/** `samples/lab/guest/record-*.sh`. */
export type Recorder =
  | 'tracefs'
  | 'readme'
  | 'capture'
  | 'bpftrace'
  | 'trace-cmd'
  | 'leftovers'
  | 'leftovers-trace-cmd'
  | 'ci'
  | 'live';

/** The exit status of a tool that is not to blame: something is not installed, or not to be had. */
const CANNOT = 2;

/** Of `run`, when the guest had to be ended. */
const HUNG = 1;

/** Why there can be no guest here; nothing when it is ready. A lab that is broken throws. */
export function buildGuest(kernel: string): string | undefined {
  const { status, stderr } = tool('build', [kernel]);
  if (status === 0) return undefined;
  if (status === CANNOT) return stderr.trim().split('\n').at(-1);
  throw new Error(`samples/lab/build ${kernel} ended with ${status}:\n${stderr}`);
}

/** What one boot left behind. */
export interface Boot {
  /** The folder of a job. */
  folder(job: string): string;
  /** What to give to `analyze` for it. */
  captures(job: string): string[];
  /** Why the recorder could not run. */
  skipped(job: string): string | undefined;
  remove(): void;
}

/** A guest may crash or hang for reasons of its own. */
const BOOTS = 3;

/** On a machine so slow that they take longer, jobs that have not begun by then are skipped. */
const LONGEST_MS = 50 * 60_000;
const began = performance.now();
const isTimeOver = () => performance.now() - began > LONGEST_MS;

/**
 * Jobs are `scenario` or `scenario:variant`; they run one after the other. Those that a guest did not come to are run
 * in another.
 * @param crashes the guest is not to survive the job, so to have begun it is enough
 */
export function boot(kernel: string, recorder: Recorder, jobs: readonly string[], crashes = false): Boot {
  const out = mkdtempSync(join(tmpdir(), 'modlife-test-lab-'));
  const folder = (job: string) => join(out, job.replace(':', '-'));
  const console = join(out, 'console.txt');
  const isDone = (job: string) => {
    const files = crashes ? ['capture/manifest.json', 'trace.txt', 'skipped'] : ['dmesg.txt'];
    return files.some((file) => existsSync(join(folder(job), file)));
  };
  let left = jobs;
  for (let boots = 0; left.length > 0 && boots < BOOTS && !isTimeOver(); boots++) {
    if (boots > 0) globalThis.console.warn(`the guest did not come to ${left[0]}:\n${lastLines(console)}`);
    const { status, stderr } = tool('run', [kernel, '-r', recorder, '-o', out, ...left]);
    if (status !== 0 && status !== HUNG)
      throw new Error(`samples/lab/run ended with ${status}:\n${stderr}\n${lastLines(console)}`);
    left = left.filter((job) => !isDone(job));
  }
  return {
    folder,
    captures(job) {
      const whole = join(folder(job), 'capture');
      const dmesg = join(folder(job), 'dmesg.txt');
      // A job that crashes its guest comes to no dmesg; the console has what the kernel said last.
      if (!existsSync(dmesg)) return [existsSync(whole) ? whole : join(folder(job), 'trace.txt'), console];
      if (existsSync(whole)) return [whole];
      return [join(folder(job), 'trace.txt'), ...(statSync(dmesg).size === 0 ? [] : [dmesg])];
    },
    skipped(job) {
      const reason = join(folder(job), 'skipped');
      if (existsSync(reason)) return readFileSync(reason, 'utf8').trim();
      return left.includes(job) && isTimeOver() ? 'this machine is too slow: no time is left' : undefined;
    },
    remove: () => rmSync(out, { recursive: true }),
  };
}

function tool(name: string, args: readonly string[]) {
  return spawnSync(join(packageRoot(), 'samples/lab', name), args, { encoding: 'utf8' });
}

function lastLines(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(-30).join('\n') : '';
}
