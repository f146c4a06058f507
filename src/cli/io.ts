/** The terminal as the commands see it: a test gives its own. */
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

export function processIo(): Io {
  const { stdout, stderr, stdin, env } = process;
  return {
    stdout,
    stderr,
    stdin,
    env,
    now: () => performance.now(),
    today: () => new Date().toISOString().slice(0, 10),
  };
}
