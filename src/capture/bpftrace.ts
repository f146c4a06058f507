/**
 * Recording with our bpftrace program, through collectors/bpftrace/record.sh, which fits it to this machine. It sees
 * the life of modules and the functions it is given when it starts; what comes later it cannot probe.
 */
import { spawn } from 'node:child_process';
import { UserError } from '../model/errors.ts';
import type { Missing, Plan, PlannedProbe } from '../model/manifest.ts';
import type { Kernel } from './kernel.ts';
import type { Refused, Session } from './session.ts';
import { functionsIn, type Survey } from './survey.ts';

/** bpftrace's `nsecs`. */
const CLOCK = 'boot';
/** The first record of the program, when all its probes are attached. */
const BEGIN = ' begin stext=';
/** Of what it says on stderr. */
const SAID = 1 << 14;

export function bpftracePlan(kernel: Kernel, { tracefs }: Survey, modules: readonly string[]): Plan {
  const listed = kernel.read(`${tracefs}/available_filter_functions`) ?? '';
  const functions = modules.flatMap((module) => functionsIn(listed, module).map((fn) => ({ module, fn })));
  const shared = sharedNames(kernel.read('/proc/kallsyms') ?? '', new Set(functions.map(({ fn }) => fn)));
  const probes = functions
    .filter(({ fn }) => !shared.has(fn))
    .flatMap(({ module, fn }): PlannedProbe[] => [
      { name: fn, at: 'entry', fn, module, args: [] },
      { name: fn, at: 'return', fn, module, args: [] },
    ]);
  const absent = modules.filter((module) => !probes.some((probe) => probe.module === module));
  return {
    clock: CLOCK,
    events: [],
    probes,
    watched: [...modules],
    missing: [
      {
        what: 'timers, work items, wakeups and waits',
        because: 'the bpftrace program does not record them',
        advice: '--backend tracefs',
        rules: [],
        weakens: ['text-in-use', 'release-after-exit'],
      },
      ...[...shared].map(
        (fn): Missing => ({
          what: `${fn}()`,
          because: 'several functions have that name',
          advice: '--backend tracefs',
          rules: [],
          weakens: ['text-in-use'],
        }),
      ),
      ...(modules.length > 0 && absent.length === 0
        ? []
        : [
            {
              what:
                absent.length === 0 ? 'the functions of a module' : `the functions of ${absent.join(', ')}`,
              because:
                absent.length === 0
                  ? 'no module was named'
                  : 'bpftrace probes what is loaded when it starts, and this is not',
              advice: absent.length === 0 ? '--module NAME' : 'load it first, or --backend tracefs',
              rules: ['release-after-exit', 'free-in-interrupt'] as const,
              weakens: ['text-in-use', 'early-put'] as const,
            },
          ].map((own) => ({ ...own, rules: [...own.rules], weakens: [...own.weakens] }))),
    ],
  };
}

/** Names that several functions have: one that cannot be attached makes bpftrace refuse the whole program. */
function sharedNames(symbols: string, names: ReadonlySet<string>): Set<string> {
  const once = new Set<string>();
  const more = new Set<string>();
  for (const [, name = ''] of symbols.matchAll(/ [tT] (\S+)/g)) {
    if (!names.has(name)) continue;
    if (once.has(name)) more.add(name);
    once.add(name);
  }
  return more;
}

/** @param script where record.sh lies */
export function openBpftrace(script: string, plan: Plan): Session {
  const functions = [...new Set(plan.probes.map(({ fn }) => fn))];
  // A group of its own: ^C is ours to hear.
  const child = spawn('sh', [script, '-f', 'json', ...functions], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const refused: Refused[] = [];
  let said = '';
  let stopped = false;
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (said.length < SAID) said += text.slice(0, SAID - said.length);
    for (const [, what] of text.matchAll(/^record\.sh: this kernel has no (.+)$/gm))
      refused.push({ what: what!, because: 'this kernel has no such probe' });
  });
  let begun: () => void = () => {};
  let failed: (error: unknown) => void = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    begun = resolve;
    failed = reject;
  });
  ready.catch(() => {});
  const closed = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => {
      if (stopped) resolve();
      else reject(endedEarly(said, signal ?? `status ${status}`));
    });
  });
  closed.catch(failed);

  return {
    file: 'bpftrace.json',
    ready,
    refused,
    traceable: () => [],
    probe: () => [],
    async stream(onText) {
      let head = '';
      child.stdout.on('data', (text: Buffer) => {
        onText(text);
        if (head === BEGIN) return;
        // The record may come in two pieces.
        head = head.slice(-BEGIN.length) + text.toString('latin1');
        if (!head.includes(BEGIN)) return;
        head = BEGIN;
        begun();
      });
      await closed;
    },
    stop() {
      stopped = true;
      child.kill('SIGTERM');
    },
    // It tells its own losses in the stream.
    lost: () => [],
    missed: () => [],
    remove() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
      return undefined;
    },
  };
}

function endedEarly(said: string, how: string): UserError {
  const last = said.trimEnd().split('\n').at(-1) ?? '';
  return new UserError(
    'noinput',
    last === '' ? `bpftrace ended with ${how}` : last.replace('record.sh', 'bpftrace'),
    '--backend tracefs',
  );
}
