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
const ours = generated('ours', 10_000);

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

  test.each([
    ['other events', noise],
    ['references', ours],
  ])('of %s that were damaged', (_, whole) => {
    const below = random(7);
    const text = Buffer.from(whole.slice(0, 60_000));
    for (let i = 0; i < 200; i++) {
      let damaged: Buffer = text;
      for (let piece = below(20); piece >= 0; piece--) damaged = damage(damaged, below, 80);
      expectSame(damaged, 1 + below(damaged.length));
    }
  });

  // Each has to be taught again when it comes back.
  test('of more words than it remembers', () => {
    expectSame(Buffer.from(generated('many modules', 30_000)), 1 << 17);
  });

  // What lies behind the chunks begins 4096 bytes into a page.
  test('of a chunk that ends with a page of memory', () => {
    const text = Buffer.from(ours);
    for (let beyond = 0; beyond < 64; beyond += 9) expectSame(text, (1 << 16) - 4096 - beyond);
  });

  test('of words longer than it remembers', () => {
    const text = ours.replaceAll('mod_7', 'm'.repeat(200)).replaceAll('path_openat', 'p'.repeat(200));
    expectSame(Buffer.from(text), 1 << 17);
  });

  // A comm may hold one; among the flags only damage can put it.
  test('of newlines within the columns of a record', () => {
    for (const text of [noise, ours])
      for (let column = 0; column < 55; column++) {
        const torn = text.slice(0, 20_000).replaceAll(/^ .*\[000\].*$/gm, (record) => cut(record, column));
        expectSame(Buffer.from(torn), 1 << 17);
      }
  });

  test('of the timer of delayed kthread work, alone among others', () => {
    const body =
      'timer_expire_entry: timer=00000000aaaa function=kthread_delayed_work_timer_fn now=1 baseclk=1';
    const lines = noise.split('\n');
    lines[2000] = lines[2000]!.replace(/: \w+: .*$/, `: ${body}`);
    expect(read(Buffer.from(lines.join('\n')), 1 << 17, true).told).toContainEqual(
      expect.objectContaining({ kind: 'timer_expire_entry', object: '00000000aaaa' }),
    );
  });

  test('of a stack behind records of other CPUs', () => {
    const text = ours.slice(0, 200_000).replaceAll(/^.*<stack trace>$/gm, (stack) => {
      const other = stack.includes('[000]') ? '[001]' : '[000]';
      const passed = stack
        .replace(/\[00.\]/, other)
        .replace('<stack trace>', 'irq_handler_exit: irq=1 ret=handled');
      return `${passed}\n${stack}`;
    });
    expectSame(Buffer.from(text), 1 << 17);
  });
});

describe.each([
  ['other events', noise],
  ['references', ours],
])('nearly all lines of %s are gone over', (_, whole) => {
  // The columns that kernels differ in; made from what the bench makes.
  test.each([
    ['as 6.1 prints them', whole],
    ['with four flags, as before 5.18', whole.replaceAll(/^(.{31}....). /gm, '$1 ')],
    ['after eleven days of uptime', whole.replaceAll(/^(?<head>.{37}) *(?<s>\d+)\./gm, '$<head>99000$<s>.')],
    ['with a stack each', whole.replaceAll(/^ +\S+-\d.*$/gm, withStack)],
    ['with thread groups', whole.replaceAll(/^(.{16}-\d+ +)\[/gm, '$1(   1234) [')],
    ['with carriage returns', whole.replaceAll('\n', '\r\n')],
  ])('%s', (_, text) => {
    const spared = expectSame(Buffer.from(text), 1 << 17);
    expect(spared / text.split('\n').length).toBeGreaterThan(0.9);
  });
});

function cut(record: string, column: number): string {
  return `${record.slice(0, column)}\n${record.slice(column + 1)}`;
}

function withStack(record: string): string {
  return `${record}\n${record.slice(0, 51)}<stack trace>\n => schedule\n => do_idle`;
}
