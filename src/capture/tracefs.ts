/** Recording with tracefs alone: the text of an instance of our own, as the kernel prints it. */
import { open } from 'node:fs/promises';
import { UserError } from '../model/errors.ts';
import { openInstance } from './instance.ts';
import type { Kernel } from './kernel.ts';
import type { Session } from './session.ts';
import type { Survey } from './survey.ts';

/** What wakes a reader that waits for the last time. */
const END = 'modlife ends';
/** Of trace_pipe at a time; the kernel gives a page or a few. */
const PIECE = 1 << 16;

export function openTracefs(
  kernel: Kernel,
  found: Pick<Survey, 'tracefs'>,
  plan: Parameters<typeof openInstance>[2],
  pid: number,
  purpose?: string,
): Session {
  const instance = openInstance(kernel, found, plan, pid, purpose);
  const { path, set } = instance;
  let stopped = false;
  instance.begin();

  return {
    ...instance,
    file: 'trace.txt',
    ready: Promise.resolve(),

    async stream(onText) {
      const file = await open(kernel.locate(`${path}/trace_pipe`), 'r');
      try {
        for (;;) {
          const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE));
          if (bytesRead === 0) {
            if (stopped || kernel.read(`${path}/tracing_on`)?.trim() !== '0') return;
            throw new UserError(
              'noinput',
              `somebody else switched ${path} off`,
              'what came before is kept; ftrace_dump_on_oops may do that',
            );
          }
          onText(buffer.subarray(0, bytesRead));
        }
      } finally {
        await file.close();
      }
    },

    stop() {
      stopped = true;
      // The kernel ends a trace_pipe that has given something when tracing is off.
      set('trace_marker', END);
      set('tracing_on', '0');
    },
  };
}
