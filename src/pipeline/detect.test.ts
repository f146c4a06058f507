import { expect, test } from 'vitest';
import { collectors } from '../../collectors/index.ts';
import { formats } from '../model/collector.ts';
import type { UserError } from '../model/errors.ts';
import { detect } from './detect.ts';

const refusal = (head: string | Buffer) => {
  try {
    detect('x', Buffer.from(head), undefined);
  } catch (error) {
    const { message, hint } = error as UserError;
    return `${message} (${hint})`;
  }
  return 'read';
};

test('an unrecognised file gets a short line with its beginning and what to try', () => {
  expect(refusal('\nmilk, eggs\nbread\n')).toMatch(
    /^x: not a capture this tool knows; it begins with "milk, eggs" \(if it is one, .* --format: .*tracefs, kernel-log\)$/,
  );
  expect(refusal(`${'m'.repeat(500)}\n`)).toContain(`"${'m'.repeat(32)}…"`);
  expect(() => detect('none.txt', Buffer.alloc(0), undefined)).toThrow('none.txt: is empty');
});

/** Invented. */
test.each([
  ['SQLite format 3\0\x10\0', 'no store of modlife (modlife analyze --db FILE'],
  [
    '{"schema":"modlife/findings@1","tool":{}}',
    'an answer of modlife, no capture (give what it was asked of',
  ],
  ['{\n  "traceEvents": []\n}\n', 'JSON, but no capture this tool knows (of bpftrace'],
])('what is something else is called so: %j', (text, said) => {
  expect(refusal(text)).toContain(said);
});

test('each collector is a format', () => {
  expect(formats).toEqual(collectors.map(({ name }) => name));
});

test('--format overrides, and names the formats when it is wrong', () => {
  expect(detect('notes.txt', Buffer.from('milk\n'), 'tracefs').name).toBe('tracefs');
  expect(() => detect('notes.txt', Buffer.from(''), 'ftrace')).toThrow('--format ftrace: no such format');
});

test('a known format that cannot be read says which option made it so', () => {
  const raw = '# tracer: nop\n#\n143 0 406363130138 type: 1495\n';
  expect(() => detect('t', Buffer.from(raw), undefined)).toThrow('trace_options raw is on');
});

test.each([
  ['cpu0\nentries: 174\noverrun: 0\ncommit overrun: 0\n', 'counters without events'],
  ['p:ml/free_module free_module name=+24($arg1):string\n', 'definitions without events'],
  ['name: module_load\nID: 362\nformat:\n', 'the format of an event'],
  ['143 bash\n159 cat\n160 insmod\n26 kdevtmpfs\n97 kworker/0:3\n', 'names of tasks'],
  ['[ perf record: Woken up 1 times to write data ]\n', 'perf script prints them'],
  ['PERFILE2h', 'perf script -i FILE'],
  ['CPU0 data recorded at offset=0xe8000\n    780 bytes in size\n', 'give trace.dat'],
  ['ftrace:bprint\nftrace:bputs\nmodule:module_get\n', 'report without -E'],
  ['#!/usr/bin/bpftrace\n// what it is\nBEGIN { printf("x"); }\n', 'a bpftrace program'],
  ['core.bt:3:223-224: WARNING: arithmetic on integers of different signs\n', 'a bpftrace program'],
])('what is sent along with captures is declined with its reason: %j', (text, reason) => {
  expect(() => detect('x', Buffer.from(text), undefined)).toThrow(reason);
});

test('a Perfetto trace is declined, and not what only begins like one', () => {
  // Invented: packets with a timestamp each (field 8), the second 200 bytes long.
  const packet = (length: number) =>
    Buffer.concat([
      Buffer.from(length < 128 ? [0x0a, length] : [0x0a, (length & 0x7f) | 0x80, length >> 7]),
      Buffer.from([0x40, 0x01]),
      Buffer.alloc(length - 2, 0x22),
    ]);
  const trace = [packet(4), packet(200), packet(30), packet(9)];
  expect(() => detect('x', Buffer.concat(trace), undefined)).toThrow('a Perfetto trace');
  expect(() => detect('x', Buffer.concat(trace.slice(0, 2)), undefined)).toThrow('a Perfetto trace');
  const other = Buffer.concat([trace[0]!, Buffer.from('\0 and so on')]);
  for (const text of [other, Buffer.from('\n'.repeat(100))]) {
    expect(() => detect('x', text, undefined)).toThrow('not a capture this tool knows');
  }
});

test('a trace is found among what is sent along with it', () => {
  // Invented.
  const text =
    'kprobe:free_module { printf("x"); }\n```\n            bash-94      [000] .....     1.000000: module_load: m OE\n```\n';
  expect(detect('x', Buffer.from(`I ran\n${text}`), undefined).name).toBe('tracefs');
});
