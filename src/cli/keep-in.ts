import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../model/errors.ts';
import { openAside } from './write-aside.ts';

/**
 * Writes what a flight recorder holds into a folder, made now if it is not there.
 * @param saveFolder for a source that is more than its text
 * @returns takes a name and the text, @returns its path @throws UserError
 */
export function keepIn(
  folder: string,
  saveFolder?: (path: string, text: readonly Buffer[]) => void,
): (name: string, text: readonly Buffer[]) => string {
  telling(folder, () => mkdirSync(folder, { recursive: true }));
  return (name, text) => {
    if (saveFolder !== undefined) {
      const path = join(folder, name);
      telling(path, () => saveFolder(path, text));
      return path;
    }
    const path = join(folder, `${name}.txt`);
    const aside = openAside(path);
    try {
      for (const piece of text) aside.write(piece);
    } catch (error) {
      aside.abandon();
      throw error;
    }
    aside.commit();
    return path;
  };
}

function telling(path: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof UserError || code === undefined) throw error;
    throw new UserError('cannot-write', `cannot write ${path}: ${code}`);
  }
}
