/** `export` from its options to the file it writes. */
import { setImmediate } from 'node:timers/promises';
import { UserError } from '../model/errors.ts';
import type { Table } from '../model/table.ts';
import { eventsTable } from '../questions/events-table.ts';
import { createTimeline } from '../questions/timeline.ts';
import { csvLines } from '../report/csv.ts';
import { findingsTable } from '../report/findings-table.ts';
import { jsonLines } from '../report/json.ts';
import { createPerfettoWriter } from '../report/perfetto.ts';
import type { Store } from '../store/open-store.ts';
import type { Io } from './io.ts';
import { read } from './read.ts';
import { withStore } from './with-store.ts';
import { openAside, refuseInput } from './write-aside.ts';

interface ExportCommand {
  readonly to: 'perfetto' | 'csv' | 'ndjson' | 'parquet';
  readonly table: 'events' | 'findings';
  readonly format: string | undefined;
  /** `-` is stdout. */
  readonly output: string;
}

interface Sink {
  write(data: string | Uint8Array): void;
}

export async function runExport(inputs: readonly string[], command: ExportCommand, io: Io): Promise<void> {
  const { output, to } = command;
  if (output === '-') {
    if (to === 'parquet')
      throw new UserError('usage', 'parquet is binary and goes to a file', 'name one with -o FILE');
    return write(inputs, command, { write: (data) => io.stdout.write(String(data)) }, io);
  }
  refuseInput(output, inputs);
  const file = openAside(output);
  try {
    await write(inputs, command, file, io);
  } catch (error) {
    file.abandon();
    throw error;
  }
  file.commit();
}

async function write(
  inputs: readonly string[],
  { to, table, format }: ExportCommand,
  sink: Sink,
  io: Io,
): Promise<void> {
  if (to === 'perfetto') return writePerfetto(inputs, format, sink, io);
  await withStore(inputs, { format }, io, async (store) => {
    const rows = table === 'events' ? eventsTable(store) : findingsTable(store.report());
    if (to === 'parquet') await writeTable(rows, store, sink);
    else await writeLines(to === 'csv' ? csvLines(rows) : jsonLines(rows), sink);
  });
}

async function writeTable(table: Table, store: Store, sink: Sink): Promise<void> {
  const { writeParquet } = await import('../report/parquet.ts');
  const { name, version } = store.report().tool;
  writeParquet(table, `${name} version ${version}`, (bytes) => sink.write(bytes));
}

async function writePerfetto(
  inputs: readonly string[],
  format: string | undefined,
  sink: Sink,
  io: Io,
): Promise<void> {
  const toText = createPerfettoWriter();
  const chunks = createChunks(sink);
  const timeline = createTimeline((item) => chunks.add(toText(item)));
  timeline.end(await read(inputs, { format, onChange: timeline.change }, io));
  chunks.flush();
}

async function writeLines(lines: Iterable<string>, sink: Sink): Promise<void> {
  const chunks = createChunks(sink);
  for (const line of lines) {
    // Whoever reads may have seen enough, which is only noticed between two turns of the event loop.
    if (chunks.add(line)) await setImmediate();
  }
  chunks.flush();
}

const CHUNK = 1 << 16;

/** A system call for each line would take longer than the rest. */
function createChunks(sink: Sink) {
  let text = '';
  function flush(): void {
    if (text !== '') sink.write(text);
    text = '';
  }
  return {
    flush,
    /** @returns whether it wrote */
    add(more: string): boolean {
      text += more;
      if (text.length < CHUNK) return false;
      flush();
      return true;
    },
  };
}
