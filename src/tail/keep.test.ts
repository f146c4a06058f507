/** A store that is kept while a source is followed: whole after a kill, gone on with by the next run. */
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Report } from '../model/report.ts';
import type { TailLine } from '../model/tail-lines.ts';
import { analyze } from '../pipeline/analyze.ts';
import { keepLive, type LiveKeeper } from '../pipeline/keep-live.ts';
import { openStore } from '../store/open-store.ts';
import { createTailReader, type TailReader } from './reader.ts';

let folder: string;
let db: string;
let source: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
  db = join(folder, 'kept.db');
  source = join(folder, 'source');
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Run {
  readonly reader: TailReader;
  readonly keeper: LiveKeeper;
  readonly lines: TailLine[];
}

function start(file = true, name = source): Run {
  const keeper = keepLive(db, name, file);
  const lines: TailLine[] = [];
  return {
    reader: createTailReader({ path: name, keeper, tell: (line) => lines.push(line) }),
    keeper,
    lines,
  };
}

/** Of what the file holds now, in pieces; nobody waits for stacks here. */
function read(reader: TailReader, from = 0): void {
  const bytes = readFileSync(source);
  for (let at = from; at < bytes.length; at += 4099) reader.push(bytes.subarray(at, at + 4099), 0);
}

function end({ reader, keeper }: Run): Report {
  const report = reader.end(false);
  keeper.close();
  return report;
}

function stored() {
  const store = openStore(db);
  try {
    const { rows } = store.sql('SELECT input, line, kind FROM events ORDER BY seq');
    return { rows: rows.map((row) => row.join(' ')), losses: store.losses().length, inputs: store.inputs() };
  } finally {
    store.close();
  }
}

describe.each([
  'tracefs/6.1-get-leak.txt',
  'tracefs/6.1-release-after-exit.txt',
  'perf-script/6.1-get-leak.txt',
  'trace-cmd/3.1.6-report.txt',
  'bpftrace/6.1-leak.json',
  'kernel-log/6.1-stuck-unload-dmesg.txt',
])('%s', (sample) => {
  const path = join('samples', sample);

  test('killed three times while it grows is stored once, and judged as a whole', async () => {
    const bytes = readFileSync(path);
    for (const part of [0.2, 0.5, 0.8]) {
      const size = Math.floor(bytes.length * part);
      writeFileSync(source, bytes.subarray(0, size));
      const { reader, keeper } = start();
      read(reader);
      reader.tick(10_000);
      reader.commit();
      // What comes after the last commit is read again.
      appendFileSync(source, bytes.subarray(size, size + 3000));
      read(reader, size);
      keeper.close();
    }
    copyFileSync(path, source);
    const run = start();
    read(run.reader);
    const report = end(run);
    const whole = (await analyze([source], { db: join(folder, 'whole.db') })).report;
    expect(report).toEqual(whole);
    expect((await analyze([db])).report).toEqual(whole);
    const kept = stored();
    db = join(folder, 'whole.db');
    const once = stored();
    expect(kept.losses).toBe(once.losses);
    expect(kept.rows.toSorted()).toEqual(once.rows.toSorted());
  });
});

const LEAK = 'samples/tracefs/6.1-get-leak.txt';

test('what was told before is not told again', () => {
  copyFileSync(LEAK, source);
  const first = start();
  read(first.reader);
  first.reader.tick(10_000);
  first.reader.commit();
  first.keeper.close();
  expect(first.lines.length).toBeGreaterThan(0);
  const second = start();
  read(second.reader);
  second.reader.tick(10_000);
  expect(second.lines).toEqual([]);
  expect(second.reader.modules.size).toBe(first.reader.modules.size);
  second.keeper.close();
});

test.each([
  ['truncated', (bytes: Buffer) => bytes.subarray(0, 9000)],
  ['replaced', (bytes: Buffer) => Buffer.concat([Buffer.from('# another\n'), bytes])],
] as const)('a file that was %s meanwhile is another input, after a gap', (reason, change) => {
  copyFileSync(LEAK, source);
  end(startAndRead());
  writeFileSync(source, change(readFileSync(LEAK)));
  const run = startAndRead();
  expect(run.lines.filter(({ type }) => type === 'gap')).toMatchObject([{ reason, input: 1 }]);
  end(run);
  expect(stored().inputs).toMatchObject([
    { path: source, lost: 0 },
    { path: source, lost: 1 },
  ]);
  // Gone on with once more, the second input alone is read again.
  const again = startAndRead();
  expect(again.lines).toEqual([]);
  end(again);
  const { losses, inputs } = stored();
  expect(losses).toBe(1);
  expect(inputs.map(({ lost }) => lost)).toEqual([0, 1]);
});

test('a file that is replaced while it is read again is not taken for the one that was', () => {
  copyFileSync(LEAK, source);
  end(startAndRead());
  const { reader, keeper } = start();
  reader.push(readFileSync(LEAK).subarray(0, 9000), 0);
  expect(() => reader.restart('replaced')).toThrow(`${source} was replaced while it was read again`);
  keeper.close();
});

function startAndRead(file = true): Run {
  const run = start(file);
  read(run.reader);
  run.reader.tick(10_000);
  return run;
}

test('a pipe begins a new input after a gap', () => {
  copyFileSync(LEAK, source);
  end(startAndRead(false));
  const { events } = stored().inputs[0]!;
  const run = startAndRead(false);
  expect(run.lines.filter(({ type }) => type === 'gap')).toMatchObject([{ reason: 'unwatched', input: 1 }]);
  end(run);
  expect(stored().rows).toHaveLength(2 * events);
});

test('lines that could not be read are told of each run, and of a copy', async () => {
  const torn = readFileSync(LEAK, 'latin1').replaceAll(' refcnt=2', ' refcnt:2');
  for (const _run of [1, 2]) {
    const run = start(false, 'a pipe');
    run.reader.push(Buffer.from(torn, 'latin1'), 0);
    expect(end(run).inputs.at(-1)!.bad).toBeGreaterThan(0);
  }
  const { bad, report } = await analyze([db], { db: join(folder, 'copy.db') });
  const counts = bad.map(({ length }) => length);
  expect(counts).toEqual(report.inputs.map((input) => Math.min(20, input.bad)));
  expect(bad[0]).toEqual(bad[1]);
  const copy = openStore(join(folder, 'copy.db'));
  expect(copy.bad()).toEqual(bad);
  copy.close();
});

test('is asked by others meanwhile, each time as it stood at a commit', async () => {
  copyFileSync(LEAK, source);
  const run = startAndRead();
  run.reader.commit();
  const before = openStore(db);
  const { events } = before.report().inputs[0]!;
  expect(before.query('events', { module: 'ml_getleak' }).rows.length).toBeGreaterThan(0);
  const report = run.reader.end(false);
  expect(before.sql('SELECT count(*) FROM events').rows).toEqual([[events]]);
  expect(before.report().findings).toEqual([]);
  before.close();
  expect((await analyze([db])).report).toEqual(report);
  run.keeper.close();
});

test('is refused while another writes it, when it is of another source, and when it is no such store', async () => {
  copyFileSync(LEAK, source);
  const run = startAndRead();
  expect(() => start()).toThrow(`cannot write ${db}: another program has it open`);
  await expect(analyze([LEAK], { db })).rejects.toThrow(`cannot write ${db}: another program has it open`);
  end(run);
  expect(() => start(true, '/other')).toThrow(`${db} is of ${source}`);
  await analyze([LEAK], { db });
  expect(() => start()).toThrow(`${db} is not a store that tail keeps`);
  writeFileSync(db, 'notes');
  expect(() => start()).toThrow(`${db} exists and is not a modlife store`);
});

test('what a kill leaves beside a store does not get into the one that takes its place', async () => {
  copyFileSync(LEAK, source);
  const run = startAndRead();
  run.reader.commit();
  // As a kill leaves them: the log is not in the file yet.
  const left = join(folder, 'left.db');
  for (const suffix of ['', '-wal']) copyFileSync(`${db}${suffix}`, `${left}${suffix}`);
  end(run);
  const { report } = await analyze(['samples/tracefs/6.1-clean.txt'], { db: left });
  expect((await analyze([left])).report).toEqual(report);
});

test('a closed store is one file, as any other', () => {
  copyFileSync(LEAK, source);
  end(startAndRead());
  expect(readdirSync(folder).sort()).toEqual(['kept.db', 'source']);
  // Not of the kind that needs a log beside it: it can be read where nothing can be written.
  expect(readFileSync(db)[18]).toBe(1);
});
