/** One capture being read: bytes in, numbered events out, and what is known about the whole. */
import type { Bad, BinaryCollector, CaptureFacts, Lost, Parser } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';
import type { InputSummary } from '../model/report.ts';
import type { Shift } from './align.ts';
import type { Known, Member } from './capture-directory.ts';
import { detect, HEAD, isSniffedAs } from './detect.ts';
import { createIntake } from './intake.ts';
import { createLineSplitter } from './lines.ts';
import { type OpenFile, openRandomAccess, spool } from './random-access.ts';
import type { Item } from './settle.ts';
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
  /** Once no more of it is wanted, read to its end or not. */
  close(): Promise<void>;
}

/** @throws UserError when it cannot be read or is no capture */
export async function openCapture(
  { path, file = path, format, known }: Member,
  input: number,
  shift?: Shift,
): Promise<Capture> {
  return readCapture(path, await openSource(file), input, format, { known, shift });
}

interface Beside {
  readonly known?: Known | undefined;
  readonly shift?: Shift | undefined;
}

export async function readCapture(
  path: string,
  source: Source,
  input: number,
  format: string | undefined,
  { known, shift }: Beside = {},
): Promise<Capture> {
  const chunks = source.chunks[Symbol.asyncIterator]();
  try {
    return await readChunks(path, source, chunks, input, format, { known, shift });
  } catch (error) {
    await chunks.return?.();
    throw error;
  }
}

async function readChunks(
  path: string,
  source: Source,
  chunks: AsyncIterator<Buffer>,
  input: number,
  format: string | undefined,
  { known, shift }: Beside,
): Promise<Capture> {
  const first: Buffer[] = [];
  let size = 0;
  while (size < HEAD) {
    const { value, done } = await chunks.next();
    if (done === true) break;
    first.push(Buffer.from(value));
    size += value.length;
  }
  const head = Buffer.concat(first);
  const collector = detect(path, head, format);
  const isForced = format !== undefined && known === undefined && !isSniffedAs(collector, head);

  const intake = createIntake(path, collector.name, input, shift);
  const { summary, facts, bad, losses, sink, take } = intake;
  if (known !== undefined) {
    summary.capture = known.folder;
    sink.facts({ kernel: known.kernel, cpus: known.cpus });
  }
  for (const lost of known?.losses ?? []) sink.lost(lost);

  async function* textItems(parser: Parser): AsyncGenerator<Item[]> {
    const splitter = createLineSplitter(
      (bytes, start, end, line) => parser.line(bytes, start, end, line),
      parser.sieve,
    );
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
    tellCut(splitter.lines);
    refuseWrongFormat();
    intake.release();
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
    tellCut(records);
    refuseWrongFormat();
    intake.release();
    yield take(records);
  }

  function tellCut(line: number): void {
    const { cut } = source.progress;
    if (cut === undefined) return;
    sink.lost({ where: 'end', line });
    sink.facts({ reading: { cut } });
  }

  function refuseWrongFormat(): void {
    if (!isForced || summary.events > 0) return;
    throw new UserError(
      'unrecognised',
      `no ${collector.name} record in ${path === '-' ? 'stdin' : path}`,
      'leave out --format to have it recognised',
    );
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
  async function close(): Promise<void> {
    await items.return(undefined);
    await chunks.return?.();
  }
  return { path, summary, progress: source.progress, facts, bad, losses, items, close };
}
