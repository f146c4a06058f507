import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Log } from 'sarif';
import { afterAll, describe, expect, test } from 'vitest';
import { reportSchema } from '../model/report.ts';
import { runCli } from '../testing/run-cli.ts';

const leak = 'samples/tracefs/6.1-get-leak.txt';
const fixed = 'samples/tracefs/6.1-get-leak-fixed.txt';
const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const EXAMPLE = `{
  "schema": "modlife/suppressions@1",
  // Comments and trailing commas are allowed.
  "suppressions": [
    { "rule": "ref-leak", "module": "ml-getleak", "reason": "bug 42", "expires": "2026-12-31" },
    { "fingerprint": "8a01f253ab9bb954", "reason": "too late", "expires": "2026-11-19" },
    { "rule": "early-put", "reason": "nobody remembers" },
    { "rule": "forced-unload", "reason": "not recorded here" },
  ]
}
`;
const suppressions = file('example.json', EXAMPLE);

describe('--suppress', () => {
  test('does not count what it names, says so with the reason, and keeps it in every document', async () => {
    const { stdout, status } = await runCli(['analyze', '--suppress', suppressions, leak]);
    expect(status).toBe(0);
    expect(stdout).toContain(`
not counted  error ref-leak: ml_getleak_open [ml_getleak] took a reference to
             ml_getleak that was never given back (suppressed, until 2026-12-31:
             bug 42)

1 warning (1 not counted).
`);
    const as = async (format: string) =>
      (await runCli(['analyze', '--to', format, '--suppress', suppressions, leak])).stdout;
    const { findings } = reportSchema.parse(JSON.parse(await as('json')));
    expect(findings.map((finding) => finding.suppressed?.reason)).toEqual(['bug 42', undefined]);
    const [run] = (JSON.parse(await as('sarif')) as Log).runs;
    expect(run!.results![0]!.suppressions![0]!.justification).toBe('bug 42');
    expect(await as('csv')).toContain(',bug 42\n');
    expect(await as('ktap')).toMatch(/^ {2}ok 2 ref-leak$/m);
    expect(await as('junit')).toContain('failures="0"');
  });

  test('tells which entries have expired or are not used, by line', async () => {
    const { stderr } = await runCli(['analyze', '--suppress', suppressions, leak]);
    expect(stderr).toBe(
      `modlife: ${suppressions}:6: suppression expired on 2026-11-19: too late\nmodlife: ${suppressions}:7: suppression is not used: nobody remembers\n`,
    );
  });

  test.each([
    ['[{"rule": "ref-lek", "reason": "x"}]', /:1:\d+: suppressions\.0\.rule: Invalid option/],
    ['[\n {"rule": "ref-leak"}]', /:2:2: suppressions\.0\.reason: expected a reason/],
    ['[\n {"rule": "ref-leak", "reason": " "}]', /:2:23: suppressions\.0\.reason: expected a reason/],
    ['[\n {"reason": "x"}]', /:2:2: suppressions\.0: expected a fingerprint, a rule or a module/],
    [
      '[\n {"rule": "ref-leak", "reason": "x", "expire": ""}]',
      /:2:38: suppressions\.0\.expire: Unrecognized/,
    ],
    ['[{"rule": "ref-leak", "reason": "x", "expires": "2026-02-30"}]', /expires: expected a day like/],
    ['[\n {"rule" "ref-leak"}]', /:2:10: Unexpected/],
    ['[', /: ends too early/],
    ['{}', /:1:\d+: suppressions: Invalid input: expected array/],
  ])('of %j says in one line what is wrong and where', async (list, message) => {
    const path = file(
      'bad.json',
      `{"schema": "modlife/suppressions@1", "suppressions": ${list}}`.replace('[}', '['),
    );
    const { stdout, stderr, status } = await runCli(['analyze', '--suppress', path, leak]);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^modlife: [^\n]*bad\.json[^\n]*\n$/);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });

  test('is described by its schema', async () => {
    const schema = JSON.parse((await runCli(['schema', 'suppressions'])).stdout) as object;
    const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    const entry = { rule: 'ref-leak', reason: 'x' };
    const document = (one: object) => ({ schema: 'modlife/suppressions@1', suppressions: [one] });
    expect(validate(document(entry))).toBe(true);
    expect(validate(document({ ...entry, because: 'x' }))).toBe(false);
    expect(validate(document({ rule: 'ref-leak' }))).toBe(false);
  });
});

describe('--baseline', () => {
  test('counts only what an earlier run did not find, whatever it is kept in', async () => {
    const document = file('base.json', (await runCli(['analyze', '--json', leak])).stdout);
    const store = join(folder, 'base.db');
    await runCli(['analyze', '--db', store, leak]);
    for (const baseline of [document, store, leak]) {
      const { stdout, status } = await runCli(['analyze', '--baseline', baseline, leak]);
      expect(stdout).toContain('Nothing found (2 not counted).');
      expect(status).toBe(0);
    }
    const { stdout, status } = await runCli(['analyze', '--json', '--baseline', fixed, leak]);
    const { findings, summary } = reportSchema.parse(JSON.parse(stdout));
    expect(findings.map(({ baseline }) => baseline)).toEqual(['new', 'known']);
    expect(summary).toEqual({ error: 1, warning: 0, note: 0, known: 1 });
    expect(status).toBe(1);
  });

  test('and capture cannot both be stdin', async () => {
    const { stderr, status } = await runCli(['analyze', '--baseline', '-', '-']);
    expect(stderr).toContain('- is given twice');
    expect(status).toBe(2);
  });
});

test('a suppressed finding that is new fails no diff', async () => {
  const after = file(
    'after.json',
    (await runCli(['analyze', '--json', '--suppress', suppressions, leak])).stdout,
  );
  const { stdout, status } = await runCli(['diff', fixed, after]);
  expect(stdout).toMatch(/^new {10}error ref-leak: [^(]*\(suppressed,/m);
  expect(status).toBe(0);
});
