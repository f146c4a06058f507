import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Bad, CaptureFacts } from '../../src/model/collector.ts';
import type { Event, ModuleTextEvent } from '../../src/model/event.ts';
import { kallsyms } from './collector.ts';

function read(text: string) {
  const events: Event[] = [];
  const bad: Bad[] = [];
  const facts: CaptureFacts = {};
  const parser = kallsyms.createParser({
    event: (event) => events.push(event),
    lost: () => {},
    bad: (line) => bad.push(line),
    facts: (more) => Object.assign(facts, more),
  });
  text.split('\n').forEach((line, i) => {
    const bytes = Buffer.from(line);
    parser.line(bytes, 0, bytes.length, i + 1);
  });
  parser.end();
  return { events: events as ModuleTextEvent[], bad, facts };
}

const sample = readFileSync('samples/kallsyms/6.1-get-leak.txt', 'utf8');

test('/proc/modules gives a module its place, /proc/kallsyms its functions, each up to the next symbol', () => {
  const { events, bad, facts } = read(sample);
  expect(bad).toEqual([]);
  expect(facts).toEqual({ preamble: true });
  expect(events).toHaveLength(19);
  expect(events[0]).toMatchObject({
    module: 'ml_getleak',
    line: 2,
    ts: 0,
    place: { start: '0xffffffffc040d000', end: '0xffffffffc0411000' },
    functions: [
      { address: '0xffffffffc040d000', size: 16, symbol: 'ml_getleak_read' },
      { address: '0xffffffffc040d010', size: 16, symbol: 'ml_getleak_write' },
      { address: '0xffffffffc040d020', size: 32, symbol: 'ml_getleak_open' },
      { address: '0xffffffffc040d040', size: 64, symbol: 'ml_ctx' },
      { address: '0xffffffffc040d080', size: 194, symbol: 'ml_getleak_release' },
      { address: '0xffffffffc040d142', size: 3810, symbol: 'ml_getleak_exit' },
      // Not its init function, which kallsyms lists though its text is gone.
    ],
  });
  expect(events[1]).toMatchObject({ module: '9p', functions: [] });
});

test('symbols whose kind a kernel does not know are no functions', () => {
  const { events, bad } = read(readFileSync('samples/kallsyms/5.10-ref-leak.txt', 'utf8'));
  expect(bad).toEqual([]);
  expect(events.map(({ module, functions }) => [module, functions.map(({ symbol }) => symbol)])).toEqual([
    ['teach_ref_leak', ['teach_ref_leak_write', 'device_exit', 'device_init']],
  ]);
});

// From here on the lines are invented.

test('a line of ours says which load the symbols belong to', () => {
  const symbol = 'ffffffffc0416000 t foo_open\t[foo]';
  const since = read(`# modlife kallsyms; module=foo; since=123.456789; taken=124.000001\n${symbol}`);
  expect(since.events[0]).toMatchObject({ module: 'foo', ts: 123_456_789_000 });
  expect(since.facts).toEqual({ clock: 'time', preamble: false });
  const taken = read(`# modlife kallsyms; module=foo; taken=124.000001\n${symbol}`);
  expect(taken.events[0]).toMatchObject({ ts: 124_000_001_000 });
});

test("the kernel's own symbols, data, padding and BPF programs are no functions of a module", () => {
  const { events, bad } = read(
    [
      'ffffffff81000000 T _stext',
      'ffffffffc0416000 t __pfx_foo_open\t[foo]',
      'ffffffffc0416010 t foo_open\t[foo]',
      'ffffffffc0417000 d foo_data\t[foo]',
      'ffffffffc0500000 t bpf_prog_6deef7357e7b4530\t[bpf]',
      'ffffffffc0416020',
    ].join('\n'),
  );
  expect(events.map(({ module, functions }) => [module, functions])).toEqual([
    ['foo', [{ address: '0xffffffffc0416010', size: 4080, symbol: 'foo_open' }]],
  ]);
  expect(bad).toMatchObject([{ line: 6, message: 'expected "ADDRESS TYPE NAME [MODULE]"' }]);
});

test('an ordinary user sees no addresses, and is told so', () => {
  const hidden = '0000000000000000 T _stext\n0000000000000000 t foo_open\t[foo]\n';
  expect(kallsyms.sniff(hidden)).toEqual({ declined: expect.stringContaining('read it as root') });
  expect(kallsyms.sniff(sample)).toBe(true);
  expect(kallsyms.sniff('# tracer: nop\n#\n')).toBe(false);
});
