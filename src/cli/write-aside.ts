import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../model/errors.ts';
import { onExit } from './on-exit.ts';

/** A file that is either the old one or the whole new one, whatever happens meanwhile. */
export interface Aside {
  write(data: string | Uint8Array): void;
  /** Gives it its name. */
  commit(): void;
  /** Leaves nothing behind. */
  abandon(): void;
}

/** @throws UserError when it cannot be written, as do its functions */
export function openAside(path: string): Aside {
  return telling(path, () => {
    // Through a symbolic link, so that the link stays and what it points to is replaced.
    const target = existsSync(path) ? realpathSync(path) : resolve(path);
    // A device or a pipe must not be replaced by a file.
    const direct = existsSync(target) && !statSync(target).isFile();
    const name = direct ? target : `${target}.${randomBytes(4).toString('hex')}.partial`;
    const file = openSync(name, direct ? 'w' : 'wx');
    const remove = () => {
      if (!direct) rmSync(name, { force: true });
    };
    const done = onExit(remove);
    return {
      write: (data) =>
        telling(path, () => {
          const bytes = typeof data === 'string' ? Buffer.from(data) : data;
          for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
        }),
      commit: () =>
        telling(path, () => {
          // The machine under test is the one that crashes.
          if (!direct) fsyncSync(file);
          closeSync(file);
          if (!direct) renameSync(name, target);
          done();
        }),
      abandon() {
        closeSync(file);
        remove();
        done();
      },
    };
  });
}

/** @throws UserError when it cannot be written */
export function writeAside(path: string, text: string): void {
  const aside = openAside(path);
  try {
    aside.write(text);
  } catch (error) {
    aside.abandon();
    throw error;
  }
  aside.commit();
}

function telling<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new UserError('cannot-write', `cannot write ${path}: ${REASONS[code] ?? code}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such folder',
  EACCES: 'permission denied',
  EISDIR: 'is a folder',
  ENOSPC: 'no space left',
  EROFS: 'read-only file system',
};

/** @throws UserError when writing `path` would destroy one of the captures */
export function refuseInput(path: string, inputs: readonly string[]): void {
  const target = existsSync(path) ? realpathSync(path) : undefined;
  const same = inputs.find((input) => input !== '-' && existsSync(input) && realpathSync(input) === target);
  if (target !== undefined && same !== undefined)
    throw new UserError('usage', `${path} is a capture to be read`, 'write to another file');
}
