/** One capture being read: bytes in, numbered events out, and what is known about the whole. */
import type { Bad, BinaryCollector, CaptureFacts, Lost, Parser, Sink } from '../model/collector.ts';
import type { Event } from '../model/event.ts';
import type { InputSummary } from '../model/report.ts';
import { detect, HEAD } from './detect.ts';
import { createLineSplitter } from './lines.ts';
import { type OpenFile, openRandomAccess, spool } from './random-access.ts';
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
  const head = Buffer.concat(first);
  const collector = detect(path, head, format);

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
      if (facts.end !== undefined) summary.end = facts.end;
      summary.clock = facts.clock ?? 'none';
    },
  };

  function take(lines: number): Item[] {
    const taken = batch;
    batch = [];
    summary.lines = lines;
    summary.skipped = Math.max(0, lines - summary.events - summary.bad);
    return taken;
  }

  async function* textItems(parser: Parser): AsyncGenerator<Item[]> {
    const splitter = createLineSplitter((bytes, start, end, line) => parser.line(bytes, start, end, line));
    for (const chunk of first) {
      splitter.push(chunk);
      yield take(splitter.lines);
    }
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      splitter.push(next.value);
      yield take(splitter.lines);
    }
    splitter.end();
    parser.end();
    settler.flush();
    yield take(splitter.lines);
  }

  async function* binaryItems({ read }: BinaryCollector): AsyncGenerator<Item[]> {
    const file = await wholeFile();
    let records = 0;
    try {
      for (records of read(file, sink)) yield take(records);
    } finally {
      file.close();
    }
    settler.flush();
    yield take(records);
  }

  async function wholeFile(): Promise<OpenFile> {
    if (source.file !== undefined) {
      const file = openRandomAccess(source.file, source.progress);
      // A packed one begins with other bytes than what was unpacked from it.
      if (file.read(0, head.length).equals(head)) {
        await chunks.return?.();
        return file;
      }
      file.close();
    }
    return spool(
      (async function* () {
        yield* first;
        for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
      })(),
    );
  }

  const items = 'read' in collector ? binaryItems(collector) : textItems(collector.createParser(sink));
  return { path, summary, progress: source.progress, facts, bad, losses, items };
}
