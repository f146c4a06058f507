import type { Command } from 'commander';
import type { Run } from '../program.ts';

export function registerCompletion(command: Command, { io }: Run): void {
  command
    .addHelpText(
      'after',
      `
Examples: source <(modlife completion bash)
          modlife completion zsh > ~/.zfunc/_modlife
          modlife completion fish > ~/.config/fish/completions/modlife.fish`,
    )
    .action(async (shell: string) => {
      const { completionScript } = await import('../completion.ts');
      io.stdout.write(completionScript(command.parent!, shell));
    });
}
