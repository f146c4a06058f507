/** The files of a kernel, as far as capture touches them. A test gives a folder in place of `/`. */
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
  writeSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Kernel {
  /** A file's text; undefined where it is absent or may not be read. */
  read(path: string): string | undefined;
  /** The same, without holding up what else there is to do: symbols are megabytes, and made as they are read. */
  readLater(path: string): Promise<string | undefined>;
  bytes(path: string): Buffer | undefined;
  /** Names in a folder, none where it is absent or may not be read. */
  list(path: string): readonly string[];
  exists(path: string): boolean;
  /** Adds one command to a control file. Never truncates: opening `kprobe_events` so would remove everybody's
   *  probes. @returns the error's code, as EINVAL, or undefined when the kernel took it */
  write(path: string, text: string): string | undefined;
  makeFolder(path: string): string | undefined;
  removeFolder(path: string): string | undefined;
  /** Where a path of the kernel's lies. */
  locate(path: string): string;
}

/** Files of procfs and tracefs claim to be empty; they are read until they end. */
const PIECE = 1 << 18;

export function createKernel(root = '/'): Kernel {
  const locate = (path: string) => join(root, path);

  function bytes(path: string): Buffer | undefined {
    try {
      return readFileSync(locate(path));
    } catch {
      return undefined;
    }
  }

  return {
    bytes,
    locate,
    read(path) {
      let fd: number;
      try {
        fd = openSync(locate(path), constants.O_RDONLY);
      } catch {
        return undefined;
      }
      try {
        const pieces: Buffer[] = [];
        for (;;) {
          const piece = Buffer.allocUnsafe(PIECE);
          const size = readSync(fd, piece);
          if (size === 0) return Buffer.concat(pieces).toString('latin1');
          pieces.push(piece.subarray(0, size));
        }
      } catch {
        return undefined;
      } finally {
        closeSync(fd);
      }
    },
    readLater: (path) => readFile(locate(path), 'latin1').catch(() => undefined),
    list(path) {
      try {
        return readdirSync(locate(path));
      } catch {
        return [];
      }
    },
    exists(path) {
      try {
        accessSync(locate(path));
        return true;
      } catch {
        return false;
      }
    },
    write: (path, text) =>
      attempt(() => {
        const fd = openSync(locate(path), constants.O_WRONLY | constants.O_APPEND);
        try {
          writeSync(fd, text);
        } finally {
          closeSync(fd);
        }
      }),
    makeFolder: (path) => attempt(() => mkdirSync(locate(path))),
    removeFolder: (path) => attempt(() => rmdirSync(locate(path))),
  };
}

function attempt(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
