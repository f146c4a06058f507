import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { analyze } from './analyze.ts';
import { openSource } from './source.ts';
import { unpack } from './unpack.ts';

const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Contents {
  readonly text: string;
  readonly cut: string | undefined;
}

async function contents(bytes: Buffer, name = 'capture'): Promise<Contents> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const chunks: Buffer[] = [];
  const source = await openSource(path);
  for await (const chunk of source.chunks) chunks.push(Buffer.from(chunk));
  return { text: Buffer.concat(chunks).toString(), cut: source.progress.cut };
}

/** "# tracer: nop\n", 40 times, by `zstd -19` and by `xz`. */
const ZSTD = Buffer.from('28b52ffd0068ad00007023207472616365723a206e6f700a01001fa29a4a', 'hex');
const XZ = Buffer.from(
  'fd377a585a000004e6d6b4460200210116000000742fe5a3e0022f00175d0011880b078161397248fe04df7f4a5ebdb86696b249c0000000469ed22f5fb5be6f000133b0040000009d3e1edeb1c467fb020000000004595a',
  'hex',
);

test('a capture is read as it is, or unpacked by its magic', async () => {
  const forty = '# tracer: nop\n'.repeat(40);
  for (const packed of [Buffer.from(forty), gzipSync(forty), ZSTD, XZ, XZ])
    expect(await contents(packed)).toEqual({ text: forty, cut: undefined });
  expect((await contents(Buffer.concat([XZ, XZ]))).text).toBe(forty.repeat(2));
});

test('chunks are only lent, and unpackers are not disturbed by that', async () => {
  const lines = Array.from({ length: 100_000 }, (_, i) => `line ${i * 7919}\n`).join('');
  expect((await contents(Buffer.from(lines))).text).toBe(lines);
  // Random enough to fill several chunks when packed.
  const packed = gzipSync(lines, { level: 1 });
  expect(packed.length).toBeGreaterThan(2 << 17);
  expect((await contents(packed)).text).toBe(lines);
});

test('of a packed file that is cut off, what is there is read and the rest told', async () => {
  // Random enough not to fit into one block.
  const lines = Array.from({ length: 50_000 }, (_, index) => `${Math.imul(index, 2654435761)}\n`).join('');
  const packed = gzipSync(lines);
  const { text, cut } = await contents(packed.subarray(0, packed.length / 2));
  expect(text.length).toBeGreaterThan(100_000);
  expect(lines.startsWith(text)).toBe(true);
  expect(cut).toBe('gzip: unexpected end of file');
  const noTail = await contents(XZ.subarray(0, XZ.length - 12));
  expect(noTail).toEqual({ text: '# tracer: nop\n'.repeat(40), cut: 'xz: unexpected end of file' });
});

test('what is cut off is a loss that the findings know of', async () => {
  const path = join(folder, 'cut.gz');
  const packed = gzipSync(readFileSync('samples/tracefs/6.1-get-leak.txt'));
  writeFileSync(path, packed.subarray(0, packed.length - 20));
  const { report } = await analyze([path]);
  expect(report.inputs[0]).toMatchObject({ lost: 0, reading: { cut: 'gzip: unexpected end of file' } });
  expect(report.findings.find(({ rule }) => rule === 'trace-gap')).toMatchObject({
    title: expect.stringMatching(/^the file is cut off after line \d+$/),
    fix: { pattern: 'fetch it again' },
  });
  expect(report.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
});

test('what cannot be unpacked at all says so', async () => {
  for (const packed of [gzipSync('# tracer: nop\n').subarray(0, 8), ZSTD.subarray(0, 12), XZ.subarray(0, 20)])
    await expect(contents(packed)).rejects.toThrow(/capture: cannot be unpacked/);
});

test('two captures packed with xz are read side by side', async () => {
  const paths = ['a.xz', 'b.xz'].map((name) => {
    writeFileSync(join(folder, name), XZ);
    return join(folder, name);
  });
  const iterators = (await Promise.all(paths.map(openSource))).map(({ chunks }) =>
    chunks[Symbol.asyncIterator](),
  );
  const first = await Promise.all(iterators.map((iterator) => iterator.next()));
  expect(first.map(({ value }) => value?.length)).toEqual([560, 560]);
});

test('what cannot be read says why', async () => {
  await expect(openSource(join(folder, 'nowhere'))).rejects.toThrow('no such file');
  await expect(openSource(folder)).rejects.toThrow('is a directory');
});

test('what comes byte by byte is recognised, too', async () => {
  async function* bytes() {
    for (const byte of ZSTD) yield Buffer.of(byte);
  }
  let text = '';
  for await (const piece of unpack('packed', bytes(), 1 << 16, () => {})) text += piece.toString();
  expect(text).toBe('# tracer: nop\n'.repeat(40));
});

describe('a bomb of zstd', () => {
  /** A frame with a window of 2^`log` bytes, and blocks that repeat one byte `run` times. */
  function frame(log: number, run: number, blocks: number): Buffer {
    const block = Buffer.alloc(4);
    block.writeUIntLE((run << 3) | (1 << 1), 0, 3);
    const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3]);
    return Buffer.concat([head, ...Array.from({ length: blocks }, () => block)]);
  }
  async function* whole(bytes: Buffer) {
    yield bytes;
  }

  test('is not given the window it asks for, nor time for blocks of nothing', async () => {
    expect((await contents(frame(30, 9, 9))).cut).toBe('zstd: packed with a window of more than 128 MiB');
    expect((await contents(frame(27, 1, 4000))).cut).toMatch(/blocks too small/);
  });

  test('comes in pieces, however little of it was read', async () => {
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let length = 0;
    for await (const piece of unpack('packed', whole(frame(17, 1 << 17, 4000)), 1 << 16, () => {})) {
      if (length % (1 << 24) === 0) most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      length += piece.length;
    }
    expect(length).toBe(4000 << 17);
    // Half of it would be 260 MB.
    expect(most).toBeLessThan(200e6);
  });
});
