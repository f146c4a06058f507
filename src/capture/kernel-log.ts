/** The kernel's log of the run, from /dev/kmsg as it comes. */
import { closeSync, constants, openSync, readSync } from 'node:fs';
import type { Kernel } from './kernel.ts';

export interface KernelLog {
  /** What has come since, one record a line, as /dev/kmsg gives it. */
  read(): string;
  close(): void;
}

/** CONSOLE_EXT_LOG_MAX: a read that has less room for a record fails. */
const RECORD = 8192;

/** @returns undefined where it may not be read */
export function openKernelLog(kernel: Kernel): KernelLog | undefined {
  let fd: number;
  try {
    fd = openSync(kernel.locate('/dev/kmsg'), constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const record = Buffer.alloc(RECORD);

  function read(): string {
    let text = '';
    for (;;) {
      try {
        const size = readSync(fd, record);
        if (size === 0) return text;
        text += record.toString('latin1', 0, size);
      } catch (error) {
        // EPIPE: the ring went round faster than it was read; the next read goes on behind the gap.
        if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return text;
      }
    }
  }

  // Older messages are of other runs.
  read();
  return { read, close: () => closeSync(fd) };
}
