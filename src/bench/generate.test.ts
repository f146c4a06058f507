import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../package-root.ts';
import { analyze } from '../pipeline/analyze.ts';
import { countsIn } from './bars/text.ts';
import { type Mix, mixes } from './generate.ts';
import { compileReader, readerCounts } from './peers.ts';
import { repeatTraceDat } from './repeat-trace-dat.ts';
import { writeTraceFile } from './trace-text.ts';

const COMPILER = '/usr/bin/cc';
const EVENTS = 5000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function made(mix: Mix): string {
  const path = join(folder, `${mix}.txt`);
  writeTraceFile(path, (trace) => mixes[mix](trace, EVENTS));
  return path;
}

describe.each(Object.keys(mixes) as Mix[])('%s', (mix) => {
  test('is the same in every run', () => {
    const digest = () =>
      createHash('sha256')
        .update(readFileSync(made(mix)))
        .digest('hex');
    expect(digest()).toBe(digest());
  });

  test('is read without complaint', async () => {
    const { report, bad } = await analyze([made(mix)]);
    expect(bad).toEqual([[]]);
    const [input] = report.inputs;
    expect(input!.format).toBe('tracefs');
    if (mix === 'noise') expect(input!.events).toBeLessThan(EVENTS / 40);
    else expect(input!.events).toBeGreaterThanOrEqual(EVENTS);
  });
});

test('the traffic of the mixes has no bug in it', async () => {
  for (const mix of ['noise', 'ours'] as const) {
    const { report } = await analyze([made(mix)]);
    expect(report.findings).toEqual([]);
  }
});

test.skipIf(!existsSync(COMPILER))('the C reader counts the references that modlife counts', async () => {
  const reader = join(folder, 'reader');
  await compileReader(COMPILER, reader);
  const captures = [made('ours'), made('noise'), join(packageRoot(), 'samples/tracefs/6.1-clean.txt')];
  for (const capture of captures) {
    const { report } = await analyze([capture]);
    const counted = await readerCounts(reader, capture);
    expect(counted).toEqual(countsIn(JSON.stringify(report)));
    expect(counted.length).toBeGreaterThan(1);
  }
});

test('a repeated trace.dat holds the records of its sample so many times, in order', async () => {
  const sample = join(packageRoot(), 'samples/trace-dat/3.1.6-v6.dat');
  const repeated = join(folder, 'repeated.dat');
  repeatTraceDat(sample, repeated, 3);
  const [once, thrice] = [await analyze([sample]), await analyze([repeated])];
  expect(thrice.report.inputs[0]!.events).toBe(3 * once.report.inputs[0]!.events);
  expect(thrice.report.inputs[0]!.bad).toBe(0);
  const last = ({ last }: { last: number | null }) => last ?? 0;
  expect(last(thrice.report.inputs[0]!) - last(once.report.inputs[0]!)).toBe(20e9);
});
