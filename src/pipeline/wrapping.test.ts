/** Real captures, packed up as people do before they send them: the same events, each from its line of the file. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Event } from '../model/event.ts';
import { packageRoot } from '../package-root.ts';
import { captureOf } from '../testing/read-text.ts';
import type { Capture } from './capture.ts';

const names = [
  'tracefs/6.1-get-leak.txt',
  'tracefs/6.1-options/opt-stacktrace.txt',
  'tracefs/6.12-options/comm-odd.txt',
  'trace-cmd/3.1.6-stacktrace.txt',
  'perf-script/6.1-callchains.txt',
  'bpftrace/6.1-leak.txt',
];

/** Lines of the file made, and for each of those where it came from, if from any. */
type Packed = readonly { readonly text: string; readonly from?: number }[];
type Pack = (lines: readonly string[]) => Packed;

const each =
  (change: (line: string, index: number) => string): Pack =>
  (lines) =>
    lines.map((line, index) => ({ text: change(line, index), from: index + 1 }));
const around =
  (before: readonly string[], pack: Pack, after: readonly string[]): Pack =>
  (lines) => [...before.map((text) => ({ text })), ...pack(lines), ...after.map((text) => ({ text }))];
const plain: Pack = each((line) => line);

const packs: Readonly<Record<string, Pack>> = {
  'a quoted mail': around(
    ['Hi,', '', 'On Wed, May 1, 2024 at 2:00 PM Jo Doe <jo@example.org> wrote:', '>'],
    each((line) => `> ${line}`),
    ['>', '', 'That module_put() has no get, has it?', '', '-- ', 'Al'],
  ),
  'a mail quoted twice': around(
    ['Al wrote:'],
    each((line) => `> > ${line}`),
    ['> Yes.', '', 'No.'],
  ),
  'a mail quoted without blanks': each((line) => `>>${line}`),
  'a Markdown fence': around(['# rmmod hangs', '', '```text'], plain, ['```', '', 'Linux 6.1, see above.']),
  'a tilde fence': around(['Trace:', '~~~~'], plain, ['~~~~']),
  HTML: around(
    ['<!DOCTYPE html><html><body><p>It crashed:</p>', '<pre class="trace"><code>'],
    each((line) =>
      line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&#34;'),
    ),
    ['</code></pre></body></html>'],
  ),
  'a GitHub log': around(
    ['2024-05-01T12:00:00.1234567Z ##[group]Run cat trace'],
    each((line) => `2024-05-01T12:00:00.1234567Z ${line}`),
    ['2024-05-01T12:00:01.1234567Z ##[error]Process completed with exit code 1.'],
  ),
  'a log of gh run view': each((line) => `test\tRun make check\t2024-05-01T12:00:00.1234567Z ${line}`),
  'a GitLab log with times': each((line) => `2024-05-22T12:43:46.962646Z 01O ${line}`),
  'a GitLab log with colours': around(
    ['\x1b[0Ksection_start:1560896352:script\r\x1b[0K\x1b[0KExecuting', '\x1b[32;1m$ cat trace\x1b[0;m'],
    each((line) => `\x1b[0;m${line}\x1b[0K`),
    ['\x1b[0Ksection_end:1560896353:script\r\x1b[0K'],
  ),
  'a Jenkins log': each((line) => `[2024-05-01T12:00:00.123Z] ${line}`),
  'a Jenkins log with times of day': each((line) => `12:00:00 ${line}`),
  'a journal': around(
    ['May 01 11:59:58 vm systemd[1]: Starting trace.service...'],
    each((line) => `May 01 12:00:00 vm cat[812]: ${line}`),
    ['May 01 12:00:02 vm systemd[1]: trace.service: Deactivated successfully.'],
  ),
  'docker logs -t': each((line) => `2024-05-01T12:00:00.123456789Z ${line}`),
  'docker compose logs': each((line) => `tracer-1  | ${line}`),
  'kubectl logs of a node': each((line) => `2024-05-01T12:00:00.123456789Z stdout F ${line}`),
  'a serial console': around(
    ['\x1b[?7l\x1b[2J\r', 'login: root\r'],
    each((line) => `\r\x1b[K${line}\r`),
    ['\x1b[01;32mroot@vm\x1b[00m:~# \r'],
  ),
  'a bug report, indented by a tab': around(
    ['Trace:', ''],
    each((line) => `\t${line}`),
    ['', 'Bye'],
  ),
  'a CI log, quoted': around(
    ['CI says:'],
    each((line) => `> 2024-05-01T12:00:00.1234567Z ${line}`),
    ['so what?'],
  ),
  'a quoted mail in a fence': around(
    ['```'],
    each((line) => `> ${line}`),
    ['```'],
  ),
};

function read(name: string): { bytes: Buffer; lines: readonly string[] } {
  const bytes = readFileSync(join(packageRoot(), 'samples', name));
  return { bytes, lines: bytes.toString('latin1').replace(/\n$/, '').split('\n') };
}

const toBytes = (packed: Packed) => Buffer.from(packed.map(({ text }) => `${text}\n`).join(''), 'latin1');

/** Events as the plain capture has them, at the lines where they are in what was made of it. */
function moved(events: readonly Event[], packed: Packed): Event[] {
  const now = new Map(packed.map(({ from }, index) => [from, index + 1]));
  return events.map((event) => ({ ...event, line: now.get(event.line)! }));
}

async function wholeOf(bytes: Buffer): Promise<{ capture: Capture; events: Event[] }> {
  const capture = await captureOf(bytes, 1000);
  const events: Event[] = [];
  for await (const items of capture.items)
    for (const item of items) if (item.kind !== 'lost') events.push(item);
  return { capture, events };
}

describe.each(names)('%s', (name) => {
  const { bytes, lines } = read(name);

  test.each(Object.entries(packs))('inside %s', async (_what, pack) => {
    const packed = pack(lines);
    const { capture, events } = await wholeOf(toBytes(packed));
    const whole = await wholeOf(bytes);
    expect(events).toEqual(moved(whole.events, packed));
    expect(capture.summary.reading?.inside).toBeDefined();
    const { bad, lost, kernel, cpus } = whole.capture.summary;
    expect(capture.summary).toMatchObject({ bad, lost });
    expect(capture.summary.kernel).toBe(kernel);
    expect(capture.summary.cpus).toBe(cpus);
  });
});

test('a journal trims what it is given', async () => {
  const { bytes, lines } = read('tracefs/6.1-options/opt-stacktrace.txt');
  const packed = each((line) => `May 01 12:00:00 vm cat[812]: ${line.trim()}`)(lines);
  expect((await wholeOf(toBytes(packed))).events).toEqual(moved((await wholeOf(bytes)).events, packed));
});

test('a plain capture is not taken for anything else, whatever tasks are called', async () => {
  const { lines } = read('tracefs/6.1-get-leak.txt');
  // Invented: comms with newlines in them.
  const hostile = ['           x', '```', '> -7       [000] .....   100.000000: module_free: loop', '<pre>'];
  const bytes = toBytes([...lines, ...hostile].map((text) => ({ text })));
  expect((await captureOf(bytes)).summary.reading).toBeUndefined();
});

/** As a mailer breaks a line: at the last blank before the margin, which goes. */
function broken(line: string, margin: number): string[] {
  const pieces: string[] = [];
  let rest = line;
  while (rest.length > margin) {
    const at = rest.lastIndexOf(' ', margin);
    if (at <= 0 || rest.slice(0, at).trim() === '') break;
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at + 1);
  }
  return [...pieces, rest];
}

describe('lines that a mailer broke', () => {
  const { bytes, lines } = read('tracefs/6.1-get-leak.txt');
  const mail = (pack: (line: string) => readonly string[]): Packed => [
    { text: 'On Wed, May 1, 2024 at 2:00 PM Jo Doe <jo@example.org> wrote:' },
    ...lines.flatMap((line, index) =>
      pack(line).map((text, piece) => (piece === 0 ? { text, from: index + 1 } : { text })),
    ),
    { text: '' },
    { text: 'Thanks for the report.' },
  ];

  test.each([72, 74, 76, 78])('at %i columns are joined again', async (margin) => {
    for (const pack of [
      // Broken by whoever sent it first; by whoever quoted it; and so that the rest is not quoted.
      (line: string) => broken(line, margin).map((piece) => `> ${piece}`),
      (line: string) =>
        broken(`> ${line}`, margin).map((piece, index) => (index === 0 ? piece : `> ${piece}`)),
      (line: string) => broken(`> ${line}`, margin),
    ]) {
      const packed = mail(pack);
      const { capture, events } = await wholeOf(toBytes(packed));
      expect(events).toEqual(moved((await wholeOf(bytes)).events, packed));
      expect(capture.summary.bad).toBe(0);
      expect(capture.summary.reading?.joined).toBeGreaterThan(0);
    }
  });

  // Invented.
  const record = (time: string, event: string) =>
    `>             bash-94      [000] ...1.   ${time}: ${event}`;
  const whole = record('1.000000', 'module_get: loop call_site=blkdev_get_by_dev refcnt=2');

  test.each([
    ['prose after a whole record', [record('1.100000', 'module_free: nf_conntrack'), 'conntrack_that_was']],
    [
      'a piece that would have fitted on the line',
      ['> a-1 [000] 1.100000: module_get: a call_site=b', 'refcnt=2'],
    ],
    [
      'a piece that makes no record',
      [record('1.100000', 'module_get: loop call_site=blkdev_open'), 'which I do not understand'],
    ],
  ])('%s is left as it is', async (_what, rest) => {
    const { capture, events } = await wholeOf(Buffer.from([whole, ...rest, ''].join('\n')));
    expect(capture.summary.reading?.joined).toBeUndefined();
    expect(events[0]).toMatchObject({ kind: 'module_get', module: 'loop' });
    expect(events.slice(1).map((event) => 'module' in event && event.module)).toEqual(
      events.length > 1 ? ['nf_conntrack'] : [],
    );
  });
});

describe('several excerpts in one file', () => {
  // Invented.
  const record = (time: number, module: string) =>
    `            bash-94      [000] .....   ${time.toFixed(6)}: module_load: ${module} OE`;
  const report = (...excerpts: readonly (readonly string[])[]) =>
    Buffer.from(
      excerpts.map((lines) => `It says:\n\`\`\`\n${lines.join('\n')}\n\`\`\`\n`).join('\nLater:\n\n'),
    );
  const modules = (events: readonly Event[]) => events.map((event) => 'module' in event && event.module);

  test('are one capture with something missing between them', async () => {
    const { capture, events } = await wholeOf(report([record(1, 'a'), record(2, 'b')], [record(5, 'c')]));
    expect(modules(events)).toEqual(['a', 'b', 'c']);
    expect(capture.losses).toEqual([{ where: 'before', line: 11 }]);
  });

  test('that show the same again are told once', async () => {
    const { capture, events } = await wholeOf(
      report([record(1, 'a'), record(2, 'b'), record(3, 'c')], [record(2, 'b'), record(3, 'c')]),
    );
    expect(modules(events)).toEqual(['a', 'b', 'c']);
    expect(capture.summary).toMatchObject({ bad: 0, reading: { repeated: 2 } });
  });

  test('of which the second begins earlier are two recordings, of which the first is read', async () => {
    const { capture, events } = await wholeOf(report([record(5, 'a')], [record(1, 'b')]));
    expect(modules(events)).toEqual(['a']);
    expect(capture.bad).toMatchObject([{ line: 10, message: expect.stringContaining('another recording') }]);
  });

  test('a thread that quotes a trace again tells it once', async () => {
    const trace = [record(1, 'a'), record(2, 'b')];
    const mails = [
      'From: Jo',
      'To: Al',
      'Subject: rmmod hangs',
      '',
      ...trace,
      '',
      'On Wed Jo wrote:',
      ...trace.map((line) => `> ${line}`),
      'Yes.',
    ];
    const { capture, events } = await wholeOf(Buffer.from(mails.join('\n')));
    expect(modules(events)).toEqual(['a', 'b']);
    expect(capture.summary.reading?.repeated).toBe(2);
  });

  test('records that somebody left out are a loss', async () => {
    const mail = [record(1, 'a'), '[...]', record(2, 'b'), '[...]'].map((line) => `> ${line}`);
    const { capture } = await wholeOf(Buffer.from(mail.join('\n')));
    expect(capture.losses).toEqual([{ where: 'before', line: 3 }]);
  });
});
