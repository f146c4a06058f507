/** stdout for what does not end: whoever reads it may be slow, and must not hold up what is read meanwhile. */
import { write } from 'node:fs';
import type { Io } from './io.ts';

export interface Outlet {
  write(text: string): void;
  /** Characters written that are still on their way. */
  readonly pending: number;
  /** Resolves when there are none. */
  drained(): Promise<void>;
}

const RETRY_MS = 20;

/** @param closed whoever read has gone */
export function createOutlet({ stdout }: Io, closed: () => void): Outlet {
  let queue: string[] = [];
  let pending = 0;
  let writing = false;
  let waiting: (() => void)[] = [];

  function done(): void {
    writing = false;
    if (queue.length > 0) next();
    else {
      for (const resolve of waiting) resolve();
      waiting = [];
    }
  }

  function next(): void {
    const text = queue.join('');
    queue = [];
    writing = true;
    if (stdout.isTTY === true && stdout.fd !== undefined) writeAll(stdout.fd, Buffer.from(text), text.length);
    else {
      stdout.write(text, () => {
        pending -= text.length;
        done();
      });
    }
  }

  /** Node writes to a terminal synchronously, and a terminal may be stopped with ^S: another thread waits there. */
  function writeAll(fd: number, bytes: Buffer, length: number): void {
    write(fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(writeAll, RETRY_MS, fd, bytes, length);
        return;
      }
      if (error === null && written < bytes.length) {
        writeAll(fd, bytes.subarray(written), length);
        return;
      }
      pending -= length;
      if (error !== null) closed();
      done();
    });
  }

  return {
    write(text) {
      queue.push(text);
      pending += text.length;
      if (!writing) next();
    },
    get pending() {
      return pending;
    },
    drained: () => (pending === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
  };
}
