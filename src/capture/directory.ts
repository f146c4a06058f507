/** The capture directory while it is written: a crash of the machine costs at most what came since the last flush. */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { MANIFEST_FILE } from '../model/schema-id.ts';

export interface Appender {
  /** Kept until the next flush: to write is to use a file system, whose module is recorded like any other. */
  write(bytes: Buffer | string): void;
  /** To the disk itself. */
  flush(): void;
  close(): void;
}

export const KERNEL_LOG = 'kernel-log.txt';
/** Kept in memory at most. */
const HELD = 1 << 22;

export interface CaptureDirectory {
  append(name: string): Appender;
  /** A whole file, at once. */
  put(name: string, text: string): void;
  /** In place of the one before; whoever reads sees the one or the other. */
  manifest(manifest: Manifest): void;
}

/** For a recording that only somebody who watches it sees. */
export const nowhere: CaptureDirectory = {
  append: () => ({ write() {}, flush() {}, close() {} }),
  put() {},
  manifest() {},
};

/** @throws UserError where it cannot be made, or holds something */
export function createDirectory(path: string): CaptureDirectory {
  try {
    mkdirSync(path, { recursive: true });
    if (readdirSync(path).length > 0)
      throw new UserError('cannot-write', `${path} is not empty`, 'give -o a new folder');
    mkdirSync(join(path, 'symbols'));
  } catch (error) {
    if (error instanceof UserError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    throw new UserError('cannot-write', `${path}: ${code === 'EEXIST' ? 'is a file' : code}`);
  }

  return {
    append(name) {
      const fd = openSync(join(path, name), 'a');
      let held: Buffer[] = [];
      let size = 0;
      const flush = () => {
        if (size === 0) return;
        for (let rest = Buffer.concat(held); rest.length > 0; ) rest = rest.subarray(writeSync(fd, rest));
        held = [];
        size = 0;
        fdatasyncSync(fd);
      };
      return {
        write(bytes) {
          const piece = Buffer.from(bytes);
          held.push(piece);
          size += piece.length;
          if (size >= HELD) flush();
        },
        flush,
        close() {
          flush();
          closeSync(fd);
        },
      };
    },
    put: (name, text) => writeFileSync(join(path, name), text, 'latin1'),
    manifest(manifest) {
      const fresh = join(path, `${MANIFEST_FILE}.new`);
      const fd = openSync(fresh, 'w');
      writeSync(fd, `${JSON.stringify(manifest, null, 1)}\n`);
      fsyncSync(fd);
      closeSync(fd);
      renameSync(fresh, join(path, MANIFEST_FILE));
    },
  };
}
