/** The command that is run while the kernel is recorded: its own argv, never a shell, our terminal. */
import { spawn } from 'node:child_process';
import { UserError } from '../model/errors.ts';

export interface Ended {
  /** null: a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
}

export interface Running {
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
}

/** @throws UserError when it cannot be started */
export function runCommand(argv: readonly string[]): Promise<Running> {
  const [program = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    const ended = new Promise<Ended>((settle) => {
      child.once('close', (status, signal) => settle({ status, signal }));
    });
    child.once('spawn', () => resolve({ ended, kill: (signal) => child.kill(signal) }));
    child.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new UserError(
          'usage',
          `${program}: cannot be started: ${error.code === 'ENOENT' ? 'no such program' : (error.code ?? error.message)}`,
        ),
      ),
    );
  });
}
