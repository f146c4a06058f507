/**
 * Recording with trace-cmd, which leaves a trace.dat: the instance and its probes are ours, set as for tracefs alone,
 * and trace-cmd reads it.
 *
 * When it begins it clears the instance, so the plan is set after that. It tells by running a command, for as long as
 * which it records: one that ends when its stdin does, so that trace-cmd comes to its end whatever becomes of us.
 */
import { spawn } from 'node:child_process';
import { UserError } from '../model/errors.ts';
import type { Plan } from '../model/manifest.ts';
import { type Instance, openInstance } from './instance.ts';
import type { Kernel } from './kernel.ts';
import type { Session } from './session.ts';
import type { Survey } from './survey.ts';
import { openTracefs } from './tracefs.ts';

const FILE = 'trace.dat';
const READY = 'modlife is ready';
/** Should trace-cmd be killed, those of its processes that read would go on for ever. */
const COMMAND = `echo ${READY}; cat; kill -0 $PPID 2> /dev/null || kill -KILL -$PPID`;
/** Percent of a CPU's buffer that may wait to be written: a crash costs that. The kernel's default is half of it. */
const WAKE = '1';
/** Of what it says on stderr. */
const SAID = 1 << 14;
/** What trace-cmd reads nobody else can: the loads of modules are seen in an instance of their own. */
const LOADS = 'loads';
const LOADS_BUFFER = 64;
const LOAD = 'module/module_load';

/** @param directory where trace.dat is to be */
export function openTraceCmd(
  kernel: Kernel,
  found: Pick<Survey, 'tracefs' | 'events'>,
  plan: Plan,
  pid: number,
  directory: string,
): Session {
  const instance = openInstance(kernel, found, plan, pid);
  instance.set('buffer_percent', WAKE);
  // A group of its own: ^C is ours to hear.
  const child = spawn('trace-cmd', [...argumentsFor(plan, instance), 'sh', '-c', COMMAND], {
    cwd: directory,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  let loads: Session | undefined;
  let said = '';
  let stopped = false;
  child.stdin.on('error', () => {});
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < SAID) said += text.slice(0, SAID - said.length);
  });
  const closed = new Promise<void>((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => reject(cannotStart(error)));
    // Those of its processes that read do not end with it.
    child.once('exit', killAll);
    // All of them have let go of the instance.
    child.once('close', (status, signal) => {
      if (stopped && status === 0) resolve();
      else reject(endedEarly(said, signal ?? `status ${status}`));
    });
  });
  const ready = new Promise<void>((resolve, reject) => {
    let head = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (loads !== undefined) return;
      head = (head + text).slice(-SAID);
      if (!head.includes(READY)) return;
      try {
        instance.begin();
        const events = found.events.has(LOAD) ? [{ event: LOAD }] : [];
        const ofLoads = { clock: plan.clock, buffer: LOADS_BUFFER, events, probes: [] };
        loads = openTracefs(kernel, found, ofLoads, pid, LOADS);
        resolve();
      } catch (error) {
        reject(error);
      }
    });
    closed.catch(reject);
  });
  ready.catch(() => {});

  function killAll(): void {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // There are none.
    }
  }

  return {
    ...instance,
    file: FILE,
    isWriter: true,
    ready,

    async stream(onText) {
      await ready;
      const ends = await Promise.allSettled([
        loads!.stream(onText).catch((error) => {
          child.stdin.end();
          throw error;
        }),
        closed.finally(() => loads!.stop()),
      ]);
      for (const one of ends) if (one.status === 'rejected') throw one.reason;
    },

    stop() {
      stopped = true;
      child.stdin.end();
    },

    // Its pages and its last words tell of all of them.
    lost: () => instance.lost().map((own) => ({ ...own, told: own.lost })),

    remove() {
      if (child.exitCode === null && child.signalCode === null) killAll();
      return [instance.remove(), loads?.remove()].find((trouble) => trouble !== undefined);
    },
  };
}

/** Left to itself trace-cmd switches ftrace on for everybody (-d: not so), takes away what was set when it ends (-k), and
 *  filters its own tasks out. The file is to hold the formats of our events, but to enable them is ours (-v), and there are
 *  no probes yet (-i). */
function argumentsFor({ clock, events }: Plan, { name, group }: Instance): string[] {
  const formats = [...events.map(({ event }) => event.replace('/', ':')), group];
  const words = `record --quiet -o ${FILE} -B ${name} -C ${clock} -d -k --no-filter -i -v`.split(' ');
  return [...words, ...formats.flatMap((event) => ['-e', event])];
}

function cannotStart({ code }: NodeJS.ErrnoException): UserError {
  return new UserError(
    'noinput',
    code === 'ENOENT' ? 'there is no trace-cmd here' : `trace-cmd cannot be started: ${code}`,
    'install it, or --backend tracefs',
  );
}

function endedEarly(said: string, how: string): UserError {
  const last = said.trim().split('\n').at(-1)!.trim();
  return new UserError(
    'noinput',
    last === '' ? `trace-cmd ended with ${how}` : `trace-cmd: ${last}`,
    '--backend tracefs',
  );
}
