/** The program as users run it, in a process of its own. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../pipeline/package-root.ts';

/** Compiles the sources as they are now. @returns the path of the program */
export function buildProgram(): string {
  const root = packageRoot();
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root });
  return join(root, 'bin', 'modlife.js');
}
