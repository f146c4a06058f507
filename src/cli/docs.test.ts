/** What stands in the documentation is what the program says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { packageRoot } from '../pipeline/package-root.ts';
import { ruleNames } from '../questions/explain.ts';
import { runCli } from '../testing/run-cli.ts';

const root = packageRoot();
const text = (name: string) => readFileSync(join(root, name), 'utf8');
const indented = (output: string) => output.replace(/^(?=.)/gm, '    ');

test('README shows what its first command prints', async () => {
  const [, args] = /node bin\/modlife\.js (.+)$/m.exec(text('README.md'))!;
  expect(text('README.md')).toContain(indented((await runCli(args!.split(' '))).stdout));
});

test('GUIDE shows what its commands print', async () => {
  const guide = text('GUIDE.md');
  const commands = [...guide.matchAll(/^ {4}\$ modlife (.+)$/gm)];
  expect(commands.length).toBeGreaterThan(2);
  for (const [line, args] of commands)
    expect(guide).toContain(`${line}\n${indented((await runCli(args!.split(' '))).stdout)}`);
});

test.each(['README.md', 'GUIDE.md'])('%s names commands and options that there are', async (name) => {
  const calls = [...text(name).matchAll(/\bmodlife(?:\.js)? ([a-z][a-z-]*)((?: [^`\n|&>]+)?)/g)].filter(
    // In a sentence the name is followed by a verb, which no command is called by.
    ([call]) => !/modlife (reads|follows)/.test(call),
  );
  expect(calls.length).toBeGreaterThan(5);
  for (const [call, command, rest] of calls) {
    const { stdout, status } = await runCli([command!, '--help']);
    expect(status, call).toBe(0);
    for (const [option] of rest!.matchAll(/(?<=^| )--?[a-z][a-z-]*/g)) expect(stdout, call).toContain(option);
  }
});

test('links between the documents lead somewhere', () => {
  for (const name of ['README.md', 'GUIDE.md', 'CHANGELOG.md']) {
    for (const [, target] of text(name).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g))
      expect(() => text(target!), `${name}: ${target}`).not.toThrow();
  }
});

describe('the page of a rule', () => {
  test.each(ruleNames())('%s is what explain prints as Markdown', async (rule) => {
    const { stdout } = await runCli(['explain', '--to', 'markdown', rule]);
    await expect(stdout).toMatchFileSnapshot(join(root, `src/passes/rules/${rule}.md`));
  });

  test('is there for each rule and for nothing else, and README links to it', () => {
    expect(readdirSync(join(root, 'src/passes/rules')).sort()).toEqual(
      ruleNames()
        .map((rule) => `${rule}.md`)
        .sort(),
    );
    for (const rule of ruleNames()) expect(text('README.md')).toContain(`(src/passes/rules/${rule}.md)`);
  });
});

describe('the manual page', () => {
  test('is what man prints', async () => {
    await expect((await runCli(['man'])).stdout).toMatchFileSnapshot(join(root, 'bin/modlife.1'));
  });

  test('names every command and every option that --help names', async () => {
    const page = (await runCli(['man'])).stdout.replaceAll('\\-', '-');
    const { stdout } = await runCli(['--help']);
    const commands = [...stdout.matchAll(/^ {2}([a-z-]+) .*/gm)].map(([, name]) => name!);
    for (const command of commands.filter((name) => name !== 'help')) {
      const at = page.indexOf(`.SS "modlife ${command} `);
      expect(at, command).toBeGreaterThan(0);
      const section = page.slice(at, page.indexOf('.SS', at + 1));
      const help = (await runCli([command, '--help'])).stdout;
      for (const [option] of help.matchAll(/(?<=^ {2,6}(-\w, )?)--(?!help)[a-z-]+/gm))
        expect(section, command).toContain(option);
    }
  });

  test('has no line that a macro would take for its own', async () => {
    const lines = (await runCli(['man'])).stdout.split('\n');
    for (const line of lines.filter((line) => /^[.']/.test(line)))
      expect(line).toMatch(/^\.(TH|SH|SS|PP|TP|B|BR|I|nf|fi)( |$)/);
  });
});
