/** What can be followed: a growing file, a FIFO, stdin. */
import { closeSync, constants, fstatSync, openSync, type Stats, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { UserError } from '../model/errors.ts';
import { followFile, isPseudo } from './follow-file.ts';

export interface Listener {
  /** The bytes are only lent: what is kept must be copied.
   *  @param steady the source is polled, so more will come of itself */
  data(bytes: Buffer, steady?: boolean): void;
  /** What the kernel's log told meanwhile. */
  log(text: Buffer): void;
  /** The source begins anew. */
  restart(reason: 'truncated' | 'replaced'): void;
  /** All that was there when it was opened has been given. */
  caughtUp(): void;
  end(): void;
  error(error: Error): void;
}

export interface Following {
  /** Gives what has come by now and was not given yet. */
  flush(): void;
  stop(): void;
}

/** @throws UserError 'noinput' when `path` cannot be read; `-` is stdin */
export function follow(path: string, listener: Listener): Following {
  if (path === '-') {
    listener.caughtUp();
    return followStream(process.stdin, listener);
  }
  const { fd, info } = open(path);
  if (info.isFile()) return followFile(path, fd, listener);
  if (info.isFIFO()) {
    listener.caughtUp();
    return followStream(new Socket({ fd, readable: true, writable: false }), listener);
  }
  closeSync(fd);
  throw new UserError('noinput', `${path}: ${info.isDirectory() ? 'is a directory' : 'cannot be followed'}`);
}

/** Can what was read of it be read again? @throws UserError when it cannot be read at all */
export function isReadAgain(path: string): boolean {
  if (path === '-') return false;
  const { fd, info } = open(path);
  closeSync(fd);
  return info.isFile() && !isPseudo(path);
}

function open(path: string): { fd: number; info: Stats } {
  try {
    // Opening a FIFO would wait for its writer, and reading trace_pipe for an event: ^C could interrupt neither.
    if (statSync(path).isDirectory()) throw new UserError('noinput', `${path}: is a directory`);
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return { fd, info: fstatSync(fd) };
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = { ENOENT: 'no such file', EACCES: 'permission denied' };
    throw new UserError('noinput', `${path}: ${reasons[code ?? ''] ?? String(error)}`);
  }
}

function followStream(stream: NodeJS.ReadableStream & { destroy(): void }, listener: Listener): Following {
  let stopped = false;
  stream.on('data', (bytes: Buffer) => {
    if (!stopped) listener.data(bytes);
  });
  stream.on('end', () => {
    if (!stopped) listener.end();
  });
  stream.on('error', (error: Error) => {
    if (!stopped) listener.error(error);
  });
  return {
    flush() {
      for (let bytes = stream.read(); bytes !== null; bytes = stream.read()) listener.data(bytes as Buffer);
    },
    stop() {
      stopped = true;
      stream.destroy();
    },
  };
}
