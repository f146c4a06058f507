import type { Command } from 'commander';
import type { Run } from '../program.ts';

export function registerCompletion(program: Command, { io }: Run): void {
  program
    .command('completion')
    .description('completion script for bash, zsh or fish')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      `
Examples: source <(modlife completion bash)
          modlife completion zsh > ~/.zfunc/_modlife
          modlife completion fish > ~/.config/fish/completions/modlife.fish`,
    )
    .action(async (shell: string) => {
      const { completionScript } = await import('../completion.ts');
      io.stdout.write(completionScript(program, shell));
    });
}
