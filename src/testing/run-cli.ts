/** Runs the command line in this process, as a terminal or a pipe would see it. */
import { run } from '../cli/program.ts';

export interface Result {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

export interface Terminal {
  /** Whether all three streams are terminals; a pipe otherwise. */
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds that pass each time the clock is read. */
  readonly tick?: number;
}

export async function runCli(args: readonly string[], terminal: Terminal = {}): Promise<Result> {
  const { isTTY = false, columns = 80, env = {}, tick = 0 } = terminal;
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    isTTY,
    columns,
    write: (text: string, done?: () => void) => {
      written[name] += text;
      done?.();
    },
  });
  let time = 0;
  const status = await run(args, {
    stdout: output('stdout'),
    stderr: output('stderr'),
    stdin: { isTTY },
    env,
    now: () => {
      time += tick;
      return time;
    },
    today: () => '2026-11-20',
  });
  return { ...written, status };
}

/** What somebody would see who typed it. */
export async function transcript(args: readonly string[], terminal?: Terminal): Promise<string> {
  const { stdout, stderr, status } = await runCli(args, terminal);
  const command = ['modlife', ...args]
    .map((word) => (/[^\w./=:-]/.test(word) ? `'${word}'` : word))
    .join(' ');
  return `$ ${command}\n${stdout}${stderr}[${status}]\n`;
}
