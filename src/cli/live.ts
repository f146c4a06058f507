/** This machine, recorded for `tail --live`: nothing is kept unless a folder is named. */
import { readFileSync } from 'node:fs';
import { holdDirectory } from '../capture/held-directory.ts';
import { type Backend, formatOf } from '../model/backend.ts';
import type { Following, Listener } from '../tail/source.ts';
import { recordHere } from './run-capture.ts';

interface LiveOptions {
  readonly module?: readonly string[] | undefined;
  readonly backend?: Backend | undefined;
  /** Keep the recording there … */
  readonly output?: string | undefined;
  /** … or of the latest so many seconds what `save` needs. */
  readonly keep?: number | undefined;
  readonly onReady: () => void;
}

export interface Live {
  /** Random, of this boot. */
  readonly boot: string;
  /** Of its text. */
  readonly format: string;
  follow(listener: Listener): Following;
  /** Writes a capture directory. @param stream what was recorded @throws UserError */
  save(path: string, stream: readonly Buffer[]): void;
  /** The recorder has taken its probes away. Whether it could record is for the listener. */
  readonly ended: Promise<void>;
}

export function openLive({ module = [], backend = 'tracefs', output, keep, onReady }: LiveOptions): Live {
  const held = keep === undefined ? undefined : holdDirectory(keep);
  let refresh: () => void = () => {};
  let stop: () => void = () => {};
  const until = new Promise<void>((resolve) => {
    stop = resolve;
  });
  let recording: Promise<unknown> = Promise.resolve();
  return {
    boot: readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    format: formatOf[backend],
    get ended() {
      return recording.then(
        () => {},
        () => {},
      );
    },
    save(path, stream) {
      refresh();
      held?.save(path, stream);
    },
    follow(listener) {
      const onText = (text: Buffer) => listener.data(text);
      recording = recordHere(held ?? output, [], {
        module,
        backend,
        until,
        onText,
        onLog: (text) => listener.log(text),
        onReady(more) {
          refresh = more;
          onReady();
        },
      });
      recording.then(
        () => listener.end(),
        (error: unknown) => listener.error(error as Error),
      );
      listener.caughtUp();
      return { flush() {}, stop };
    },
  };
}
