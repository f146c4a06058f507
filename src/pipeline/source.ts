/** Bytes of a capture, whatever it is packed in. */
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { UserError } from '../model/errors.ts';
import { MANIFEST_FILE } from '../model/schema-id.ts';
import { unpack } from './unpack.ts';

/** Small enough that the events of one chunk die young, large enough that reading costs nothing. */
const CHUNK = 1 << 17;

/** How much of the file has been read so far, for progress. */
export interface Progress {
  bytes: number;
  /** Size of the file on disk; undefined for a pipe. */
  total: number | undefined;
  /** Why the rest could not be unpacked. */
  cut?: string;
}

export interface Source {
  /** Only lent until the next one is asked for: what is kept must be copied. */
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
        throw new UserError(
          'noinput',
          `${path}: is a directory without ${MANIFEST_FILE}, so none that modlife capture wrote`,
          'give the files in it',
        );
      if (info.isFile()) progress.total = info.size;
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError('noinput', `${path}: ${reason(error)}`);
    }
  }
  const isFile = path !== '-' && progress.total !== undefined;
  const raw = isFile
    ? readFile(path)
    : path === '-'
      ? process.stdin
      : createReadStream(path, { highWaterMark: CHUNK });
  const chunks = unpack(path, counted(path, raw, progress), CHUNK, (reason) => {
    progress.cut = reason;
  });
  return { chunks, progress, ...(isFile ? { file: path } : {}) };
}

/** On the spot and into one buffer: a stream gives each chunk new memory and a round through the event loop, which
 *  costs more than skipping what is in it. */
async function* readFile(path: string): AsyncGenerator<Buffer> {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK);
    for (;;) {
      const length = readSync(file, buffer, 0, CHUNK, null);
      if (length === 0) return;
      yield buffer.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
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
