/** `npm run bench`: what we promised of speed, measured beside other programs on this machine. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { processIo } from '../cli/io.ts';
import { packageRoot } from '../package-root.ts';
import { bars } from './bars/index.ts';
import { replaying } from './bars/text.ts';
import { createBench, type Row } from './bench.ts';
import { findPeers } from './peers.ts';
import { type Results, toMarkdown, toText } from './table.ts';

const QUICK = [100_000, 1_000_000];
const FULL = [...QUICK, 10_000_000];

const USAGE = `Usage: npm run bench -- [options]

  --only P1,P2      these bars
  --sizes 1e5,1e6   numbers of events (default: ${QUICK.join(', ')})
  --full            up to 10⁷ events, which takes 4 GB in the temporary folder
  --rounds N        paired runs of each (default: 3)
  --replay FILE     a real capture in tracefs text, too; may be given several times
  --json FILE       write the results there
  --write           put the table into BENCHMARKS.md
`;

/** BENCHMARKS.md keeps what people wrote around the table. */
const BEGIN = '<!-- measured: begin -->';
const END = '<!-- measured: end -->';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    sizes: { type: 'string' },
    full: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    replay: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const { stdout, stderr } = processIo();

function machine(before: number): Results['machine'] {
  return {
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    node: process.versions.node,
    load: [before, loadavg()[0]!],
  };
}

async function measure(): Promise<Results> {
  const sizes = values.sizes?.split(',').map(Number) ?? (values.full ? FULL : QUICK);
  const rounds = Number(values.rounds);
  const only = values.only?.split(',');
  const load = loadavg()[0]!;
  const folder = mkdtempSync(join(tmpdir(), 'modlife-bench-'));
  try {
    const peers = await findPeers(folder);
    for (const missing of peers.missing) stderr.write(`missing: ${missing}\n`);
    const bench = createBench({ sizes, rounds, peers, folder });
    const rows: Row[] = [];
    const failed: { bar: string; because: string }[] = [];
    const attempt = async (bar: string, what: string, work: () => Promise<readonly Row[]>) => {
      stderr.write(`${bar}: ${what}\n`);
      try {
        rows.push(...(await work()));
      } catch (error) {
        failed.push({ bar, because: (error as Error).message });
      }
    };
    for (const { id, what, measure } of bars) {
      if (only === undefined || only.includes(id)) await attempt(id, what, () => measure(bench));
    }
    for (const capture of values.replay) {
      await attempt('-', capture, async () => [await replaying(bench, capture)]);
    }
    const date = new Date().toISOString().slice(0, 10);
    return { date, machine: machine(load), sizes, rounds, missing: peers.missing, rows, failed };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function rewrite(path: string, table: string): void {
  const text = readFileSync(path, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${path}: expected ${BEGIN} and ${END}`);
  writeFileSync(path, `${text.slice(0, begin + BEGIN.length)}\n\n${table}\n${text.slice(end)}`);
}

if (values.help) stdout.write(USAGE);
else {
  const results = await measure();
  stdout.write(toText(results));
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
  if (values.write) rewrite(join(packageRoot(), 'BENCHMARKS.md'), toMarkdown(results, bars));
  if (results.failed.length > 0) process.exitCode = 2;
}
