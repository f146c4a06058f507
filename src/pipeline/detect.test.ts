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
