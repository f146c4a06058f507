/** P5, P6: what grows with the capture. */
import { type Bench, power, type Row } from '../bench.ts';
import { type Mix, mixes } from '../generate.ts';
import { type Command, run } from '../run.ts';
import { type Spread, spreadOf } from '../statistics.ts';

const MB = 1e6;

export async function memory(bench: Bench): Promise<Row[]> {
  const { sizes, rounds, largest } = bench;
  const before = sizes.at(-2) ?? largest;
  const rows: Row[] = [];
  for (const mix of ['noise', 'ours'] as const) {
    const peaks: number[] = [];
    const growth: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const small = (await run(bench.modlife('analyze', bench.capture(mix, before)))).peak;
      const large = (await run(bench.modlife('analyze', bench.capture(mix, largest)))).peak;
      peaks.push(large / MB);
      growth.push(large / small);
    }
    rows.push(
      {
        bar: 'P5',
        compared: `resident memory, ${mix}`,
        size: `${power(largest)} events`,
        measured: spreadOf(peaks),
        unit: 'MB',
        limit: 200,
        wanted: 'at most',
      },
      {
        bar: 'P5',
        compared: `its growth, ${mix}`,
        size: `${power(before)} to ${power(largest)} events`,
        measured: spreadOf(growth),
        unit: '×',
        limit: 1.1,
        wanted: 'at most',
      },
    );
  }
  return rows;
}

/** Seconds for one capture: what takes longer is not linear. */
const PATIENCE = 60;

export async function linearity(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const mix of Object.keys(mixes) as Mix[]) {
    // What is there to find trouble finds it in fewer events.
    const of = mix === 'noise' || mix === 'ours' ? 1 : 10;
    const small = bench.sizes[0]! / of;
    const large = bench.largest / of;
    const { growth, stopped } = await growthPerEvent(bench, mix, small, large);
    rows.push({
      bar: 'P6',
      compared: `CPU per event, ${mix}`,
      size: `${power(small)} to ${power(large)} events`,
      measured: growth,
      unit: '×',
      limit: 1.15,
      wanted: 'at most',
      ...(stopped ? { note: `stopped after ${PATIENCE} s, so it is more` } : {}),
    });
  }
  return rows;
}

/** Without what it costs to start. */
async function growthPerEvent(
  bench: Bench,
  mix: Mix,
  small: number,
  large: number,
): Promise<{ growth: Spread; stopped: boolean }> {
  const analyze = (events: number): Command => ({
    ...bench.modlife('analyze', bench.capture(mix, events)),
    patience: PATIENCE * Math.max(1, events / 1e6),
  });
  const growth: number[] = [];
  let stopped = false;
  for (let round = 0; round < bench.rounds && !stopped; round++) {
    const start = (await run({ ...analyze(100), times: 3 })).cpu;
    const few = (await run({ ...analyze(small), times: 3 })).cpu - start;
    const many = await run(analyze(large));
    stopped = many.stopped;
    growth.push((many.cpu - start) / large / (few / small));
  }
  return { growth: spreadOf(growth), stopped };
}
