/** The program as users run it, in a process of its own. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../package-root.ts';

export const PROGRAM = join(packageRoot(), 'bin', 'modlife.js');

/** Compiles the sources as they are now: once, before all tests, since each of those that run it would pull it from
 *  under the others. Vitest calls it by this name. */
export function setup(): void {
  const root = packageRoot();
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root });
}
