/** Invented records. What they must hold to was seen in real traces: a buffer read before rmmod, after it, and after
 *  another module got the same addresses. */
import { expect, test } from 'vitest';
import { kallsyms } from '../../collectors/kallsyms/collector.ts';
import { tracefs } from '../../collectors/tracefs/collector.ts';
import type { Collector } from '../model/collector.ts';
import type { Event } from '../model/event.ts';
import { createSymbols } from './symbols.ts';

function read(collector: Collector, text: string): Event[] {
  const events: Event[] = [];
  const parser = collector.createParser({
    event: (event) => events.push(event),
    lost: () => {},
    bad: ({ text, message }) => expect.unreachable(`${message}: ${text}`),
    facts: () => {},
  });
  text.split('\n').forEach((line, i) => {
    const bytes = Buffer.from(line.trim());
    parser.line(bytes, 0, bytes.length, i + 1);
  });
  parser.end();
  return events;
}

const foo = `ffffffffc0416020 t foo_open\t[foo]
  ffffffffc0416080 t foo_release\t[foo]`;
const bar = `ffffffffc0416000 t bar_ctx\t[bar]
  ffffffffc0416040 t bar_step\t[bar]`;

/** @returns how the places of each record read */
function places(...records: readonly Event[][]): string[] {
  const symbols = createSymbols();
  return records.flat().flatMap((record) => {
    const event = symbols.resolve(record);
    if (event.kind === 'module_get' || event.kind === 'module_put') return [event.callSite.text];
    if (event.kind === 'function_entry' || event.kind === 'rcu_callback') return [event.fn!.text];
    if (event.kind === 'function_return') return [`${event.fn.text} to ${event.caller?.text}`];
    return [];
  });
}

const load = (module: string) => read(tracefs, `insmod-1 [000] ..... 1.000000: module_load: ${module} OE`);
const free = (module: string) => read(tracefs, `rmmod-2 [000] ..... 5.000000: module_free: ${module}`);
const calls = read(
  tracefs,
  `cat-9 [000] ..... 2.000000: foo_open: (0xffffffffc0416024)
   cat-9 [000] ..... 2.100000: module_get: foo call_site=0xffffffffc0416031 refcnt=2
   cat-9 [000] ..... 2.200000: foo_open_ret: (0xffffffffc0416090 <- 0xffffffffc0416020)
   cat-9 [000] ..... 2.300000: call_rcu: (call_rcu+0x0/0x650) head=0xff110000aaaaaa00 func=0xffffffffc0416080`,
);
const named = [
  'foo_open+0x4 [foo]',
  'foo_open [foo]',
  'foo_open+0x0 [foo] to foo_release+0x10 [foo]',
  'foo_release+0x0 [foo]',
];
const bare = [
  '0xffffffffc0416024',
  '0xffffffffc0416031',
  '0xffffffffc0416020 to 0xffffffffc0416090',
  '0xffffffffc0416080',
];

test('bare addresses are named by a snapshot, while its module is there and after it went', () => {
  expect(places(load('foo'), calls)).toEqual(bare);
  expect(places(read(kallsyms, foo), load('foo'), calls)).toEqual(named);
  expect(places(read(kallsyms, foo), load('foo'), free('foo'), calls)).toEqual(named);
});

test('a snapshot is of one load: the next has another text', () => {
  expect(places(read(kallsyms, foo), load('foo'), free('foo'), load('foo'), load('bar'), calls)).toEqual(
    named,
  );
  const again = foo.replaceAll('c0416', 'c0500');
  const second = places(read(kallsyms, foo), load('foo'), load('foo'), read(kallsyms, again), calls);
  expect(second).toEqual(named);
  expect(places(load('foo'), read(kallsyms, again), calls)).toEqual(bare);
});

test('of two modules that may have been at an address, the one that was loaded was; of two that were, none', () => {
  const both = read(kallsyms, `${foo}\n${bar}`);
  expect(places(both, load('foo'), calls)).toEqual(named);
  expect(places(both, calls)).toEqual(bare);
  expect(places(both, load('foo'), load('bar'), calls)).toEqual(bare);
});

test("a freed module's function that prints as its successor's gets its own name back, or none", () => {
  const late = read(tracefs, 'cat-9 [000] ..... 2.000000: foo_open: (bar_ctx+0x24/0x40 [bar])');
  const fooThere = read(kallsyms, `# modlife kallsyms; module=foo; since=1.0\n${foo}`);
  expect(places(read(kallsyms, bar), fooThere, load('foo'), late)).toEqual(['foo_open+0x4 [foo]']);
  expect(places(read(kallsyms, bar), load('foo'), late)).toEqual(['0xffffffffc0416024']);
  expect(places(load('foo'), late)).toEqual(['bar_ctx+0x24/0x40 [bar]']);
});

test('where only /proc/modules was read, the module is known and the function is not', () => {
  const place = read(kallsyms, 'foo 16384 1 - Live 0xffffffffc0416000 (OE)');
  expect(places(place, load('foo'), calls.slice(0, 2))).toEqual([
    '0xffffffffc0416024 [foo]',
    '0xffffffffc0416031 [foo]',
  ]);
});
