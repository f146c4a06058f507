import type { Collector } from '../src/model/collector.ts';
import { bpftrace } from './bpftrace/collector.ts';
import { perfScript } from './perf-script/collector.ts';
import { traceCmd } from './trace-cmd/collector.ts';
import { tracefs } from './tracefs/collector.ts';

/** Asked in this order whether a capture is theirs: the most particular first. */
export const collectors: readonly Collector[] = [bpftrace, perfScript, traceCmd, tracefs];
