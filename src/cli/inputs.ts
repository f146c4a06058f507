import { UserError } from '../model/errors.ts';
import type { Io } from './io.ts';

/** The captures to read: those named, or stdin when something is piped into it.
 *  @throws UserError when there is nothing to read */
export function inputsOf(paths: readonly string[], command: string, { stdin }: Io): readonly string[] {
  if (paths.filter((path) => path === '-').length > 1)
    throw new UserError('usage', '- is given twice', 'stdin can be read once only');
  if (paths.length > 0) return paths;
  if (stdin.isTTY !== true) return ['-'];
  throw new UserError(
    'usage',
    'no capture given',
    `modlife ${command} boot.trace, or sudo cat /sys/kernel/tracing/trace | modlife ${command}`,
  );
}
