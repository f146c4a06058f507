/** This machine, recorded for `tail --live`: nothing is kept unless a folder is named. */
import { readFileSync } from 'node:fs';
import type { Following, Listener } from '../tail/source.ts';
import { recordHere } from './run-capture.ts';

interface LiveOptions {
  readonly module?: readonly string[] | undefined;
  /** Keep the recording there. */
  readonly output?: string | undefined;
  readonly onReady: () => void;
}

export interface Live {
  /** Random, of this boot. */
  readonly boot: string;
  follow(listener: Listener): Following;
  /** The recorder has taken its probes away. Whether it could record is for the listener. */
  readonly ended: Promise<void>;
}

export function openLive({ module = [], output, onReady }: LiveOptions): Live {
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
    follow(listener) {
      const onText = (text: Buffer) => listener.data(text);
      const recording = recordHere(output, [], { module, until, onText, onReady });
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
