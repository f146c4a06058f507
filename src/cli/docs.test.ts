/** What stands in the documentation is what the program says. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { packageRoot } from '../package-root.ts';
import { ruleNames } from '../questions/explain.ts';
import { PROGRAM } from '../testing/built-program.ts';
import { runCli } from '../testing/run-cli.ts';
import { EXIT } from './exit.ts';

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

describe.each([
  ['GitHub Actions', /(?:run: |&& )(modlife .+)$/gm],
  ['GitLab', /- (modlife .+)$/gm],
])('the example for %s', (service, step) => {
  const [, job] = text('GUIDE.md').split(`### ${service}\n`)[1]!.split('```');
  const steps = [...job!.matchAll(step)].map(([, command]) => command!);
  const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([
    ['6.1-get-leak.txt', 1],
    ['6.1-release-fixed.txt', 0],
  ])('ends with the verdict on %s', (sample, verdict) => {
    const cwd = join(folder, sample);
    mkdirSync(join(cwd, 'ci'), { recursive: true });
    copyFileSync(join(root, 'samples/tracefs', sample), join(cwd, 'lifetime.trace'));
    writeFileSync(
      join(cwd, 'ci/suppressions.json'),
      '{ "schema": "modlife/suppressions@1", "suppressions": [] }',
    );
    writeFileSync(join(cwd, 'modlife'), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`);
    chmodSync(join(cwd, 'modlife'), 0o755);
    // As both services run a step.
    const statuses = steps.map((command) => {
      const env = { ...process.env, PATH: `${cwd}:${process.env.PATH}` };
      const { status, stderr } = spawnSync('bash', ['-e', '-c', command], { cwd, env, encoding: 'utf8' });
      expect(stderr, command).not.toMatch(/^modlife: (?!wrote )/m);
      return status;
    });
    expect(steps.length).toBeGreaterThan(1);
    expect(Math.max(...statuses.map(Number))).toBe(verdict);
  });
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

test.each(['README.md', 'collectors/tracefs/README.md'])('what a shell enables by %s it disables', (name) => {
  const written = (value: number) =>
    [...text(name).matchAll(new RegExp(`^ {4}echo ${value} > (\\S+/enable)$`, 'gm'))].map(([, file]) => file);
  expect(written(1).length).toBeGreaterThan(2);
  expect(written(0).sort()).toEqual(written(1).sort());
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

  test('has no line of prose that is not filled', async () => {
    const unfilled = [...(await runCli(['man'])).stdout.matchAll(/^\.nf\n([\s\S]*?)^\.fi$/gm)];
    for (const [, text] of unfilled) expect(text).toMatch(/^Example/);
  });

  test('tells each exit status as README does', async () => {
    const page = (await runCli(['man'])).stdout.replaceAll('\\-', '-');
    const told = [...page.split('.SH "EXIT STATUS"')[1]!.matchAll(/^\.B (\d+)\n(.+)$/gm)];
    const rows = [...text('README.md').matchAll(/^\| (\d+) +\| (.+?) +\|$/gm)];
    expect(rows.map(([, status, means]) => [status, means!.replaceAll('`', '')])).toEqual(
      told.map(([, status, means]) => [status, means]),
    );
    expect(told.map(([, status]) => Number(status))).toEqual(Object.values(EXIT));
  });

  test('has no line that a macro would take for its own', async () => {
    const lines = (await runCli(['man'])).stdout.split('\n');
    for (const line of lines.filter((line) => /^[.']/.test(line)))
      expect(line).toMatch(/^\.(TH|SH|SS|PP|TP|B|BR|I|nf|fi)( |$)/);
  });
});
