/**
 * Every reader by itself, on a few records of a sample with one of them damaged: it must neither throw nor take from
 * the whole records around it. Small inputs make for many runs; `npm run fuzz` does it for ten minutes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { collectors } from '../../collectors/index.ts';
import type { Collector, Sink } from '../model/collector.ts';
import type { Event } from '../model/event.ts';
import { packageRoot } from '../package-root.ts';
import { damage, random } from '../testing/damage.ts';

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 3);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Lines before and behind the damaged one. */
const AROUND = 3;
/** A damaged line may be read as part of the record before it, and the line behind it as part of its own. */
const REACH = 2;
/** Told of line by line. Of a timer, only its arming says whose it is; a snapshot of kallsyms is of many lines. */
const BY_ITSELF = /^(?:module_(?:load|free|get|put)|function_|syscall_)/;
/** The same record of two instances is told once. */
const INSTANCE = /^one: /m;
/** Distinct readings kept per sample. */
const WINDOWS = 400;

interface Read {
  readonly events: readonly Event[];
  readonly bad: number;
}

function read(collector: Collector, lines: readonly string[]): Read {
  const events: Event[] = [];
  let bad = 0;
  const sink: Sink = {
    event: (event) => events.push(event),
    lost: () => {},
    bad: () => bad++,
    facts: () => {},
  };
  const parser = collector.createParser(sink);
  lines.forEach((line, index) => {
    const bytes = Buffer.from(line, 'latin1');
    parser.line(bytes, 0, bytes.length, index + 1);
  });
  parser.end();
  return { events, bad };
}

interface Window {
  readonly lines: readonly string[];
  /** The lines that its events begin at. */
  readonly told: readonly number[];
}

function linesOf({ events }: Read): number[] {
  return events.filter(({ kind }) => BY_ITSELF.test(kind)).map(({ line }) => line);
}

/** The lines around events of a file. */
function windows(collector: Collector, lines: readonly string[]): Window[] {
  const { events } = read(collector, lines);
  const step = Math.max(1, Math.floor(events.length / WINDOWS));
  return events
    .filter((_, index) => index % step === 0)
    .map(({ line }) => lines.slice(Math.max(0, line - 1 - AROUND), line + AROUND))
    .map((around) => ({ lines: around, told: linesOf(read(collector, around)) }));
}

const folder = join(packageRoot(), 'samples');
const texts = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(txt|json)$/.test(name) && !name.endsWith('.expected.txt'))
  .map((name) => readFileSync(join(folder, name), 'latin1'));

const readers = collectors.filter((collector): collector is Collector => 'createParser' in collector);

test.each(readers.map((collector) => [collector.name, collector] as const))(
  '%s reads damaged records, and the whole ones around them as before',
  (name, collector) => {
    const corpus = texts
      .filter((text) => collector.sniff(text.slice(0, 1 << 16)) === true && !INSTANCE.test(text))
      .flatMap((text) => windows(collector, text.split('\n')));
    expect(corpus.length).toBeGreaterThan(0);
    const below = random(SEED);
    const until = Date.now() + (SECONDS * 1000) / readers.length;
    let runs = 0;
    for (; Date.now() < until; runs++) {
      const { lines, told } = corpus[below(corpus.length)]!;
      // The first record of a file tells the layout of those behind it.
      const from = Math.min(told[0] ?? 0, lines.length - 1);
      const at = from + below(lines.length - from);
      const broken = damage(Buffer.from(lines[at]!, 'latin1'), below, lines[at]!.length).toString('latin1');
      const damaged = lines.with(at, broken.replaceAll('\n', ' '));
      const run = () => `run ${runs} of seed ${SEED}, ${name}: ${JSON.stringify(damaged)}`;
      let after: Read;
      try {
        after = read(collector, damaged);
      } catch (error) {
        throw new Error(run(), { cause: error });
      }
      for (const { line, ts } of after.events) {
        if (!(line >= 1 && line <= lines.length) || Number.isNaN(ts))
          throw new Error(`stray event, ${run()}`);
      }
      const elsewhere = (line: number) => Math.abs(line - 1 - at) > REACH;
      const whole = told.filter(elsewhere).length;
      const now = linesOf(after).filter(elsewhere).length;
      if (now < whole) throw new Error(`${now} whole events for ${whole}, ${run()}`);
      // One line may hold a broken record and the beginning of another.
      if (after.bad > 2 * lines.length) throw new Error(`more bad lines than lines, ${run()}`);
    }
    console.log(`${runs} runs of ${name}, seed ${SEED}`);
    expect(runs).toBeGreaterThan(0);
  },
  (SECONDS + 30) * 1000,
);
