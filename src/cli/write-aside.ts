import { randomBytes } from 'node:crypto';
import { existsSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError } from '../model/errors.ts';

/** Writes a file that is either the old one or the whole new one, whatever happens meanwhile.
 *  @throws UserError when it cannot be written */
export function writeAside(path: string, text: string): void {
  try {
    // Through a symbolic link, so that the link stays and what it points to is replaced.
    const target = existsSync(path) ? realpathSync(path) : resolve(path);
    if (existsSync(target) && !statSync(target).isFile()) {
      // A device or a pipe must not be replaced by a file.
      writeFileSync(target, text);
      return;
    }
    const aside = `${target}.${randomBytes(4).toString('hex')}.partial`;
    try {
      writeFileSync(aside, text, { flag: 'wx' });
      renameSync(aside, target);
    } catch (error) {
      rmSync(aside, { force: true });
      throw error;
    }
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
