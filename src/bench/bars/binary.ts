/** P4: trace.dat to verdict. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../package-root.ts';
import { type Bench, missing, power, type Row } from '../bench.ts';
import { repeatTraceDat } from '../repeat-trace-dat.ts';
import { runPaired } from '../run.ts';

const SAMPLE = 'samples/trace-dat/3.1.6-v6.dat';
/** Records in the sample. */
const RECORDS = 194;
const MOST = 1_000_000;

export async function binary(bench: Bench): Promise<Row[]> {
  const { folder, peers, rounds, largest } = bench;
  const times = Math.ceil(Math.min(largest, MOST) / RECORDS);
  const capture = join(folder, 'repeated.dat');
  if (!existsSync(capture)) repeatTraceDat(join(packageRoot(), SAMPLE), capture, times);
  const row = {
    bar: 'P4',
    compared: 'trace-cmd report / analyze, of one trace.dat',
    size: `${power(Math.min(largest, MOST))} events, a shipped sample repeated`,
    unit: '×',
    limit: 3,
    wanted: 'at least',
  } as const;
  const program = peers.path('trace-cmd');
  if (program === undefined) return [missing(row, 'trace-cmd')];
  const report = { file: program, args: ['report', '-i', capture] };
  const { ratio } = await runPaired(report, bench.modlife('analyze', capture), rounds);
  return [{ ...row, measured: ratio }];
}
