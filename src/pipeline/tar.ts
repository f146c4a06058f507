/** A capture directory that somebody packed with tar, compressed or not. */
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { UserError } from '../model/errors.ts';
import { MANIFEST_FILE } from '../model/schema-id.ts';
import { openSource } from './source.ts';
import { writeTemporary } from './temporary.ts';

export interface Unpacked {
  /** The capture directory. */
  readonly folder: string;
  remove(): void;
}

/** tar is made of blocks. */
const BLOCK = 512;
const MAGIC = 'ustar';
const MAGIC_AT = 257;
/** A name, perhaps in a folder or two; nothing that leads out of where it is unpacked. */
const NAME = /^(?:\.\/)?(?:\w[\w.-]*\/){0,3}\w[\w.-]*$/;

/** @returns undefined for what is no tar */
export async function unpackTar(path: string): Promise<Unpacked | undefined> {
  if (path === '-' || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined;
  const { chunks } = await openSource(path);
  const blocks = createBlocks(chunks);
  const first = await blocks.read(BLOCK);
  if (first.length < BLOCK || first.toString('latin1', MAGIC_AT, MAGIC_AT + MAGIC.length) !== MAGIC) {
    await blocks.close();
    return undefined;
  }
  const root = mkdtempSync(join(tmpdir(), 'modlife-tar-'));
  const remove = () => rmSync(root, { recursive: true, force: true });
  // Also where a signal ends us.
  process.once('exit', remove);
  try {
    let folder: string | undefined;
    for (let header = first; header.length === BLOCK && header[0] !== 0; header = await blocks.read(BLOCK)) {
      const name = text(header, 0, 100);
      const size = Number.parseInt(text(header, 124, 12), 8);
      const isFile = header[156] === 0x30 || header[156] === 0;
      if (!(size >= 0)) throw damaged(path);
      // Links and devices, and whatever else a capture does not have, are left where they are.
      const target = isFile && NAME.test(name) ? join(root, name) : undefined;
      if (target?.endsWith(`/${MANIFEST_FILE}`) === true) folder ??= dirname(target);
      await copy(blocks, size, target, path);
    }
    await blocks.close();
    if (folder === undefined || !existsSync(folder))
      throw new UserError('unrecognised', `${path}: a tar without a capture directory in it`);
    return {
      folder,
      remove() {
        remove();
        process.off('exit', remove);
      },
    };
  } catch (error) {
    remove();
    process.off('exit', remove);
    throw CLASHES.has((error as NodeJS.ErrnoException).code ?? '') ? damaged(path) : error;
  }
}

/** A name that is a file here and a folder there. */
const CLASHES: ReadonlySet<string> = new Set(['EEXIST', 'EISDIR', 'ENOTDIR']);

async function copy(blocks: Blocks, size: number, target: string | undefined, path: string): Promise<void> {
  if (target !== undefined) mkdirSync(dirname(target), { recursive: true });
  const file = target === undefined ? undefined : openSync(target, 'w');
  try {
    let left = size;
    while (left > 0) {
      const piece = await blocks.read(Math.min(left, PIECE));
      if (piece.length === 0) throw damaged(path);
      left -= piece.length;
      if (file !== undefined) writeTemporary(file, piece);
    }
  } finally {
    if (file !== undefined) closeSync(file);
  }
  await blocks.read((BLOCK - (size % BLOCK)) % BLOCK);
}

const PIECE = 1 << 16;

interface Blocks {
  /** So many bytes, fewer where it ends. */
  read(size: number): Promise<Buffer>;
  close(): Promise<void>;
}

function createBlocks(chunks: AsyncIterable<Buffer>): Blocks {
  const source = chunks[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  return {
    async read(size) {
      while (held.length < size) {
        const { value, done } = await source.next();
        if (done === true) break;
        // A chunk is only lent.
        held = Buffer.concat([held, value]);
      }
      const taken = held.subarray(0, size);
      held = held.subarray(size);
      return taken;
    },
    async close() {
      await source.return?.();
    },
  };
}

function text(header: Buffer, from: number, length: number): string {
  return header.toString('latin1', from, from + length).replace(/[\0 ].*$/s, '');
}

function damaged(path: string): UserError {
  return new UserError('noinput', `${path}: is a tar that is cut off or damaged`);
}
