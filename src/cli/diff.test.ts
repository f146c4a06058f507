import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, test } from 'vitest';
import { runCli } from '../testing/run-cli.ts';

const leak = 'samples/tracefs/6.1-get-leak.txt';
const fixed = 'samples/tracefs/6.1-get-leak-fixed.txt';
const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const { stdout: document } = await runCli(['analyze', '--json', leak]);

async function compared(a: string, b: string) {
  const { stdout, stderr, status } = await runCli(['diff', '--json', a, b]);
  expect(stderr).toBe('');
  const { summary } = JSON.parse(stdout);
  return { status, summary };
}

const same = { status: 0, summary: { fixed: 0, unchanged: 2, undecided: 0 } };

describe('a side may be', () => {
  test.each([
    ['a document', () => file('a.json', document)],
    ['a document in one line', () => file('b.json', JSON.stringify(JSON.parse(document)))],
    ['a document with its keys sorted', () => file('c.json', sorted(document))],
    ['a packed document by any name', () => file('d', gzipSync(document))],
    ['a capture', () => leak],
  ])('%s', async (_, make) => {
    expect(await compared(make(), leak)).toMatchObject(same);
    expect(await compared(leak, make())).toMatchObject(same);
  });

  test('a store', async () => {
    const db = join(folder, 'a.db');
    await runCli(['analyze', '--db', db, leak]);
    expect(await compared(db, leak)).toMatchObject(same);
  });

  test('a capture that is JSON itself', async () => {
    const capture = 'samples/bpftrace/6.1-leak.json';
    expect((await compared(capture, capture)).summary).toMatchObject({ fixed: 0, undecided: 0 });
  });
});

test('a side may come through a pipe, if it is a document', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const through = async (text: string) => {
    const writer = createWriteStream(pipe).on('error', () => {});
    writer.end(text);
    return runCli(['diff', '--json', leak, pipe]);
  };
  expect(JSON.parse((await through(document)).stdout).summary).toMatchObject(same.summary);
  const { stderr, status } = await through(readFileSync(leak, 'utf8'));
  expect(stderr).toContain('is not a findings document');
  expect(status).toBe(2);
});

function sorted(text: string): string {
  const value = JSON.parse(text) as object;
  return JSON.stringify(Object.fromEntries(Object.entries(value).sort()), undefined, 2);
}

test('what is no findings document any more is told in one line', async () => {
  for (const [text, message] of [
    [document.slice(0, -100), /a findings document that is cut off or damaged: /],
    [document.replace('"ref-leak"', '"ref-lake"'), /not a findings document of this version: \w+\.0\.rule: /],
    ['milk, eggs\n', /begins with "milk, eggs" \(a findings document is taken, too: modlife analyze --json/],
    [JSON.stringify({ schema: 'modlife/diff@1' }), /not a findings document of this version: schema: /],
  ] as const) {
    const { stdout, stderr, status } = await runCli(['diff', leak, file('bad.json', text)]);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^modlife: [^\n]+\n$/);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  }
});

test('the exit status is 1 for what is new at --fail-on, and only for that', async () => {
  const status = async (...args: string[]) => (await runCli(['diff', ...args])).status;
  expect(await status(fixed, leak)).toBe(1);
  expect(await status(leak, leak)).toBe(0);
  expect(await status('--fail-on', 'note', leak, fixed)).toBe(0);
  const quiet = file('quiet.json', document.replace('"severity": "error"', '"severity": "note"'));
  expect(await status(fixed, quiet)).toBe(0);
  expect(await status('--fail-on', 'note', fixed, quiet)).toBe(1);
});

test.each([
  ['diff', ['diff', fixed, leak]],
  ['findings', ['analyze', leak]],
])('schema %s describes what --json prints', async (name, args) => {
  const schema = JSON.parse((await runCli(['schema', name])).stdout) as object;
  const validate = new Ajv2020({ strict: false }).compile(schema);
  const answer = JSON.parse((await runCli([...args, '--json'])).stdout) as object;
  validate(answer);
  expect(validate.errors).toBeNull();
  expect(validate({ ...answer, schema: 'other' })).toBe(false);
});
