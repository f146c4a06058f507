import type { BinaryCollector, Collector } from '../src/model/collector.ts';
import { bpftrace } from './bpftrace/collector.ts';
import { kallsyms } from './kallsyms/collector.ts';
import { kernelLog } from './kernel-log/collector.ts';
import { lttng } from './lttng/collector.ts';
import { perfScript } from './perf-script/collector.ts';
import { traceCmd } from './trace-cmd/collector.ts';
import { traceDat } from './trace-dat/collector.ts';
import { tracefs } from './tracefs/collector.ts';

/** Asked in this order whether a capture is theirs: the most particular first. */
export const collectors: readonly (BinaryCollector | Collector)[] = [
  traceDat,
  kallsyms,
  bpftrace,
  lttng,
  perfScript,
  traceCmd,
  tracefs,
  kernelLog,
];
