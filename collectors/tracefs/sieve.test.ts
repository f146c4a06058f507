import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';
import { describe, expect, test } from 'vitest';
import { mixes } from '../../src/bench/generate.ts';
import { createTraceText } from '../../src/bench/trace-text.ts';
import type { CaptureFacts, Parser } from '../../src/model/collector.ts';
import { createLineSplitter } from '../../src/pipeline/lines.ts';
import { damage, random } from '../../src/testing/damage.ts';
import { tracefs } from './collector.ts';

test('is what its source compiles to (vitest -u compiles it again)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
  const out = join(folder, 'sieve.wasm');
  const { error, stderr } = await asc.main(
    ['collectors/tracefs/sieve.as.ts', '--outFile', out, '--optimizeLevel', '3'].concat(
      ...['--enable', 'simd', '--runtime', 'stub', '--noAssert'],
    ),
  );
  expect(error, stderr.toString()).toBeNull();
  const wasm = readFileSync(out).toString('base64');
  rmSync(folder, { recursive: true });
  const module = `/** What sieve.as.ts compiles to: sieve.test.ts makes it. */\nexport const wasm =\n  '${wasm}';\n`;
  await expect(module).toMatchFileSnapshot('sieve-module.ts');
});

/** All that a parser tells of a text, and how many lines it was spared. */
function read(text: Buffer, size: number, sifted: boolean) {
  const told: unknown[] = [];
  const facts: CaptureFacts = {};
  let spared = text.toString('latin1').split('\n').length;
  const parser: Parser = tracefs.createParser({
    event: (event) => told.push(event),
    lost: (lost) => told.push(lost),
    bad: (bad) => told.push(bad),
    facts: (more) => Object.assign(facts, more),
  });
  const splitter = createLineSplitter(
    (...line) => {
      spared--;
      parser.line(...line);
    },
    sifted ? parser.sieve : undefined,
  );
  for (let at = 0; at < text.length; at += size) splitter.push(text.subarray(at, at + size));
  splitter.end();
  parser.end();
  return { told, facts, lines: splitter.lines, spared };
}

function expectSame(text: Buffer, size: number): number {
  const { spared: _, ...plain } = read(text, size, false);
  const { spared, ...sifted } = read(text, size, true);
  expect(sifted).toEqual(plain);
  return spared;
}

const noise = generated('noise', 3000);

function generated(mix: keyof typeof mixes, events: number): string {
  let text = '';
  const trace = createTraceText((more) => {
    text += more;
  });
  mixes[mix](trace, events);
  trace.flush();
  return text;
}

describe('what is told is the same without it', () => {
  const samples = readdirSync('samples/tracefs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.txt') && !name.endsWith('.expected.txt'))
    .map((name) => join('samples/tracefs', name));

  test.each(samples)('%s', (path) => {
    const text = readFileSync(path);
    for (const size of [text.length, 4096, 61]) expectSame(text, size);
  });

  test('of records that were damaged', () => {
    const below = random(7);
    const text = Buffer.from(noise.slice(0, 60_000));
    for (let i = 0; i < 300; i++) {
      let damaged: Buffer = text;
      for (let piece = below(20); piece >= 0; piece--) damaged = damage(damaged, below, 80);
      expectSame(damaged, 1 + below(damaged.length));
    }
  });
});

describe('nearly all other events are passed over', () => {
  const lines = noise.split('\n').length;

  // The columns that kernels differ in; made from what the bench makes.
  test.each([
    ['as 6.1 prints them', noise],
    ['with four flags, as before 5.18', noise.replaceAll(/^(.{31}....). /gm, '$1 ')],
    ['after eleven days of uptime', noise.replaceAll(/^(?<head>.{37}) *(?<s>\d+)\./gm, '$<head>99000$<s>.')],
    ['with a stack each', noise.replaceAll(/^ +\S+-\d.*$/gm, withStack)],
    ['with carriage returns', noise.replaceAll('\n', '\r\n')],
  ])('%s', (_, text) => {
    const spared = expectSame(Buffer.from(text), 1 << 17);
    expect(spared / text.split('\n').length).toBeGreaterThan(0.9);
    expect(lines).toBeGreaterThan(2500);
  });
});

function withStack(record: string): string {
  return `${record}\n${record.slice(0, 51)}<stack trace>\n => schedule\n => do_idle`;
}
