/** One capture being read: bytes in, numbered events out, and what is known about the whole. */
import type { Bad, CaptureFacts, Lost, Sink } from '../model/collector.ts';
import type { Event } from '../model/event.ts';
import type { InputSummary } from '../model/report.ts';
import { detect, HEAD } from './detect.ts';
import { createLineSplitter } from './lines.ts';
import { createSettler, type Item } from './settle.ts';
import { openSource, type Progress, type Source } from './source.ts';

export interface Capture {
  readonly path: string;
  /** True to the end only when `items` is exhausted. */
  readonly summary: InputSummary;
  readonly progress: Progress;
  readonly facts: CaptureFacts;
  /** The first few lines that could not be read. */
  readonly bad: readonly Bad[];
  readonly losses: readonly Lost[];
  /** In order, in batches as they become complete. */
  readonly items: AsyncGenerator<Item[]>;
}

/** Bad lines kept to be quoted; all are counted. */
const QUOTED = 20;

/** @throws UserError when `path` cannot be read or is no capture */
export async function openCapture(path: string, input: number, format: string | undefined): Promise<Capture> {
  return readCapture(path, await openSource(path), input, format);
}

export async function readCapture(
  path: string,
  source: Source,
  input: number,
  format: string | undefined,
): Promise<Capture> {
  const chunks = source.chunks[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  let size = 0;
  while (size < HEAD) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    first.push(value);
    size += value.length;
  }
  const collector = detect(path, Buffer.concat(first), format);

  const facts: CaptureFacts = {};
  const bad: Bad[] = [];
  const losses: Lost[] = [];
  const summary: InputSummary = {
    path,
    format: collector.name,
    clock: 'none',
    lines: 0,
    events: 0,
    skipped: 0,
    bad: 0,
    lost: 0,
    first: null,
    last: null,
  };
  let batch: Item[] = [];
  const settler = createSettler(
    () => facts.ordered !== false,
    (item) => batch.push(item),
  );

  function count(event: Event): void {
    summary.events++;
    if (summary.first === null || event.ts < summary.first) summary.first = event.ts;
    if (summary.last === null || event.ts > summary.last) summary.last = event.ts;
  }

  const sink: Sink = {
    event(event) {
      event.input = input;
      count(event);
      settler.push(event);
    },
    lost(lost) {
      summary.lost += lost.count ?? 1;
      losses.push(lost);
      settler.push({ kind: 'lost', lost });
    },
    bad(line) {
      summary.bad++;
      if (bad.length < QUOTED) bad.push(line);
    },
    facts(more) {
      Object.assign(facts, more);
      if (facts.kernel !== undefined) summary.kernel = facts.kernel;
      if (facts.cpus !== undefined) summary.cpus = facts.cpus;
      summary.clock = facts.clock ?? 'none';
    },
  };
  const parser = collector.createParser(sink);
  const splitter = createLineSplitter((bytes, start, end, line) => parser.line(bytes, start, end, line));

  function take(): Item[] {
    const taken = batch;
    batch = [];
    summary.lines = splitter.lines;
    summary.skipped = summary.lines - summary.events - summary.bad;
    return taken;
  }

  async function* items(): AsyncGenerator<Item[]> {
    for (const chunk of first) {
      splitter.push(chunk);
      yield take();
    }
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      splitter.push(next.value);
      yield take();
    }
    splitter.end();
    parser.end();
    settler.flush();
    yield take();
  }

  return { path, summary, progress: source.progress, facts, bad, losses, items: items() };
}
