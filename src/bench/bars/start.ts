/** P8: what is asked without a capture. */
import { type Bench, NODE, type Row } from '../bench.ts';
import { runPaired } from '../run.ts';

export async function starting(bench: Bench): Promise<Row[]> {
  const rows: Row[] = [];
  for (const args of [['--help'], ['explain', 'ref-leak']]) {
    const { ratio } = await runPaired({ ...bench.modlife(...args), times: 10 }, NODE, bench.rounds);
    rows.push({
      bar: 'P8',
      compared: `${args[0]} / node -e ''`,
      size: '-',
      measured: ratio,
      unit: '×',
      limit: 1.5,
      wanted: 'at most',
    });
  }
  return rows;
}
