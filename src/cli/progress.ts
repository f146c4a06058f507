/** How far a long read has come, on stderr, when somebody is there to see it. */
import { grouped } from '../model/grouped.ts';
import type { Progress } from '../pipeline/source.ts';
import { clip, span } from '../report/layout.ts';
import type { Io } from './io.ts';

export interface ProgressLine {
  show(progress: readonly Progress[], events: number): void;
  erase(): void;
}

/** Nothing is shown for what is done this soon … */
const PATIENCE_MS = 1000;
/** … and after that no more often than this. */
const EVERY_MS = 100;

export function createProgress({ stderr, now }: Io): ProgressLine {
  const start = now();
  let next = start + PATIENCE_MS;
  let shown = false;

  return {
    show(progress, events) {
      if (stderr.isTTY !== true) return;
      const time = now();
      if (time < next) return;
      next = time + EVERY_MS;
      shown = true;
      const line = progressText(progress, events, (time - start) / 1000);
      stderr.write(`\r${clip(line, (stderr.columns || 80) - 1)}\u001b[K`);
    },
    erase() {
      if (shown) stderr.write('\r\u001b[K');
      shown = false;
    },
  };
}

function progressText(progress: readonly Progress[], events: number, seconds: number): string {
  const bytes = progress.reduce((sum, source) => sum + source.bytes, 0);
  const total = progress.reduce<number | undefined>(
    (sum, source) => (sum === undefined || source.total === undefined ? undefined : sum + source.total),
    0,
  );
  const rate = `${megabytes(bytes / seconds)}/s, ${grouped(events)} events`;
  // A store is replayed event by event and a pipe has no end in sight: neither tells how much is left.
  if (total === undefined || total === 0 || bytes === 0) return `read ${megabytes(bytes)}, ${rate}`;
  const left = bytes >= total ? 0 : (seconds * (total - bytes)) / bytes;
  const percent = Math.min(100, Math.floor((bytes / total) * 100));
  return `read ${megabytes(bytes)} of ${megabytes(total)}, ${percent} %, ${rate}, ${span(Math.ceil(left) * 1e9)} left`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}
