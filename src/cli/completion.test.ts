import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { runCli } from '../testing/run-cli.ts';

const hasBash = spawnSync('bash', ['--version']).status === 0;

async function script(shell: string): Promise<string> {
  return (await runCli(['completion', shell])).stdout;
}

/** What bash offers after these words. */
async function offered(...words: string[]): Promise<string[]> {
  const quoted = ['modlife', ...words].map((word) => `'${word}'`).join(' ');
  const ask = `compopt() { echo files; }
${await script('bash')}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _modlife; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', ask], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

describe.skipIf(!hasBash)('in bash', () => {
  test('commands, rules, queries and options complete', async () => {
    expect(await offered('ho')).toEqual(['holders']);
    expect(await offered('explain', 'release')).toEqual(['release-after-exit']);
    expect(await offered('query', 'hol')).toContain('holders');
    expect(await offered('analyze', '--fail')).toEqual(['--fail-on']);
    expect(await offered('analyze', '--fail-on', '')).toEqual(['error', 'warning', 'note']);
    expect(await offered('balance', '--by', 's')).toEqual(['site', 'stack']);
  });

  test('files complete where captures go', async () => {
    expect(await offered('analyze', 'boot')).toContain('files');
    expect(await offered('analyze', '-o', 'boot')).toContain('files');
    expect(await offered('explain', 'zz')).toEqual([]);
  });
});

test.each(['zsh', 'fish'])('the %s script names every command, rule and query', async (shell) => {
  const text = await script(shell);
  for (const word of ['why-busy', 'release-after-exit', 'incarnations', 'fail-on', 'warning'])
    expect(text).toContain(word);
  expect(text.endsWith('\n')).toBe(true);
});
