/**
 * Whatever a trace may hold, through every form of every answer: nothing acts on a terminal, a browser, a spreadsheet
 * or a parser, and no run ends with our own bug. The names and numbers are invented, the capture around them is real.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parse as parseCsv } from 'csv-parse/sync';
import { SaxesParser } from 'saxes';
import { Parser as TapParser } from 'tap-parser';
import { afterAll, expect, test } from 'vitest';
import { tailLineSchema } from '../model/tail-lines.ts';
import type { Following, Listener } from '../tail/source.ts';
import { PAYLOAD } from '../testing/page-of.ts';
import { type Result, runCli } from '../testing/run-cli.ts';
import { runTail } from './run-tail.ts';

const folder = mkdtempSync(join(tmpdir(), 'modlife-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LEAK = readFileSync('samples/tracefs/6.1-get-leak.txt', 'latin1');
const JSON_LEAK = readFileSync('samples/bpftrace/6.1-leak.json', 'latin1');
const bytes = (text: string) => Buffer.from(text).toString('latin1');

const names: Readonly<Record<string, string>> = {
  'escape codes': '\x1b[2J\x1b]0;owned\x07\x9b31m',
  'a NUL': 'a\0b',
  'a carriage return': 'a\rb',
  'a newline': 'a\nb-1 [000] ..... 1.000000: module_put: kvm call_site=x refcnt=0\n',
  'HTML and more': bytes(PAYLOAD.replaceAll(' ', '\u00a0')),
  'an end of XML': ']]></failure></testcase><!--',
  SQL: "x');DROP/**/TABLE/**/findings;--",
  'path separators': '../../../../etc/passwd',
  'a formula': '=HYPERLINK("http://example.invalid")',
  'a plus of a formula': '+1;@SUM(1)',
  'invalid UTF-8': '\xff\xfe\xc3\x28\xed\xa0\x80',
  'text that turns around': bytes('\u202eknab\u2066\u2028\ufeff'),
  'a name of JavaScript’s': '__proto__',
  'another of them': 'constructor',
  'a test that failed': 'ok\x0bnot_ok_2#SKIP',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: somebody may evaluate it
  'a format': '%s%n${x}{0}[a](http://example.invalid)',
};

const renamings: Readonly<Record<string, (to: string) => string>> = {
  comm: (to) => LEAK.replaceAll('bash-', () => `${to}-`),
  symbol: (to) => LEAK.replaceAll('ml_getleak_open', () => to),
  module: (to) => LEAK.replaceAll('ml_getleak', () => to),
};

const RECORD = LEAK.split('\n').find((line) => line.includes('module_get: ml_getleak '))!;
const instead = (record: string) => LEAK.replace(RECORD, () => record);
const refcnt = (value: string) =>
  LEAK.replaceAll(/(ml_getleak.* refcnt=)-?\d+/g, (_, before) => before + value);
const times = (change: (seconds: string) => string) =>
  LEAK.replaceAll(/^(.{16,40}\] \S+ +)(\d+\.\d{6}): /gm, (_, before, at) => `${before}${change(at)}: `);

const captures: Readonly<Record<string, string | Buffer>> = {
  ...Object.fromEntries(
    Object.entries(names).flatMap(([what, name]) =>
      Object.entries(renamings).map(([where, rename]) => [`${what} as a ${where}`, rename(name)]),
    ),
  ),
  'a comm of 1 MB': instead(RECORD.replace(/\S+-/, `${'c'.repeat(1 << 20)}-`)),
  'a module of 1 MB': instead(RECORD.replace('ml_getleak', 'm'.repeat(1 << 20))),
  'a symbol of 1 MB': instead(RECORD.replace(/call_site=\S+/, `call_site=${'s'.repeat(1 << 20)}`)),
  'a line of 1 MB of nothing': instead(`${RECORD}\n${'\x1b'.repeat(1 << 20)}`),
  'a line of 10 MB': instead(`${RECORD}${' '.repeat(10 << 20)}`),
  'refcnt at INT_MIN': refcnt('-2147483648'),
  'refcnt at INT_MAX': refcnt('2147483647'),
  'refcnt past 2^53': refcnt('9007199254740993'),
  'refcnt past every number': refcnt('9'.repeat(400)),
  'pid and CPU past 2^53': instead(
    RECORD.replace(/-\d+( +)\[\d+\]/, '-99999999999999999999$1[99999999999999999999]'),
  ),
  'times past 2^53 ns': times((at) => `9999999999${at}`),
  'a time past every number': times((at) => `${'9'.repeat(400)}${at}`),
  'a time below zero': instead(RECORD.replace(/(\d+\.\d{6}: )/, '-$1')),
  'times that stand still': times(() => '1.000000'),
  'times that run backwards': times((at) => (100000 - Number(at)).toFixed(6)),
  'a time that jumps': instead(RECORD.replace(/(\d+)\.(\d{6}): /, '99999999999.$2: ')),
  'JSON nested 100,000 deep': `${JSON_LEAK}{"type":"printf","data":${'['.repeat(100_000)}${']'.repeat(100_000)}}\n${'{"a":'.repeat(100_000)}\n`,
  'brackets nested 100,000 deep': instead(
    `${RECORD} ${'('.repeat(100_000)}${'<'.repeat(100_000)}\n${'> '.repeat(100_000)}`,
  ),
  'a small bomb of gzip': gzipSync(LEAK + '\0'.repeat(1 << 23)),
};

/** A newline is a line; the rest of what acts is told as an escape. */
const ACTS = /[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const inert = (text: string) => expect(ACTS.exec(text)).toBeNull();
const jsonLines = (text: string) => {
  for (const line of text.trimEnd().split('\n')) if (line !== '') JSON.parse(line);
};
const countOf = (text: string, what: RegExp) => text.match(what)?.length ?? 0;

async function tailed(path: string, shape: 'plain' | 'json'): Promise<Result> {
  const written = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr') => ({
    write(text: string, done?: () => void) {
      written[name] += text;
      done?.();
    },
  });
  const follow = (listener: Listener): Following => {
    setImmediate(() => {
      listener.caughtUp();
      listener.data(readFileSync(path));
      listener.end();
    });
    return { flush() {}, stop() {} };
  };
  const status = await runTail(
    {
      path,
      follow,
      format: undefined,
      onlyNew: false,
      verbose: true,
      failOn: undefined,
      triage: { baseline: undefined, suppressions: undefined, today: () => '2026-11-20' },
      exec: undefined,
      shape,
    },
    {
      stdout: output('stdout'),
      stderr: output('stderr'),
      stdin: {},
      env: {},
      now: () => 0,
      today: () => '2026-11-20',
    },
  );
  return { ...written, status };
}

const benign = join(folder, 'benign.txt');
writeFileSync(benign, LEAK, 'latin1');
const SCRIPTS = /<script\b/g;
const scripts = countOf((await runCli(['report', benign])).stdout, SCRIPTS);

interface Form {
  readonly ask: (path: string) => Promise<Result>;
  readonly check: (stdout: string) => void;
}

const cli =
  (...args: readonly string[]) =>
  (path: string) =>
    runCli([...args, path]);

const forms: Readonly<Record<string, Form>> = {
  text: { ask: cli('analyze'), check: inert },
  json: { ask: cli('analyze', '--json'), check: (text) => [inert(text), JSON.parse(text)] },
  sarif: { ask: cli('analyze', '--to', 'sarif'), check: (text) => [inert(text), JSON.parse(text)] },
  junit: {
    ask: cli('analyze', '--to', 'junit'),
    check(text) {
      inert(text);
      const faults: string[] = [];
      const parser = new SaxesParser();
      parser.on('error', ({ message }) => faults.push(message));
      parser.write(text).close();
      expect(faults).toEqual([]);
    },
  },
  ktap: {
    ask: cli('analyze', '--to', 'ktap'),
    check(text) {
      inert(text);
      const told = TapParser.parse(text).map(([type]) => type);
      expect(told).not.toContain('bailout');
      expect(told.filter((type) => type === 'plan')).toHaveLength(1);
    },
  },
  'csv of findings': { ask: cli('analyze', '--to', 'csv'), check: cells },
  'ndjson of findings': { ask: cli('analyze', '--to', 'ndjson'), check: jsonLines },
  'csv of events': { ask: cli('export', '--to', 'csv'), check: cells },
  'ndjson of events': { ask: cli('export', '--to', 'ndjson'), check: jsonLines },
  perfetto: { ask: cli('export', '--to', 'perfetto'), check: (text) => [inert(text), JSON.parse(text)] },
  html: {
    ask: cli('report'),
    check(text) {
      expect(countOf(text, SCRIPTS)).toBeLessThanOrEqual(scripts);
      expect(text).not.toMatch(/<img\b|<svg.{1,2}onload/i);
      expect(text).not.toMatch(/[\0-\x08\x0b-\x1f\x7f]/);
    },
  },
  balance: { ask: cli('balance'), check: inert },
  query: { ask: cli('query', 'events'), check: inert },
  'tail, plain': { ask: (path) => tailed(path, 'plain'), check: inert },
  'tail, json': {
    ask: (path) => tailed(path, 'json'),
    check(text) {
      inert(text);
      for (const line of text.trimEnd().split('\n')) tailLineSchema.parse(JSON.parse(line));
    },
  },
};

function cells(text: string): void {
  const rows: string[][] = parseCsv(text);
  for (const cell of rows.flat()) {
    if (/[\0-\x1f]/.test(cell) || (/^[=+\-@]/.test(cell) && Number.isNaN(Number(cell))))
      throw new Error(`a cell that acts: ${JSON.stringify(cell)}`);
  }
}

test.each(Object.entries(captures))(
  '%s',
  async (what, content) => {
    const path = join(folder, 'hostile');
    writeFileSync(path, content, 'latin1');
    for (const [form, { ask, check }] of Object.entries(forms)) {
      // What is packed cannot be followed.
      if (Buffer.isBuffer(content) && form.startsWith('tail')) continue;
      const { stdout, stderr, status } = await ask(path);
      expect([0, 1, 3], `${form} of ${what}: ${stderr}`).toContain(status);
      inert(stderr);
      try {
        check(stdout);
      } catch (error) {
        throw new Error(`${form} of ${what}`, { cause: error });
      }
    }
  },
  60_000,
);
