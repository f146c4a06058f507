/** What every bar is measured with. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../package-root.ts';
import { type Mix, mixes } from './generate.ts';
import type { Peers } from './peers.ts';
import type { Command } from './run.ts';
import type { Spread } from './statistics.ts';
import { writeTraceFile } from './trace-text.ts';

export type BarId = 'P1' | 'P2' | 'P3' | 'P4' | 'P5' | 'P6' | 'P7' | 'P8' | 'P9' | 'P10';

/** One comparison. */
export interface Row {
  /** `-` where nothing was promised. */
  readonly bar: BarId | '-';
  /** What was measured beside what. */
  readonly compared: string;
  /** Of what size. */
  readonly size: string;
  /** Undefined where a peer is missing, which `note` tells. */
  readonly measured: Spread | undefined;
  /** The unit of `measured` and `limit`: × for ratios. */
  readonly unit: '×' | 'ms' | 'MB' | '%' | 's';
  readonly limit?: number;
  /** Whether `limit` is the least or the most that will do. */
  readonly wanted?: 'at most' | 'at least';
  readonly note?: string;
}

export interface Bench {
  /** Numbers of events, rising. */
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly peers: Peers;
  readonly folder: string;
  /** A file with a capture, made when it is first asked for. */
  capture(mix: Mix, events: number): string;
  modlife(...args: string[]): Command;
  readonly largest: number;
}

/** Where the bars speak of seconds, these are of the machine that they were set on; CPU there and here is compared
 *  through the same program on both. */
export const PROMISED = {
  /** CPU seconds of a C parser for 1 GB of text, 6.7 M events. */
  parserPerGB: 0.95,
  parserEventsPerSecond: 6.7e6 / 0.95,
  /** CPU seconds of `node -e ''`. */
  node: 0.05,
} as const;

export const NODE: Command = { file: process.execPath, args: ['-e', ''], times: 10 };

export function createBench(options: Pick<Bench, 'sizes' | 'rounds' | 'peers' | 'folder'>): Bench {
  const { folder, sizes } = options;
  return {
    ...options,
    largest: sizes.at(-1)!,
    capture(mix, events) {
      const path = join(folder, `${mix.replaceAll(' ', '-')}-${events}.txt`);
      if (!existsSync(path)) writeTraceFile(path, (trace) => mixes[mix](trace, events));
      return path;
    },
    modlife: (...args) => ({
      file: process.execPath,
      args: [join(packageRoot(), 'bin/modlife.js'), ...args],
    }),
  };
}

export function missing(row: Omit<Row, 'measured' | 'note'>, peer: string): Row {
  return { ...row, measured: undefined, note: `no ${peer} here` };
}

export function isMet({ measured, limit, wanted }: Row): boolean | undefined {
  if (measured === undefined || limit === undefined) return undefined;
  return wanted === 'at most' ? measured.median <= limit : measured.median >= limit;
}

/** 100000 as 10⁵, 250000 as 250000. */
export function power(count: number): string {
  const exponent = Math.log10(count);
  if (!Number.isInteger(exponent)) return `${count}`;
  return `10${[...`${exponent}`].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('')}`;
}
