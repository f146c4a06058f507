/** P9: following a file that grows. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Bench, missing, type Row } from '../bench.ts';
import { type Command, cpuOf } from '../run.ts';
import { type Spread, spreadOf } from '../statistics.ts';
import { createTraceText, type TraceText } from '../trace-text.ts';

/** Findings waited for, after some that warm it up. */
const WARM_UP = 30;
const MEASURED = 100;
const APART_MS = 25;
const LONGEST_MS = 10_000;
/** How often a writer adds to the file: as trace_pipe does, many events at a time. */
const WRITE_MS = 5;
const FAST = 200_000;
const SLOW = 5_000;
const SECONDS = 5;
const SETTLED = 20;
/** As much as is poured at most: begun again, its clock would go back. */
const POURED = FAST * SECONDS;

/** A finding that is certain when its last line is read: an unload refused because somebody holds the module. */
const TASK = { comm: 'holder', pid: 1000 };
const RMMOD = { comm: 'rmmod', pid: 1001 };

interface Follower {
  /** Milliseconds until it has told of what `lines` says. */
  told(lines: () => void): Promise<number>;
  readonly process: ChildProcess;
  end(): Promise<void>;
}

export async function following(bench: Bench): Promise<Row[]> {
  const path = join(bench.folder, 'growing.txt');
  const modlife = bench.modlife('tail', '--json', path);
  const reader = bench.peers.reader;
  const ours = await latencies(path, modlife, '"finding"');
  const native =
    reader === undefined
      ? undefined
      : await latencies(path, { file: reader, args: ['--follow', path] }, 'refused');
  const p50 = {
    bar: 'P9',
    compared: 'a line written to its finding printed, p50',
    size: `${MEASURED} findings`,
    measured: ours,
    unit: 'ms',
    limit: 5,
    wanted: 'at most',
  } as const;
  return [
    {
      ...p50,
      note: native === undefined ? 'no cc here' : `C reader: ${native.median.toFixed(2)} ms`,
    },
    native === undefined
      ? missing({ ...p50, compared: 'the same, beyond the C reader' }, 'cc')
      : {
          ...p50,
          compared: 'the same, beyond the C reader',
          measured: spreadOf([ours.median - native.median]),
        },
    await keepsUp(bench, path, modlife),
    await share(bench, path, modlife),
  ];
}

async function latencies(path: string, command: Command, word: string): Promise<Spread> {
  const file = openSync(path, 'w');
  const trace = createTraceText((text) => writeSync(file, text));
  const write = (fill: (trace: TraceText) => void) => {
    trace.pass(1e6);
    fill(trace);
    trace.flush();
  };
  const follower = follow(command, word);
  const times: number[] = [];
  try {
    for (let i = 0; i < WARM_UP + MEASURED; i++) {
      await sleep(APART_MS);
      write((text) => {
        text.record(TASK, '...1.', `module_get: held_${i} call_site=misc_open refcnt=2`);
        text.record(RMMOD, '...1.', 'sys_delete_module(name_user: 56392e56d808, flags: 800)');
      });
      await sleep(APART_MS);
      const time = await follower.told(() =>
        write((text) => text.record(RMMOD, '...1.', 'sys_delete_module -> 0xfffffffffffffff5')),
      );
      if (i >= WARM_UP) times.push(time);
      write((text) => text.record(TASK, '...1.', `module_put: held_${i} call_site=__fput refcnt=1`));
    }
  } finally {
    await follower.end();
    closeSync(file);
  }
  return spreadOf(times);
}

/** How far behind it is when the writer ends. */
async function keepsUp(bench: Bench, path: string, command: Command): Promise<Row> {
  const behind: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    await pouring(bench, path, command, FAST, async (pour, follower, refuse) => {
      await pour(SECONDS);
      behind.push(await follower.told(refuse));
    });
  }
  return {
    bar: 'P9',
    compared: `behind after ${SECONDS} s of ${FAST / 1000} k events/s`,
    size: 'all ours',
    measured: spreadOf(behind),
    unit: 'ms',
    // One in twenty of the events.
    limit: SECONDS * 50,
    wanted: 'at most',
  };
}

async function share(bench: Bench, path: string, command: Command): Promise<Row> {
  const shares: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    await pouring(bench, path, command, SLOW, async (pour, follower) => {
      // What is compiled while it starts is no part of what it takes.
      await pour(SETTLED);
      const { pid } = follower.process;
      const [cpu, wall] = [cpuOf(pid!), performance.now()];
      await pour(2 * SECONDS);
      shares.push((100 * (cpuOf(pid!) - cpu)) / ((performance.now() - wall) / 1000));
    });
  }
  return {
    bar: 'P9',
    compared: `of a core at ${SLOW / 1000} k events/s, from ${SETTLED} s on`,
    size: 'all ours',
    measured: spreadOf(shares),
    unit: '%',
    limit: 3,
    wanted: 'at most',
  };
}

/** Follows a file into which a capture of module events is poured at some rate. */
async function pouring(
  bench: Bench,
  path: string,
  command: Command,
  rate: number,
  measure: (
    pour: (seconds: number) => Promise<void>,
    follower: Follower,
    refuse: () => void,
  ) => Promise<void>,
): Promise<void> {
  const bytes = readFileSync(bench.capture('ours', POURED));
  const perSecond = (rate * bytes.length) / POURED;
  writeFileSync(path, '');
  const file = openSync(path, 'a');
  const follower = follow(command, '"refused"');
  let at = 0;
  const add = (more: number) => {
    writeSync(file, bytes, at, Math.min(more, bytes.length - at));
    at += more;
  };
  try {
    await measure(
      async (seconds) => {
        const start = performance.now();
        for (let written = 0; ; ) {
          const due = Math.floor((perSecond * Math.min(seconds * 1000, performance.now() - start)) / 1000);
          add(due - written);
          written = due;
          if (performance.now() - start >= seconds * 1000) return;
          await sleep(WRITE_MS);
        }
      },
      follower,
      () => {
        const trace = createTraceText((text) => writeSync(file, text));
        writeSync(file, '\n');
        trace.pass(1e12);
        trace.record(RMMOD, '...1.', 'sys_delete_module(name_user: 56392e56d808, flags: 800)');
        trace.record(RMMOD, '...1.', 'sys_delete_module -> 0xfffffffffffffff5');
        trace.flush();
      },
    );
  } finally {
    await follower.end();
    closeSync(file);
  }
}

function follow({ file, args }: Command, word: string): Follower {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  let seen: (() => void) | undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes(word)) seen?.();
  });
  return {
    process: child,
    async told(lines) {
      const start = performance.now();
      const time = new Promise<number>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${file}: told nothing`)), LONGEST_MS);
        seen = () => {
          clearTimeout(late);
          resolve(performance.now() - start);
        };
      });
      lines();
      return time;
    },
    async end() {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await closed;
    },
  };
}
