import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from '../pipeline/package-root.ts';
import { runCli } from '../testing/run-cli.ts';

test('README shows what its first command prints', async () => {
  const readme = readFileSync(join(packageRoot(), 'README.md'), 'utf8');
  const [, args] = /node bin\/modlife\.js (.+)$/m.exec(readme)!;
  const { stdout } = await runCli(args!.split(' '));
  const shown = stdout.replace(/^(?=.)/gm, '    ');
  expect(readme).toContain(shown);
});
