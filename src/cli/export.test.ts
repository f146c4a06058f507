import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parse as parseCsv } from 'csv-parse/sync';
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { asyncBufferFromFile } from 'hyparquet/src/node.js';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { Table } from '../model/table.ts';
import type { TimelineItem } from '../model/timeline.ts';
import { writeParquet } from '../report/parquet.ts';
import { createPerfettoWriter } from '../report/perfetto.ts';
import { PAYLOAD } from '../testing/page-of.ts';
import { runCli } from '../testing/run-cli.ts';

const samples = [
  'samples/tracefs/6.12-forced-unload.txt',
  'samples/tracefs/6.1-get-leak-fixed.txt',
  'samples/trace-cmd/3.1.6-clock-x86-tsc.txt',
];
const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const exported = async (...args: string[]) => (await runCli(['export', ...args])).stdout;

/** https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU */
const track = { pid: z.number().int().positive(), tid: z.number().int().positive() };
const ts = z.number();
const named = { name: z.string(), cat: z.string() };
const eventSchema = z.discriminatedUnion('ph', [
  z.strictObject({
    ph: z.literal('M'),
    name: z.enum(['process_name', 'thread_name', 'process_sort_index', 'thread_sort_index']),
    ...track,
    tid: track.tid.optional(),
    args: z.union([z.strictObject({ name: z.string() }), z.strictObject({ sort_index: z.number().int() })]),
  }),
  z.strictObject({
    ph: z.literal('X'),
    ...named,
    ...track,
    ts,
    dur: z.literal(0),
    bind_id: z
      .string()
      .regex(/^0x[0-9a-f]+$/)
      .optional(),
    flow_out: z.literal(true).optional(),
    flow_in: z.literal(true).optional(),
    args: z.looseObject({ incarnation: z.number().int() }),
  }),
  z.strictObject({
    ph: z.literal('B'),
    ...named,
    cat: z.literal('state'),
    ...track,
    ts,
    args: z.strictObject({ incarnation: z.number().int() }),
  }),
  z.strictObject({ ph: z.literal('E'), ...named, cat: z.literal('state'), ...track, ts }),
  z.strictObject({
    ph: z.literal('C'),
    name: z.literal('references'),
    pid: track.pid,
    ts,
    args: z.strictObject({ held: z.number().int() }),
  }),
  z.strictObject({ ph: z.literal('i'), ...named, ...track, ts, s: z.literal('t'), args: z.looseObject({}) }),
]);
const documentSchema = z.strictObject({
  displayTimeUnit: z.literal('ns'),
  traceEvents: z.array(eventSchema),
  otherData: z.object({ tool: z.object(), inputs: z.array(z.object()) }),
});

/** The slices of states, as Perfetto has them: it sorts by time, of one time the ends first, and keeps a stack. */
function statesOf({ traceEvents }: z.infer<typeof documentSchema>) {
  const open = new Map<string, { name: string; ts: number; incarnation: number }[]>();
  const sorted = traceEvents
    .flatMap((event) => {
      const { ph } = event;
      return (ph === 'B' || ph === 'E' || ph === 'X') && event.cat === 'state' ? [event] : [];
    })
    .sort((a, b) => a.ts - b.ts || Number(b.ph === 'E') - Number(a.ph === 'E'));
  const slices = sorted.flatMap((event) => {
    const { name, ts, pid, tid } = event;
    const key = `${pid} ${tid}`;
    const stack = open.get(key) ?? [];
    open.set(key, stack);
    const begun = event.ph === 'E' ? stack.pop() : { name, ts, incarnation: event.args.incarnation };
    expect(stack).toEqual([]);
    expect(begun).toMatchObject({ name });
    if (event.ph === 'B') stack.push(begun!);
    return event.ph === 'B' ? [] : [{ ...begun!, end: ts }];
  });
  expect([...open.values()].flat()).toEqual([]);
  return slices;
}

/** The flows, as Perfetto has them: each binds to the very slices that name it. */
function flowsOf({ traceEvents }: z.infer<typeof documentSchema>) {
  const left = new Map<string, { name: string; ts: number }>();
  return traceEvents.flatMap((event) => {
    if (event.ph !== 'X' || event.bind_id === undefined) return [];
    expect(event.flow_out).not.toBe(event.flow_in);
    expect(left.has(event.bind_id)).toBe(event.flow_in === true);
    const get = left.get(event.bind_id);
    if (get !== undefined) return [{ from: get.name, to: event.name, lasts: event.ts - get.ts }];
    left.set(event.bind_id, event);
    return [];
  });
}

describe.each(samples)('%s', (sample) => {
  const golden = (format: string) => `transcripts/export/${basename(sample, '.txt')}.${format}`;

  test('for Perfetto is as its golden, and Trace Event Format', async () => {
    const text = await exported('--to', 'perfetto', sample);
    await expect(text).toMatchFileSnapshot(golden('perfetto'));
    const document = documentSchema.parse(JSON.parse(text));
    const flows = flowsOf(document);
    expect(flows.length).toBeGreaterThan(0);
    for (const { from, to } of flows)
      expect([from, to]).toEqual([expect.stringMatching(/^get /), expect.stringMatching(/^put /)]);
    const { traceEvents } = document;
    const tracks = new Set(
      traceEvents.flatMap((event) => (event.ph === 'M' ? [`${event.pid} ${event.tid ?? ''}`] : [])),
    );
    for (const event of traceEvents)
      if ('tid' in event) expect(tracks).toContain(`${event.pid} ${event.tid}`);
  });

  test('as CSV and NDJSON is as its golden, and what query answers', async () => {
    const [csv, ndjson] = [await exported('--to', 'csv', sample), await exported('--to', 'ndjson', sample)];
    await expect(csv).toMatchFileSnapshot(golden('csv'));
    await expect(ndjson).toMatchFileSnapshot(golden('ndjson'));
    const { columns, rows } = JSON.parse((await runCli(['query', 'events', '--json', sample])).stdout);
    const [header, ...cells]: string[][] = parseCsv(csv);
    expect(header).toEqual(columns);
    expect(cells).toEqual(
      rows.map((row: unknown[]) => row.map((cell) => (cell === null ? '' : String(cell)))),
    );
    expect(
      ndjson
        .trimEnd()
        .split('\n')
        .map((line) => Object.values(JSON.parse(line))),
    ).toEqual(rows);
  });

  test.each(['events', 'findings'])('as Parquet is read back as the %s it holds', async (table) => {
    const path = join(folder, 'a.parquet');
    expect(await exported('--to', 'parquet', '--table', table, '-o', path, sample)).toBe('');
    const lines = (await exported('--to', 'ndjson', '--table', table, sample)).split('\n').filter(Boolean);
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
    const plain = JSON.stringify(rows, (_, cell) => (typeof cell === 'bigint' ? Number(cell) : cell));
    expect(JSON.parse(plain)).toEqual(lines.map((line) => JSON.parse(line)));
  });
});

test.each([
  ['tracefs/6.1-get-leak-fixed.txt', ['unformed', 'coming', 'live', 'going'], 0],
  // Nanoseconds, which no double of microseconds holds exactly.
  ['bpftrace/6.12-leak.txt', ['coming', 'live'], 1],
  ['tracefs/6.1-init-fails-timer-pending.txt', ['unformed', 'coming', 'going'], 0],
])(
  'the states in %s follow each other without gaps, and the count ends at what is held',
  async (sample, names, held) => {
    const document = documentSchema.parse(
      JSON.parse(await exported('--to', 'perfetto', `samples/${sample}`)),
    );
    const states = statesOf(document);
    expect(states.map(({ name }) => name)).toEqual(names);
    expect(states.slice(1).map(({ ts }) => ts)).toEqual(states.slice(0, -1).map(({ end }) => end));
    expect(document.traceEvents.findLast((event) => event.ph === 'C')!.args).toEqual({ held });
  },
);

test('states and references of one tick of the clock stay apart', async () => {
  const sample = 'samples/tracefs/6.12-options/clock-uptime.txt';
  const document = documentSchema.parse(JSON.parse(await exported('--to', 'perfetto', sample)));
  const ticks = statesOf(document).filter(({ ts, end }) => ts === end);
  expect(ticks.map(({ name }) => name)).toEqual(['coming', 'going']);
  const flows = flowsOf(document);
  expect(flows).toContainEqual({ from: 'get misc_open', to: 'put __fput', lasts: 0 });
  expect(flows).toHaveLength(2);
});

test('loads that the ledger has let go of have their states, too', async () => {
  const loads = 3000;
  const record = (at: number, event: string) =>
    `          insmod-42      [000] .....  ${at.toFixed(6).padStart(11)}: ${event}\n`;
  const path = join(folder, 'loads.txt');
  writeFileSync(
    path,
    Array.from(
      { length: loads },
      (_, at) => record(at + 1, 'module_load: foo') + record(at + 1.5, 'module_free: foo'),
    ).join(''),
  );
  const states = statesOf(documentSchema.parse(JSON.parse(await exported('--to', 'perfetto', path))));
  expect(new Set(states.map(({ incarnation }) => incarnation)).size).toBe(loads);
});

test('a capture without events is a document all the same', () => {
  const text = createPerfettoWriter()({ type: 'end', tool: { name: 'modlife', version: '0' }, inputs: [] });
  expect(documentSchema.parse(JSON.parse(text)).traceEvents).toEqual([]);
});

test.each([PAYLOAD, ']}', '\u0000\n\ud800', 'state', ''])(
  'a module or task named %j breaks nothing',
  (name) => {
    const write = createPerfettoWriter();
    const item: TimelineItem = {
      type: 'reference',
      what: 'get',
      module: name,
      incarnation: 1,
      ns: 1,
      task: { comm: name, pid: 1 },
      cpu: 0,
      context: 'task',
      site: name,
      refcnt: 2,
      pair: undefined,
      input: 0,
      line: 1,
    };
    const text = write(item) + write({ type: 'end', tool: { name: 'modlife', version: '0' }, inputs: [] });
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]|(?<!\\)\\ud[89a-f]/);
    expect(documentSchema.parse(JSON.parse(text)).traceEvents).toHaveLength(7);
  },
);

test('Parquet is written in row groups as the rows come, never held as a whole', async () => {
  let most = 0;
  let taken = 0;
  let written = 0;
  const chunks: Uint8Array[] = [];
  const table: Table = {
    columns: [
      { name: 'n', type: 'integer' },
      { name: 'text', type: 'text' },
    ],
    rows: (function* () {
      for (; taken < 110_000; taken++) yield [taken % 7 === 0 ? null : taken, `row ${taken} ${PAYLOAD}`];
    })(),
  };
  writeParquet(table, 'modlife', (bytes) => {
    most = Math.max(most, taken - written);
    written = taken;
    chunks.push(bytes.slice());
  });
  expect(most).toBeLessThanOrEqual(20_000);
  const path = join(folder, 'long.parquet');
  writeFileSync(path, Buffer.concat(chunks));
  const file = await asyncBufferFromFile(path);
  const { row_groups, num_rows, created_by } = await parquetMetadataAsync(file);
  expect([row_groups.length, Number(num_rows), created_by]).toEqual([6, 110_000, 'modlife']);
  expect(await parquetReadObjects({ file, rowStart: 79_999, rowEnd: 80_001 })).toEqual([
    { n: 79_999n, text: `row 79999 ${PAYLOAD}` },
    { n: 80_000n, text: `row 80000 ${PAYLOAD}` },
  ]);
});

test('every cell of every sample is of the type that its column has', async () => {
  const files = readdirSync('samples', { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.(txt|json|dat)$/.test(name) && !name.includes('expected'),
  );
  for (const name of files.filter((_, index) => index % 9 === 0)) {
    const path = join(folder, 'types.parquet');
    const { status, stderr } = await runCli(['export', '--to', 'parquet', '-o', path, join('samples', name)]);
    // A few samples are there because they cannot be read.
    expect([0, 2], stderr).toContain(status);
  }
});

describe('the file', () => {
  const path = join(folder, 'out.json');

  test('is the old one until the new one is whole', async () => {
    writeFileSync(path, 'old');
    const { status } = await runCli(['export', '--to', 'perfetto', '-o', path, 'samples/README.md']);
    expect(status).toBe(2);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder).filter((name) => name.endsWith('.partial'))).toEqual([]);
    await exported('--to', 'perfetto', '-o', path, samples[0]!);
    expect(readFileSync(path, 'utf8')).toBe(await exported('--to', 'perfetto', samples[0]!));
  });

  test('is never a capture that is read', async () => {
    const capture = join(folder, 'capture.txt');
    writeFileSync(capture, readFileSync(samples[0]!));
    const { stderr, status } = await runCli(['export', '--to', 'csv', '-o', capture, capture]);
    expect(stderr).toContain('is a capture to be read');
    expect(status).toBe(2);
  });

  test('must be named for what no terminal can show', async () => {
    const { stdout, stderr, status } = await runCli(['export', '--to', 'parquet', samples[0]!]);
    expect([stdout, status]).toEqual(['', 2]);
    expect(stderr).toContain('-o FILE');
    expect(existsSync('-')).toBe(false);
  });
});

test('a store is exported as its capture is', async () => {
  const db = join(folder, 'a.db');
  await runCli(['analyze', '--db', db, samples[0]!]);
  for (const to of ['perfetto', 'csv', 'ndjson'])
    expect(await exported('--to', to, db)).toBe(await exported('--to', to, samples[0]!));
});
