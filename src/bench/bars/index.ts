/** What we promised, and what measures each. The bars are the project's own; only measuring may change them. */
import type { BarId, Bench, Row } from '../bench.ts';
import { binary } from './binary.ts';
import { linearity, memory } from './growth.ts';
import { following } from './live.ts';
import { page } from './page.ts';
import { starting } from './start.ts';
import { asking, storing } from './store.ts';
import { parsing, skipping } from './text.ts';

export interface Bar {
  readonly id: BarId;
  readonly what: string;
  readonly promise: string;
  readonly measure: (bench: Bench) => Promise<Row[]>;
}

export const bars: readonly Bar[] = [
  {
    id: 'P1',
    what: '1 GB capture, 1 % of it ours (sched, irq, timer noise): analyze to verdict',
    promise: '≤ 4× the CPU of `rg -c module_`, ≤ 1.2 CPU-s/GB beside a C parser at 0.95',
    measure: skipping,
  },
  {
    id: 'P2',
    what: '1 GB capture, all ours: analyze to verdict without keeping a store',
    promise: "≥ 2 M events per CPU-second; ≥ 4× faster than mawk's bare field split; ≤ 3× a full C parser",
    measure: parsing,
  },
  {
    id: 'P3',
    what: 'the same into a kept store with its indexes',
    promise:
      "≤ 0.75 of `sqlite3 .import` of pre-parsed CSV plus the same indexes; ≥ 4× faster than DuckDB's regexp import",
    measure: storing,
  },
  {
    id: 'P4',
    what: 'binary trace.dat to verdict',
    promise: '≥ 3× the events per CPU-second of `trace-cmd report` on the same file',
    measure: binary,
  },
  {
    id: 'P5',
    what: 'resident memory, 100 MB and 1 GB',
    promise: '≤ 200 MB, growth ≤ 1.1',
    measure: memory,
  },
  {
    id: 'P6',
    what: 'cost from 10⁵ to 10⁷ events, every pass on',
    promise: 'linear: cost per event grows ≤ 1.15',
    measure: linearity,
  },
  {
    id: 'P7',
    what: '`holders`, `why-busy`, a named query on a store of 1 M events',
    promise: '≤ 0.3 s whole process',
    measure: asking,
  },
  { id: 'P8', what: '`--help`, `explain`', promise: "≤ 1.5× `node -e ''`", measure: starting },
  {
    id: 'P9',
    what: '`tail`: a line written to its finding printed',
    promise:
      "p50 ≤ 5 ms beside a C reader's own p50; keeps up with 200 k events/s; ≤ 3 % of a core at 5 k events/s",
    measure: following,
  },
  {
    id: 'P10',
    what: 'report of a 1 M-event capture',
    promise: '≤ 5 MB, interactive in Chromium ≤ 2 s',
    measure: page,
  },
];
