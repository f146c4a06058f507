import type { Command } from 'commander';
import type { Run } from '../program.ts';

export function registerMan(command: Command, { io }: Run): void {
  command.addHelpText('after', '\nExample: modlife man | man -l -').action(async () => {
    const [{ manPage }, { version }] = await Promise.all([
      import('../man.ts'),
      import('../../package-root.ts'),
    ]);
    io.stdout.write(manPage(command.parent!, version()));
  });
}
