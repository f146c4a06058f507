/** Bytes of a capture, whatever it is packed in. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { UserError } from '../model/errors.ts';

/** Small enough that the events of one chunk die young, large enough that reading costs nothing. */
const CHUNK = 1 << 17;

/** How much of the file has been read so far, for progress. */
export interface Progress {
  bytes: number;
  /** Size of the file on disk; undefined for a pipe. */
  total: number | undefined;
}

export interface Source {
  readonly chunks: AsyncIterable<Buffer>;
  readonly progress: Progress;
  /** Where the same bytes lie, if they do so in a plain file. A packed one is found to be so when it is read. */
  readonly file?: string;
}

/** @throws UserError 'noinput' when `path` cannot be read; `-` is stdin. */
export async function openSource(path: string): Promise<Source> {
  const progress: Progress = { bytes: 0, total: undefined };
  if (path !== '-') {
    try {
      const info = await stat(path);
      if (info.isDirectory())
        throw new UserError('noinput', `${path}: is a directory`, 'give the files in it');
      if (info.isFile()) progress.total = info.size;
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError('noinput', `${path}: ${reason(error)}`);
    }
  }
  const raw = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: CHUNK });
  const plain = path !== '-' && progress.total !== undefined;
  return { chunks: unpack(path, counted(path, raw, progress)), progress, ...(plain ? { file: path } : {}) };
}

async function* counted(
  path: string,
  raw: AsyncIterable<Buffer>,
  progress: Progress,
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of raw) {
      progress.bytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw new UserError('noinput', `${path}: ${reason(error)}`);
  }
}

/** gzip and zstd are recognised by their magic, never by the file's name. */
async function* unpack(path: string, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const { value: first } = await chunks.next();
  if (first === undefined) return;
  if (first[0] === 0x1f && first[1] === 0x8b) yield* gunzipped(path, first, chunks);
  else if (first.length >= 4 && first.readUInt32LE(0) === ZSTD_MAGIC) yield* unzstd(path, first, chunks);
  else {
    yield first;
    yield* chunks;
  }
}

const ZSTD_MAGIC = 0xfd2fb528;

async function* unzstd(path: string, first: Buffer, chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  // Loaded when needed; Node 20 has no zstd of its own.
  const { Decompress } = await import('fzstd');
  let out: Buffer[] = [];
  const stream = new Decompress((chunk) => out.push(Buffer.from(chunk)));
  try {
    stream.push(first);
    for await (const chunk of chunks) {
      yield* out;
      out = [];
      stream.push(chunk);
    }
    stream.push(new Uint8Array(0), true);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw damaged(path, error);
  }
  yield* out;
}

async function* gunzipped(
  path: string,
  first: Buffer,
  chunks: AsyncGenerator<Buffer>,
): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: CHUNK });
  const feed = (async () => {
    const drained = () => new Promise<void>((resolve) => gunzip.once('drain', resolve));
    if (!gunzip.write(first)) await drained();
    for await (const chunk of chunks) if (!gunzip.write(chunk)) await drained();
    gunzip.end();
  })();
  feed.catch((error) => gunzip.destroy(error));
  try {
    for await (const chunk of gunzip) yield chunk;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw damaged(path, error);
  }
}

function damaged(path: string, error: unknown): UserError {
  return new UserError(
    'noinput',
    `${path}: cannot be unpacked: ${reason(error)}`,
    'the file is cut off or damaged',
  );
}

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  switch (code) {
    case 'ENOENT':
      return 'no such file';
    case 'EACCES':
      return 'permission denied';
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
