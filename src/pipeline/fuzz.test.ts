/**
 * Damaged samples of every collector: bytes changed, cut, doubled, hostile text put in. Nothing may throw, hang,
 * count wrong or put a control character on a terminal. `npm run fuzz` does it for ten minutes; FUZZ_SEED repeats.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { UserError } from '../model/errors.ts';
import { reportSchema } from '../model/report.ts';
import { packageRoot } from '../package-root.ts';
import { toText } from '../report/text.ts';
import { damage, random } from '../testing/damage.ts';
import { captureOf } from '../testing/read-text.ts';
import { analyze, toReport } from './analyze.ts';
import { createEngine } from './engine.ts';

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 3);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Larger samples are cut to their head and a piece from anywhere. */
const LARGEST = 50_000;

const folder = join(packageRoot(), 'samples');
const samples = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(txt|json|dat)$/.test(name) && !name.endsWith('.expected.txt'))
  .map((name) => join(folder, name));

/** What people put around a trace: every third capture is in one. */
const wrappings: readonly ((text: string) => string)[] = [
  (text) => text.replace(/^/gm, '> '),
  (text) => `Hi,\n\`\`\`\n${text}\n\`\`\`\nand\n\`\`\`\n${text}\`\`\`\n`,
  (text) => `<pre>${text.replaceAll('<', '&lt;')}</pre>`,
  (text) => text.replace(/^/gm, '2024-05-01T12:00:00.1234567Z '),
  (text) => text.replace(/^/gm, '\x1b[0;m').replace(/$/gm, '\r'),
  (text) => text.replace(/^.{60,72} /gm, '> $&\n'),
];

function wrap(bytes: Buffer, below: (n: number) => number): Buffer {
  const text = wrappings[below(3 * wrappings.length)]?.(bytes.toString('latin1'));
  return text === undefined ? bytes : Buffer.from(text, 'latin1');
}

const scratch = join(mkdtempSync(join(tmpdir(), 'modlife-fuzz-')), 'damaged');
afterAll(() => rmSync(dirname(scratch), { recursive: true }));

async function survive(bytes: Buffer): Promise<void> {
  const capture = await captureOf(bytes);
  const engine = createEngine();
  for await (const items of capture.items) for (const item of items) engine.feed(item, 0);
  engine.end(capture.summary.end);
  const report = reportSchema.parse(toReport(engine, [capture.summary]));
  const { lines, events, bad, skipped } = capture.summary;
  expect(Math.min(lines, events, bad, skipped)).toBeGreaterThanOrEqual(0);
  // One line may hold a broken record and a whole one, so they may add up to more.
  expect(events + bad + skipped).toBeGreaterThanOrEqual(lines);
  expect(toText(report, { width: 80, color: false })).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
}

/** Beside the whole one and perhaps packed, so that clocks are compared and twins sought. */
async function surviveBeside(whole: string, damaged: Buffer, below: (n: number) => number): Promise<void> {
  const packed = below(2) === 0 ? damage(gzipSync(damaged), below) : damaged;
  writeFileSync(scratch, packed);
  const { report } = await analyze(below(2) === 0 ? [whole, scratch] : [scratch, whole]);
  reportSchema.parse(report);
}

test(
  'damaged captures break nothing',
  async () => {
    const below = random(SEED);
    const until = Date.now() + SECONDS * 1000;
    let runs = 0;
    for (; Date.now() < until; runs++) {
      const sample = samples[below(samples.length)]!;
      let bytes: Buffer = readFileSync(sample);
      if (bytes.length > LARGEST) {
        const from = below(bytes.length - LARGEST);
        bytes = Buffer.concat([bytes.subarray(0, 2000), bytes.subarray(from, from + LARGEST)]);
      }
      bytes = wrap(bytes, below);
      for (let times = 1 + below(20); times > 0; times--) bytes = damage(bytes, below);
      try {
        await survive(bytes);
        if (below(10) === 0) await surviveBeside(sample, bytes, below);
      } catch (error) {
        if (error instanceof UserError) continue;
        throw new Error(`${sample}, run ${runs} of seed ${SEED}`, { cause: error });
      }
    }
    console.log(`${runs} damaged captures, seed ${SEED}`);
    expect(runs).toBeGreaterThan(0);
  },
  (SECONDS + 30) * 1000,
);
