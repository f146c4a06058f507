/** What a capture is packed in, recognised by its magic, never by the file's name; and the bytes that were packed. */
import { createRequire } from 'node:module';
import { ReadableStream } from 'node:stream/web';
import { createGunzip } from 'node:zlib';
import type { XzReadableStream } from 'xz-decompress';
import { UserError } from '../model/errors.ts';

type Packing = 'gzip' | 'zstd' | 'xz';
type Unpacker = (chunks: AsyncGenerator<Buffer>, chunk: number) => AsyncGenerator<Buffer>;

const MAGICS: readonly (readonly [Packing, Buffer])[] = [
  ['gzip', Buffer.from([0x1f, 0x8b])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])],
];
const LONGEST_MAGIC = Math.max(...MAGICS.map(([, magic]) => magic.length));

/** @param head the first bytes; undefined for what is not packed */
export function packingOf(head: Buffer): Packing | undefined {
  return MAGICS.find(([, magic]) => head.subarray(0, magic.length).equals(magic))?.[0];
}

/**
 * @param chunk bytes to unpack at a time
 * @param cut told why there is no more, when the rest cannot be unpacked
 * @throws UserError when nothing can
 */
export async function* unpack(
  path: string,
  chunks: AsyncGenerator<Buffer>,
  chunk: number,
  cut: (reason: string) => void,
): AsyncGenerator<Buffer> {
  // A pipe may give less than a magic at a time.
  let first: Buffer = Buffer.alloc(0);
  while (first.length < LONGEST_MAGIC) {
    const { value } = await chunks.next();
    if (value === undefined) break;
    first = Buffer.concat([first, value]);
  }
  if (first.length === 0) return;
  const all = from(first, chunks);
  const packing = packingOf(first);
  if (packing === undefined) {
    yield* all;
    return;
  }
  let unpacked = 0;
  try {
    for await (const bytes of UNPACKERS[packing](copied(all), chunk)) {
      unpacked += bytes.length;
      yield bytes;
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const reason = `${packing}: ${error instanceof Error ? error.message : String(error)}`;
    if (unpacked > 0) cut(reason);
    else throw new UserError('noinput', `${path}: cannot be unpacked: ${reason}`, 'unpack it by hand first');
  }
}

async function* from(first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield first;
    yield* rest;
  } finally {
    // Left at the first one, the rest was not asked for yet.
    await rest.return(undefined);
  }
}

/** Unpackers work on what they were given while the next chunk is read. */
async function* copied(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}

async function* unzstd(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  // Loaded when needed; Node 20 has no zstd of its own.
  const { Decompress } = await import('fzstd');
  let out: Buffer[] = [];
  let given = 0;
  let moved = 0;
  const stream = new Decompress((chunk) => {
    out.push(Buffer.from(chunk));
    given += chunk.length;
    const window = windowOf(stream);
    moved += window;
    if (window > LARGEST_WINDOW) throw new Error('packed with a window of more than 128 MiB');
    if (moved > MOST_MOVED + MOST_MOVED_PER_BYTE * given)
      throw new Error('packed in blocks too small to be unpacked in any time');
  });
  /** Also what came before the place where it is damaged. */
  function* push(bytes: Uint8Array, final: boolean): Generator<Buffer> {
    let broken: unknown;
    try {
      stream.push(bytes, final);
    } catch (error) {
      broken = error;
    }
    yield* out;
    out = [];
    if (broken !== undefined) throw broken;
  }
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += SLICE) yield* push(chunk.subarray(at, at + SLICE), false);
  }
  yield* push(new Uint8Array(0), true);
}

/** Four bytes may unpack to 128 KiB, and the library holds what a slice unpacks to. */
const SLICE = 1 << 10;
/** What `zstd -d` takes by itself. */
const LARGEST_WINDOW = 1 << 27;
/** The library moves its whole window for each block: a second or two of that, or what blocks of their usual size need. */
const MOST_MOVED = 2 ** 33;
const MOST_MOVED_PER_BYTE = 2048;

/** Of the frame being unpacked, which the library keeps to itself. */
function windowOf(stream: object): number {
  const { s: frame } = stream as { readonly s?: { readonly w?: Uint8Array } | number };
  return typeof frame === 'object' ? (frame.w?.length ?? 0) : 0;
}

async function* gunzip(chunks: AsyncGenerator<Buffer>, chunkSize: number): AsyncGenerator<Buffer> {
  const stream = createGunzip({ chunkSize });
  const feed = (async () => {
    const drained = () => new Promise<void>((resolve) => stream.once('drain', resolve));
    for await (const chunk of chunks) if (!stream.write(chunk)) await drained();
    stream.end();
  })();
  feed.catch((error) => stream.destroy(error));
  try {
    yield* stream;
  } finally {
    // Left early, nobody drains it any more.
    await chunks.return(undefined);
  }
}

async function* unxz(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const packed = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });
  const Stream = loadXz();
  try {
    for await (const chunk of new Stream(packed))
      yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  } catch (error) {
    const code = /error code (\d+)/.exec(String(error))?.[1];
    throw code === undefined ? error : new Error(XZ_ERRORS[code] ?? `error ${code}`);
  } finally {
    await chunks.return(undefined);
  }
}

/** enum xz_ret of XZ Embedded (linux/xz.h), which that library is made of. */
const XZ_ERRORS: Readonly<Record<string, string>> = {
  3: 'out of memory',
  4: 'packed with a dictionary of more than 64 MiB',
  5: 'not an xz file',
  6: 'packed with a filter or checksum that is not supported',
  7: 'the data is corrupt',
  8: 'unexpected end of file',
};

/** A copy of the library unpacks one stream at a time, but captures that are merged are read side by side. */
function loadXz(): typeof XzReadableStream {
  const require = createRequire(import.meta.url);
  delete require.cache[require.resolve('xz-decompress')];
  const { XzReadableStream: Stream } = require('xz-decompress') as typeof import('xz-decompress');
  return Stream;
}

const UNPACKERS: Readonly<Record<Packing, Unpacker>> = { gzip: gunzip, zstd: unzstd, xz: unxz };
