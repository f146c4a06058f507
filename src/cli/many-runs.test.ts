/**
 * What one run could hide: files, descriptors and memory that stay behind, run after run, and line after line of a
 * capture that is rotated away. A few here; ten thousand, and as much as an hour brings, in `npm run fuzz`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { TailLine } from '../model/tail-lines.ts';
import { tail } from '../tail/tail.ts';
import { PROGRAM } from '../testing/built-program.ts';
import { runCli } from '../testing/run-cli.ts';

const LONG = process.env.FUZZ_SECONDS !== undefined;
const RUNS = LONG ? 10_000 : 60;
const PROCESSES = LONG ? 300 : 4;
const LONGEST = LONG ? 3_600_000 : 60_000;

const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
const temporary = mkdtempSync(join(folder, 'tmp-'));
beforeAll(() => {
  vi.stubEnv('TMPDIR', temporary);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Each way to read, and each that needs a file of its own on the way. */
const commands: readonly (readonly string[])[] = [
  ['analyze', 'samples/tracefs/6.1-init-fails.txt'],
  ['analyze', 'samples/trace-cmd/3.1.6-report.txt'],
  ['analyze', 'samples/trace-dat/3.1.6-v7-zstd.dat'],
  ['analyze', 'samples/perf-script/6.1-ns.txt'],
  ['analyze', 'samples/bpftrace/6.1-fixed.txt'],
  ['analyze', 'samples/inside/6.1-get-leak-mail.txt'],
  ['analyze', 'samples/kernel-log/6.1-stuck-unload-dmesg.txt'],
  ['analyze', 'samples/lttng/invented-get-leak.txt'],
  ['analyze', 'README.md'],
  ['analyze', 'no such file'],
  ['analyze', '--db', join(folder, 'kept.db'), 'samples/tracefs/6.1-init-fails.txt'],
  ['analyze', join(folder, 'kept.db')],
  ['query', 'modules', 'samples/tracefs/6.1-init-fails.txt'],
  ['query', 'nonsense', 'samples/tracefs/6.1-init-fails.txt'],
  ['report', '-o', join(folder, 'report.html'), 'samples/tracefs/6.1-init-fails.txt'],
  ['export', '--to', 'ndjson', 'samples/tracefs/6.1-init-fails.txt'],
  ['analyze', 'samples/one-run/6.1-get-leak-perf.txt.xz'],
];

const descriptors = () => readdirSync('/proc/self/fd').length;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Of the heap, what is in use when nobody needs anything. */
async function inUse(): Promise<number> {
  for (let times = 0; times < 3; times++) {
    collect();
    await sleep(10);
  }
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}

test(
  'run after run in one process leaves no file, no descriptor and no memory',
  async () => {
    const runAll = async (times: number) => {
      for (let run = 0; run < times; run++) {
        const command = commands[run % commands.length]!;
        const { status, stderr } = await runCli(command);
        if (status > 2) throw new Error(`${command.join(' ')}: ${stderr}`);
      }
    };
    await runAll(commands.length * 2);
    const before = { files: readdirSync(folder).sort(), open: descriptors(), memory: await inUse() };
    await runAll(RUNS);
    expect(readdirSync(temporary)).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(before.files);
    const after = { open: descriptors(), memory: await inUse() };
    console.log(
      `${RUNS} runs, ${((after.memory - before.memory) / RUNS).toFixed(0)} bytes in use more for each`,
    );
    expect(after.open).toBeLessThanOrEqual(before.open);
    // Where nothing makes the collector run, nothing can be said; a leak would be that of what a run reads.
    expect((after.memory - before.memory) / RUNS).toBeLessThan(LONG ? 2000 : 100_000);
  },
  LONGEST,
);

test(
  'process after process leaves no file',
  async () => {
    for (let run = 0; run < PROCESSES; run++) {
      const child = spawn(process.execPath, [PROGRAM, ...commands[(run * 5) % commands.length]!], {
        stdio: 'ignore',
      });
      const [status] = await once(child, 'exit');
      expect(status).toBeLessThanOrEqual(2);
    }
    expect(readdirSync(temporary)).toEqual([]);
  },
  LONGEST,
);

test(
  'an hour of rotated capture is followed to the end',
  async () => {
    /** 1000 lines a second, a file for each minute. */
    const rotations = LONG ? 60 : 3;
    const lines = LONG ? 60_000 : 2000;
    const path = join(folder, 'growing.txt');
    const chunk = 1000;
    let second = 0;
    /** Each line is an event: a get or its put. */
    const write = (count: number) => {
      const records: string[] = [];
      for (let at = 0; at < count; at++) {
        const time = (second + at / chunk).toFixed(6).padStart(12);
        const [event, refcnt] = at % 2 === 0 ? ['get', 2] : ['put', 1];
        records.push(
          `             cat-42      [000] ..... ${time}: module_${event}: m call_site=m_use refcnt=${refcnt}\n`,
        );
      }
      second += count / chunk;
      appendFileSync(path, records.join(''));
    };
    writeFileSync(path, '');
    const gaps: TailLine[] = [];
    const { reader, ended, stop } = tail({
      path,
      format: 'tracefs',
      tell: (line) => {
        if (line.type === 'gap') gaps.push(line);
      },
    });
    const told = () => reader.inputs.reduce((sum, { events }) => sum + events, 0);
    const caughtUp = async (events: number) => {
      while (told() < events) await sleep(1);
    };
    let written = 0;
    let memory: number | undefined;
    for (let file = 0; file < rotations; file++) {
      for (let left = lines; left > 0; left -= chunk) {
        write(chunk);
        written += chunk;
        // The last line of a file may wait for its end.
        await caughtUp(written - 2);
      }
      if (file === 2) memory = await inUse();
      if (file === rotations - 1) break;
      renameSync(path, `${path}.1`);
      writeFileSync(path, '');
      while (gaps.length <= file) await sleep(1);
    }
    const grown = (await inUse()) - memory!;
    stop();
    const { inputs } = await ended;
    console.log(`${written} lines in ${rotations} files, ${(grown / 1024).toFixed(0)} KiB more in use`);
    expect(told()).toBe(rotations * lines);
    expect(inputs.reduce((sum, { bad }) => sum + bad, 0)).toBe(0);
    expect(gaps).toHaveLength(rotations - 1);
    expect(grown).toBeLessThan(16 << 20);
    expect(statSync(path).size).toBeGreaterThan(0);
    expect(readFileSync(path, 'latin1').endsWith('\n')).toBe(true);
  },
  LONGEST,
);
