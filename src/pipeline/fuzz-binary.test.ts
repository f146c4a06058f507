/**
 * What is no text, or is text inside something else, by itself: trace.dat, what a capture is packed in, stores,
 * quotations. Lengths that lie, offsets that point anywhere, cuts; `npm run fuzz` does it for ten minutes.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { traceDat } from '../../collectors/trace-dat/collector.ts';
import { readContainer } from '../../collectors/trace-dat/container.ts';
import type { RandomAccess } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';
import type { Event } from '../model/event.ts';
import { MANIFEST } from '../model/manifest.ts';
import { packageRoot } from '../package-root.ts';
import { listQueries } from '../store/list-queries.ts';
import { openStore } from '../store/open-store.ts';
import { damage, lie, random } from '../testing/damage.ts';
import { captureOf } from '../testing/read-text.ts';
import { analyze } from './analyze.ts';
import { openInputs } from './capture-directory.ts';
import { unpackPiece } from './random-access.ts';
import { unpack } from './unpack.ts';

const SECONDS = Number(process.env.FUZZ_SECONDS ?? 3);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
/** Of the tests in this file, each its share. */
const SHARES = 9;

const samples = join(packageRoot(), 'samples');
const sample = (name: string) => readFileSync(join(samples, name));

/** Runs until its time is over. What it throws is told with what repeats it; a UserError is an answer. */
async function fuzz(name: string, once: (below: (n: number) => number) => unknown): Promise<void> {
  const until = Date.now() + (SECONDS * 1000) / SHARES;
  const below = random(SEED);
  let runs = 0;
  for (; runs === 0 || Date.now() < until; runs++) {
    try {
      await once(below);
    } catch (error) {
      if (!(error instanceof UserError))
        throw new Error(`run ${runs} of seed ${SEED}, ${name}`, { cause: error });
    }
  }
  console.log(`${runs} runs of ${name}, seed ${SEED}`);
}

const LONGEST = (SECONDS + 30) * 1000;

function damagedOften(bytes: Buffer, below: (n: number) => number): Buffer {
  let damaged = bytes;
  for (let times = 1 + below(4); times > 0; times--)
    damaged = below(2) === 0 ? lie(damaged, below) : damage(damaged, below);
  return below(4) === 0 ? damaged.subarray(0, below(damaged.length)) : damaged;
}

describe('trace.dat', () => {
  /** Told of record by record, whatever the records around it are. */
  const BY_ITSELF = /^(?:module_(?:load|free|get|put)|function_)/;
  /** Looking must not take longer than in proportion to the file: how often a table of a small one may be asked. */
  const MOST_LOOKS = 1 << 17;
  const MOST_UNPACKED = 2 ** 30;

  function inMemory(bytes: Buffer): RandomAccess {
    let looks = 0;
    let unpacked = 0;
    return {
      size: bytes.length,
      read(offset, length) {
        if (looks++ > MOST_LOOKS) throw new Error('read again and again');
        return bytes.subarray(offset, Math.max(offset, offset + length));
      },
      unpack(method, packed, size) {
        unpacked += size;
        if (unpacked > MOST_UNPACKED) throw new Error('unpacked again and again');
        return unpackPiece(method, packed, size);
      },
    };
  }

  function read(bytes: Buffer): Event[] {
    const events: Event[] = [];
    const sink = { event: (event: Event) => events.push(event), lost() {}, bad() {}, facts() {} };
    for (const records of traceDat.read(inMemory(bytes), sink)) expect(records).toBeLessThan(1 << 20);
    for (const { ts, line } of events) {
      if (Number.isNaN(ts) || line < 1) throw new Error('stray event');
    }
    return events;
  }

  function tally(events: readonly Event[]): Map<string, number> {
    const counts = new Map<string, number>();
    for (const event of events.filter(({ kind }) => BY_ITSELF.test(kind))) {
      const { line: _line, stack: _stack, ...rest } = event;
      const key = JSON.stringify(rest);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }

  interface Piece {
    readonly bytes: Buffer;
    readonly start: number;
    readonly end: number;
    /** What the rest of the file tells. */
    readonly others: ReadonlyMap<string, number>;
  }

  /** Pages, or what one CPU recorded where that is packed. */
  function piecesOf(bytes: Buffer): Piece[] {
    const { instances } = readContainer(inMemory(bytes), () => expect.unreachable());
    return instances.flatMap(({ pageSize, regions }) =>
      regions.flatMap(({ offset, size, packed }) => {
        const step = packed === undefined ? pageSize : size;
        return Array.from({ length: Math.ceil(size / step) }, (_, index) => {
          const start = offset + index * step;
          const end = Math.min(offset + size, start + step);
          const without = Buffer.from(bytes).fill(0, start, end);
          return { bytes, start, end, others: tally(read(without)) };
        });
      }),
    );
  }

  const files = ['trace-dat/3.1.6-v6.dat', 'trace-dat/3.1.6-v7-zstd.dat'].map(sample);

  test(
    'a page that is damaged takes nothing from the others',
    async () => {
      const pieces = files.flatMap(piecesOf);
      expect(pieces).toHaveLength(4);
      await fuzz('pages of trace.dat', (below) => {
        const { bytes, start, end, others } = pieces[below(pieces.length)]!;
        let inside: Buffer = bytes.subarray(start, end);
        for (let times = 1 + below(4); times > 0; times--) inside = lie(inside, below);
        const damaged = Buffer.concat([bytes.subarray(0, start), inside, bytes.subarray(end)]);
        const now = tally(read(damaged));
        for (const [event, times] of others) {
          if ((now.get(event) ?? 0) < times) throw new Error(`no more: ${event}`);
        }
      });
    },
    LONGEST,
  );

  test(
    'lengths that lie, sections that overlap and cuts end it soon',
    () =>
      fuzz('the structure of trace.dat', (below) => {
        read(damagedOften(files[below(files.length)]!, below));
      }),
    LONGEST,
  );
});

describe('unpacking', () => {
  const text = sample('tracefs/6.1-init-fails.txt').subarray(0, 8000);
  /** By `zstd -19` and by `xz`: 40 times the same line. */
  const forty = Buffer.from('# tracer: nop\n'.repeat(40));
  const ZSTD = Buffer.from('28b52ffd0068ad00007023207472616365723a206e6f700a01001fa29a4a', 'hex');
  const XZ = Buffer.from(
    'fd377a585a000004e6d6b4460200210116000000742fe5a3e0022f00175d0011880b078161397248fe04df7f4a5ebdb86696b249c0000000469ed22f5fb5be6f000133b0040000009d3e1edeb1c467fb020000000004595a',
    'hex',
  );
  const ZSTD_PAGE = sample('trace-dat/3.1.6-v7-zstd.dat').subarray(4108, 4108 + 772);
  const page = unpackPiece('zstd', ZSTD_PAGE, 4096)!;
  const packings: Record<string, readonly (readonly [packed: Buffer, whole: Buffer])[]> = {
    gzip: [
      [gzipSync(text), text],
      [gzipSync(forty), forty],
    ],
    zstd: [
      [ZSTD, forty],
      [ZSTD_PAGE, page],
    ],
    xz: [[XZ, forty]],
  };

  async function unpacked(packed: Buffer, chunk: number): Promise<Buffer> {
    async function* chunks() {
      for (let at = 0; at < packed.length; at += chunk) yield packed.subarray(at, at + chunk);
    }
    const pieces: Buffer[] = [];
    for await (const piece of unpack('packed', chunks(), 1 << 16, () => {})) pieces.push(Buffer.from(piece));
    return Buffer.concat(pieces);
  }

  test.each(Object.entries(packings))(
    '%s that is damaged gives what can be had',
    (name, corpus) =>
      fuzz(name, async (below) => {
        const [packed, whole] = corpus[below(corpus.length)]!;
        const chunk = 1 + below(packed.length);
        if (below(3) === 0) {
          const cut = packed.subarray(0, below(packed.length));
          const there = await unpacked(cut, chunk);
          // So short that it is not recognised as packed, it is itself.
          if (cut.length > 6 && !whole.subarray(0, there.length).equals(there))
            throw new Error('not its beginning');
        } else {
          await unpacked(damagedOften(packed, below), chunk);
        }
      }),
    LONGEST,
  );
});

describe('in files', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'modlife-fuzz-'));
  const path = join(scratch, 'damaged');
  const temporary = join(scratch, 'temporary');
  beforeAll(() => {
    mkdirSync(temporary);
    vi.stubEnv('TMPDIR', temporary);
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(scratch, { recursive: true });
  });

  test(
    'a capture directory in a damaged tar leaves nothing behind and nothing elsewhere',
    async () => {
      const manifest = {
        schema: MANIFEST,
        tool: { name: 'modlife', version: '0.1.0' },
        state: 'complete',
        backend: 'tracefs',
        kernel: { release: '6.1.0', machine: 'x86_64', cpus: 2 },
        clock: 'mono',
        begin: 0,
        end: null,
        command: null,
        streams: ['trace.txt'],
        kernelLog: null,
        symbols: ['symbols/a.txt'],
        plan: { clock: 'mono', events: [], probes: [], watched: [], missing: [] },
        notProbed: [],
        lost: [{ cpu: 1, lost: 3, told: 1 }],
        missed: [],
      };
      const folder = join(scratch, 'capture');
      mkdirSync(join(folder, 'symbols'), { recursive: true });
      writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
      writeFileSync(join(folder, 'trace.txt'), sample('tracefs/6.1-init-fails.txt').subarray(0, 2000));
      writeFileSync(join(folder, 'symbols', 'a.txt'), sample('kallsyms/6.1-get-leak.txt').subarray(0, 1000));
      const tar = join(scratch, 'whole.tar');
      execFileSync('tar', ['cf', tar, '-C', scratch, 'capture']);
      const whole = readFileSync(tar);
      writeFileSync(path, whole);
      expect((await analyze([path])).report.inputs).toHaveLength(2);
      const elsewhere = readdirSync(scratch).sort();
      await fuzz('tar', async (below) => {
        writeFileSync(path, damagedOften(whole, below));
        try {
          (await openInputs([path], undefined)).close();
        } finally {
          expect(readdirSync(temporary)).toEqual([]);
        }
      });
      expect(readdirSync(scratch).sort()).toEqual(elsewhere);
    },
    LONGEST,
  );

  test(
    'a damaged store answers or is called damaged',
    async () => {
      const db = join(scratch, 'whole.db');
      await analyze([join(samples, 'tracefs/6.1-get-leak-fixed.txt')], { db });
      const whole = readFileSync(db);
      const { length } = whole;
      const asked = listQueries().filter(({ parameters }) => parameters.every(({ optional }) => optional));
      expect(asked.length).toBeGreaterThan(3);
      await fuzz('stores', async (below) => {
        let damaged: Buffer = whole;
        for (let times = 1 + below(4); times > 0; times--) damaged = lie(damaged, below);
        if (below(4) === 0) damaged = damaged.subarray(0, below(length));
        writeFileSync(path, damaged);
        const store = openStore(path);
        try {
          store.report();
          store.query(asked[below(asked.length)]!.name);
        } finally {
          store.close();
        }
        await analyze([path]);
      });
    },
    LONGEST,
  );
});

describe('inside something else', () => {
  const wrappings: readonly ((text: string) => string)[] = [
    (text) => `On Monday Jo wrote:\n>\n${text.replace(/^/gm, '> ')}\n`,
    (text) => `Hi,\n\`\`\`\n${text}\n\`\`\`\nand\n\`\`\`\n${text}\`\`\`\n`,
    (text) => `<html><pre>${text.replaceAll('<', '&lt;')}</pre>`,
    (text) => text.replace(/^/gm, '2024-05-01T12:00:00.1234567Z '),
    (text) => text.replace(/^/gm, '    '),
    (text) => text.replace(/^/gm, '\x1b[0;m').replace(/$/gm, '\r'),
    (text) => text.replace(/^.{60,72} /gm, '> $&\n'),
  ];
  const traces = [
    'tracefs/6.1-get-leak.txt',
    'trace-cmd/3.1.6-report.txt',
    'perf-script/6.1-get-leak.txt',
  ].map((name) => sample(name).toString('latin1').split('\n'));

  test(
    'a damaged quotation is read, and its lines are those of the file',
    () =>
      fuzz('quotations', async (below) => {
        const lines = traces[below(traces.length)]!;
        const from = below(lines.length);
        const text = [...lines.slice(0, 12), ...lines.slice(from, from + 20)].join('\n');
        let bytes: Buffer = Buffer.from(wrappings[below(wrappings.length)]!(text), 'latin1');
        for (let times = 1 + below(3); times > 0; times--) bytes = damage(bytes, below, 100);
        const { items, summary } = await captureOf(bytes, 1 + below(bytes.length));
        for await (const batch of items) {
          for (const item of batch) {
            if (item.kind !== 'lost' && !(item.line >= 1 && item.line <= summary.lines))
              throw new Error('stray event');
          }
        }
      }),
    LONGEST,
  );
});
