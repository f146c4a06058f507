/** The capture directory of a recording of which only the latest stretch is kept, once there is a reason to. */
import { randomBytes } from 'node:crypto';
import { renameSync, rmSync } from 'node:fs';
import type { Manifest } from '../model/manifest.ts';
import { type CaptureDirectory, createDirectory, KERNEL_LOG } from './directory.ts';
import { createWindow } from './window.ts';

export interface HeldDirectory extends CaptureDirectory {
  /** Whole or absent, as a capture directory of its own. @param stream what its first stream said
   *  @throws UserError, or the error of node:fs, where it cannot be written */
  save(path: string, stream: readonly Buffer[]): void;
}

/** Of the kernel log, in memory. */
const MOST = 1 << 22;

export function holdDirectory(seconds: number): HeldDirectory {
  const log = createWindow(seconds * 1000, MOST);
  const files = new Map<string, { readonly text: string; readonly at: number }>();
  let described: Manifest | undefined;

  /** Of older symbols, those of each module's latest load are enough. */
  function forget(now: number): void {
    const seen = new Set<string>();
    for (const [name, { at }] of [...files].reverse()) {
      const module = /^symbols\/\d+-(.+)$/.exec(name)?.[1];
      if (module === undefined) continue;
      if (seen.has(module) && at < now - seconds * 1000) files.delete(name);
      seen.add(module);
    }
  }

  return {
    append: (name) => ({
      // The stream itself is held by who reads it.
      write(bytes) {
        if (name === KERNEL_LOG) log.add(Buffer.from(bytes), performance.now());
      },
      flush() {},
      close() {},
    }),
    put(name, text) {
      const now = performance.now();
      files.set(name, { text, at: now });
      forget(now);
    },
    manifest(manifest) {
      described = structuredClone(manifest);
    },
    save(path, stream) {
      if (described === undefined) throw new Error('nothing is recorded yet');
      const partial = `${path}.${randomBytes(4).toString('hex')}.partial`;
      try {
        const directory = createDirectory(partial);
        write(directory, described.streams[0]!, stream);
        if (described.kernelLog !== null) write(directory, KERNEL_LOG, log.read().pieces);
        for (const [name, { text }] of files) directory.put(name, text);
        directory.manifest({ ...described, symbols: described.symbols.filter((name) => files.has(name)) });
        renameSync(partial, path);
      } catch (error) {
        rmSync(partial, { recursive: true, force: true });
        throw error;
      }
    },
  };
}

function write(directory: CaptureDirectory, name: string, pieces: readonly Buffer[]): void {
  const file = directory.append(name);
  for (const piece of pieces) file.write(piece);
  file.close();
}
