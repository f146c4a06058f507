import { expect, test } from 'vitest';
import { detect } from './detect.ts';

test('an unrecognised file gets one line that says what was looked for', () => {
  expect(() => detect('notes.txt', Buffer.from('milk, eggs\n'), undefined)).toThrow(
    /^notes\.txt: not a capture this tool knows; looked for .*tracing: trace, trace_pipe/,
  );
  expect(() => detect('none.txt', Buffer.alloc(0), undefined)).toThrow('none.txt: is empty');
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
