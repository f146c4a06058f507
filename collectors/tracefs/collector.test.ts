import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CaptureFacts } from '../../src/model/collector.ts';
import { createLineSplitter } from '../../src/pipeline/lines.ts';
import { tracefs } from './collector.ts';

const OPTIONS = 'samples/tracefs/6.1-options';
const sample = (name: string) => readFileSync(join(OPTIONS, `${name}.txt`));

function factsOf(text: Buffer): CaptureFacts {
  const facts: CaptureFacts = {};
  const nothing = () => {};
  const parser = tracefs.createParser({
    event: nothing,
    lost: nothing,
    bad: nothing,
    facts: (more) => Object.assign(facts, more),
  });
  const splitter = createLineSplitter((...line) => parser.line(...line));
  splitter.push(text);
  splitter.end();
  parser.end();
  return facts;
}

describe('the last record, ours or not, tells when the capture ends', () => {
  test.each([
    ['default', / (\d+\.\d{6}): \S/g, 1e9],
    ['opt-latency-format', /^.{8}-\d+ +\d+\S+ +(\d+)us/gm, 1000],
    ['opt-latency-verbose', / (\d+\.\d{3})ms \(/g, 1e6],
  ] as const)('%s', (name, time, unit) => {
    const text = sample(name);
    const times = [...text.toString('latin1').matchAll(time)].map(([, printed]) => Number(printed) * unit);
    expect(factsOf(text).end).toBeCloseTo(Math.max(...times), -3);
  });
});

test('what a crash left behind the records does not make them undecoded', () => {
  const text = sample('default').toString('latin1');
  expect(tracefs.sniff(`${text.slice(0, 4000)}\n${'\0'.repeat(64)}\n`)).toBe(true);
  expect(tracefs.sniff(sample('opt-bin').toString('latin1'))).toMatchObject({
    declined: expect.stringContaining('bin is on'),
  });
});
