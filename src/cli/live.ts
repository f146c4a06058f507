/** This machine, recorded for `tail --live`: nothing is kept unless a folder is named. */
import { readFileSync } from 'node:fs';
import { holdDirectory } from '../capture/held-directory.ts';
import type { Following, Listener } from '../tail/source.ts';
import { recordHere } from './run-capture.ts';

interface LiveOptions {
  readonly module?: readonly string[] | undefined;
  /** Keep the recording there … */
  readonly output?: string | undefined;
  /** … or of the latest so many seconds what `save` needs. */
  readonly keep?: number | undefined;
  readonly onReady: () => void;
}

export interface Live {
  /** Random, of this boot. */
  readonly boot: string;
  follow(listener: Listener): Following;
  /** Writes a capture directory. @param stream what was recorded @throws UserError */
  save(path: string, stream: readonly Buffer[]): void;
  /** The recorder has taken its probes away. Whether it could record is for the listener. */
  readonly ended: Promise<void>;
}

export function openLive({ module = [], output, keep, onReady }: LiveOptions): Live {
  const held = keep === undefined ? undefined : holdDirectory(keep);
  let refresh: () => void = () => {};
  let stop: () => void = () => {};
  const until = new Promise<void>((resolve) => {
    stop = resolve;
  });
  let tellEnded: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    tellEnded = resolve;
  });
  return {
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    ended,
    save(path, stream) {
      refresh();
      held?.save(path, stream);
    },
    follow(listener) {
      const onText = (text: Buffer) => listener.data(text);
      const recording = recordHere(held ?? output, [], {
        module,
        until,
        onText,
        onReady(more) {
          refresh = more;
          onReady();
        },
      });
      recording.then(
        () => listener.end(),
        (error) => listener.error(error),
      );
      recording.then(tellEnded, tellEnded);
      listener.caughtUp();
      return { flush() {}, stop };
    },
  };
}
