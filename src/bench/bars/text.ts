/** P1, P2: text to verdict. */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { type Bench, missing, PROMISED, power, type Row } from '../bench.ts';
import { readerCounts } from '../peers.ts';
import { outputOf, runPaired } from '../run.ts';

export async function skipping(bench: Bench): Promise<Row[]> {
  const { peers, largest, rounds } = bench;
  const noise = bench.capture('noise', largest);
  const analyze = bench.modlife('analyze', noise);
  const size = `${power(largest)} events, 1 % ours`;
  const besideRg = {
    bar: 'P1',
    compared: 'analyze / rg -c module_',
    size,
    unit: '×',
    limit: 4,
    wanted: 'at most',
  } as const;
  const besideC = {
    bar: 'P1',
    compared: 'analyze / C reader of as many bytes, all ours',
    size,
    unit: '×',
    limit: 1.2 / PROMISED.parserPerGB,
    wanted: 'at most',
  } as const;
  const rows: Row[] = [];
  const rg = peers.path('rg');
  if (rg === undefined) rows.push(missing(besideRg, 'rg'));
  else {
    const { ratio } = await runPaired(
      analyze,
      { file: rg, args: ['-c', 'module_', noise], times: 5 },
      rounds,
    );
    rows.push({ ...besideRg, measured: ratio });
  }
  if (peers.reader === undefined) rows.push(missing(besideC, 'cc'));
  else {
    const ours = bench.capture('ours', largest);
    const bytes = statSync(noise).size / statSync(ours).size;
    const { ratio } = await runPaired(analyze, { file: peers.reader, args: [ours], times: 3 }, rounds);
    const { median, least, most } = ratio;
    rows.push({ ...besideC, measured: { median: median / bytes, least: least / bytes, most: most / bytes } });
  }
  return rows;
}

export async function parsing(bench: Bench): Promise<Row[]> {
  const { peers, largest, rounds } = bench;
  const ours = bench.capture('ours', largest);
  const analyze = bench.modlife('analyze', ours);
  const size = `${power(largest)} events, all ours`;
  const awk = {
    bar: 'P2',
    compared: "mawk '{ n += NF }' / analyze",
    size,
    unit: '×',
    limit: 4,
    wanted: 'at least',
  } as const;
  const c = {
    bar: 'P2',
    compared: 'analyze / C reader',
    size,
    unit: '×',
    limit: 3,
    wanted: 'at most',
  } as const;
  const rate = {
    ...c,
    compared: 'analyze / C reader, for 2 M events per CPU-second where that reads 7 M',
    limit: PROMISED.parserEventsPerSecond / 2e6,
  };
  const rows: Row[] = [];
  const mawk = peers.path('mawk');
  if (mawk === undefined) rows.push(missing(awk, 'mawk'));
  else {
    const { ratio } = await runPaired(
      { file: mawk, args: ['{ n += NF } END { print n }', ours] },
      analyze,
      rounds,
    );
    rows.push({ ...awk, measured: ratio });
  }
  if (peers.reader === undefined) return [...rows, missing(c, 'cc'), missing(rate, 'cc')];
  await agree(bench, peers.reader, ours);
  const { ratio, first } = await runPaired(analyze, { file: peers.reader, args: [ours], times: 3 }, rounds);
  const note = `${(largest / first.median / 1e6).toFixed(2)} M events per CPU-second here; both count the same references`;
  return [...rows, { ...c, measured: ratio, note }, { ...rate, measured: ratio }];
}

/** A real capture beside the generated ones. Nothing was promised of it. */
export async function replaying(bench: Bench, capture: string): Promise<Row> {
  const { peers, rounds, modlife } = bench;
  const analyze = modlife('analyze', capture);
  const row = {
    bar: '-',
    compared: 'analyze / C reader',
    size: `${basename(capture)}, ${(statSync(capture).size / 1e6).toFixed(0)} MB`,
    unit: '×',
  } as const;
  if (peers.reader === undefined) return missing(row, 'cc');
  const { ratio } = await runPaired(analyze, { file: peers.reader, args: [capture], times: 3 }, rounds);
  return { ...row, measured: ratio };
}

/** A reader that does less would be no measure.
 *  @throws Error when the two count differently */
async function agree({ modlife }: Bench, reader: string, capture: string): Promise<void> {
  const counted = await readerCounts(reader, capture);
  const told = countsIn(await outputOf(modlife('analyze', '--json', capture)));
  if (told.join('\n') !== counted.join('\n'))
    throw new Error(`${capture}: the C reader counts other references`);
}

/** As the C reader prints them. @param json what `analyze --json` printed */
export function countsIn(json: string): string[] {
  const { modules } = JSON.parse(json) as {
    modules: readonly { module: string; gets: number; puts: number }[];
  };
  return modules
    .filter(({ gets, puts }) => gets + puts > 0)
    .map(({ module, gets, puts }) => `${module} ${gets} ${puts}`)
    .sort();
}
