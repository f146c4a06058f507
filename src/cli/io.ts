/** The terminal as the commands see it: a test gives its own. */
import { writeSync } from 'node:fs';
import type { Style } from '../report/layout.ts';

interface Output {
  /** @param written called when it is on its way */
  write(text: string, written?: () => void): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** Absent where it is no file of this process. */
  readonly fd?: number;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly stdin: { readonly isTTY?: boolean | undefined };
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds, for progress. */
  readonly now: () => number;
  /** YYYY-MM-DD, UTC: by which suppressions expire. */
  readonly today: () => string;
}

export const PLAIN: Style = { width: 80, color: false };

/** Lines longer than this are hard to read, however wide the window. */
const WIDEST = 120;
/** Below this nothing lines up any more; the terminal may wrap. */
const NARROWEST = 40;

export function styleOf({ stdout, env }: Io): Style {
  if (stdout.isTTY !== true) return PLAIN;
  const width = Math.max(NARROWEST, Math.min(WIDEST, stdout.columns || PLAIN.width));
  // https://no-color.org: when present and not empty, whatever its value.
  const color = (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
  return { width, color };
}

/** Node makes a stream when it is first asked for, which takes a millisecond each: they are asked for when used. */
export function processIo(): Io {
  return {
    get stdout() {
      return guarded(process.stdout);
    },
    get stderr() {
      return guarded(process.stderr);
    },
    get stdin() {
      return process.stdin;
    },
    env: process.env,
    now: () => performance.now(),
    today: () => new Date().toISOString().slice(0, 10),
  };
}

const STDERR = 2;
const CANNOT = 2;

function guarded(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  if (stream.listenerCount('error', failed) === 0) stream.on('error', failed);
  return stream;
}

function failed(this: NodeJS.WriteStream, error: NodeJS.ErrnoException): void {
  // `| head` has seen enough: that is no error.
  if (error.code === 'EPIPE') process.exit();
  // A full disk, say. What was written is cut, so the status must not speak of findings.
  if (this === process.stdout) writeSync(STDERR, `modlife: cannot write to stdout: ${error.message}\n`);
  process.exit(CANNOT);
}
