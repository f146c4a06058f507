/**
 * `npm run soak`: does following a source for hours take more and more memory? As many events as come in so many hours
 * at 5 k events/s are given to `tail` as fast as it takes them, which its pipe regulates.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { processIo } from '../cli/io.ts';
import { packageRoot } from '../package-root.ts';
import { createTraffic } from './module-traffic.ts';
import { createRandom } from './random.ts';
import { createTraceText } from './trace-text.ts';

const PER_SECOND = 5000;
/** Until then it grows: what repeats is remembered, what is run often is compiled. */
const WARM_UP = 4e6;
const LOOKS = 20;
/** Resident memory moves by as much as the collector of garbage likes to wait. */
const GROWTH_MB = 40;

const USAGE = `Usage: npm run soak -- [options]

  --hours N    as many events as come in so long at ${PER_SECOND / 1000} k events/s (default: 2)
  --db         keep a store meanwhile
  --retain T   and let it go of what is older, by the clock of these events
  --growth MB  as much more at the end than after the first ${WARM_UP / 1e6} M events is too much (default: ${GROWTH_MB})
`;

const { values } = parseArgs({
  options: {
    hours: { type: 'string', default: '2' },
    db: { type: 'boolean', default: false },
    retain: { type: 'string' },
    growth: { type: 'string', default: `${GROWTH_MB}` },
    help: { type: 'boolean', default: false },
  },
});
const { stdout } = processIo();

function residentMb({ pid }: ChildProcess): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1000;
}

/** @returns the megabytes that it took, after each part of the events */
async function soak(events: number, args: readonly string[]): Promise<number[]> {
  const program = join(packageRoot(), 'bin/modlife.js');
  const child = spawn(process.execPath, [program, 'tail', '--plain', ...args, '-'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(child, 'exit');
  const taken: number[] = [];
  let text = '';
  const trace = createTraceText((more) => {
    text += more;
  });
  const traffic = createTraffic(trace, createRandom(5), 0.1);
  const start = performance.now();
  while (taken.length < LOOKS) {
    while (text === '') traffic.step();
    if (!child.stdin.write(text)) await once(child.stdin, 'drain');
    text = '';
    if (trace.events < ((taken.length + 1) * events) / LOOKS) continue;
    taken.push(residentMb(child));
    const rate = trace.events / (performance.now() - start);
    stdout.write(
      `${(trace.events / 1e6).toFixed(1)} M events  ${taken.at(-1)!.toFixed(0)} MB  ${rate.toFixed(0)} k/s\n`,
    );
  }
  child.stdin.end();
  await ended;
  return taken;
}

if (values.help) stdout.write(USAGE);
else {
  const folder = mkdtempSync(join(tmpdir(), 'modlife-soak-'));
  try {
    const events = Number(values.hours) * 3600 * PER_SECOND;
    const db = join(folder, 'soak.db');
    const retain = values.retain === undefined ? [] : ['--retain', values.retain];
    const taken = await soak(events, values.db ? ['--db', db, ...retain] : []);
    if (values.db) stdout.write(`the store has ${(statSync(db).size / 1e6).toFixed(0)} MB\n`);
    const warm = taken.slice(Math.min(LOOKS / 2, Math.ceil((LOOKS * WARM_UP) / events)));
    // The lowest of each end, for garbage that waits to be collected is no growth.
    const lowest = (part: readonly number[]) => Math.min(...part);
    const growth = lowest(warm.slice(-3)) - lowest(warm.slice(0, 3));
    const most = Number(values.growth);
    stdout.write(`grew by ${growth.toFixed(0)} MB after the warm-up; at most ${most} MB are allowed\n`);
    if (growth > most) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
