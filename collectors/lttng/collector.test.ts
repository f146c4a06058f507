/** Invented lines: fields as in lttng-modules' sources, layout as in public examples of babeltrace2. */
import { describe, expect, it } from 'vitest';
import type { Bad, CaptureFacts, Lost } from '../../src/model/collector.ts';
import type { Event } from '../../src/model/event.ts';
import { lttng } from './collector.ts';

function read(text: string) {
  const events: Event[] = [];
  const bad: Bad[] = [];
  const lost: Lost[] = [];
  const facts: CaptureFacts = {};
  const parser = lttng.createParser({
    event: (event) => events.push(event),
    bad: (line) => bad.push(line),
    lost: (loss) => lost.push(loss),
    facts: (more) => Object.assign(facts, more),
  });
  for (const [index, line] of text.split('\n').entries()) {
    const bytes = Buffer.from(line, 'latin1');
    parser.line(bytes, 0, bytes.length, index + 1);
  }
  parser.end();
  return { events, bad, lost, facts };
}

const GET =
  '[10:35:42.123456789] (+?.?????????) host module_get: { cpu_id = 1 }, { procname = "a \\"b", tid = 42 }, { ip = 0xFFFFFFFFC040D031, refcnt = 2, name = "foo" }';

describe('a record', () => {
  it('of a reference has its call site as an address', () => {
    expect(read(GET).events).toMatchObject([
      {
        kind: 'module_get',
        module: 'foo',
        refcnt: 2,
        callSite: { address: '0xffffffffc040d031' },
        cpu: 1,
        pid: 42,
        comm: 'a "b',
        context: 'unknown',
        ts: 0,
      },
    ]);
  });

  it('of a load has taints as a number or an enumeration, and no task without contexts', () => {
    const load = (taints: string) =>
      `[10:00:00.000000000] (+0.1) module_load: { cpu_id = 0 }, { taints = ${taints}, name = "foo" }`;
    for (const taints of ['4096', '( "OOT" : container = 4096 )']) {
      expect(read(load(taints)).events).toMatchObject([{ kind: 'module_load', taints: 'O', pid: -1 }]);
    }
  });

  it('of a system call', () => {
    const { events } = read(
      '[10:00:00.000000000] (+0.1) host syscall_entry_delete_module: { cpu_id = 0 }, { name_user = "dm-mod", flags = 2048 }\n' +
        '[10:00:01.000000000] (+1.0) host syscall_exit_delete_module: { cpu_id = 0 }, { ret = -11 }',
    );
    expect(events).toMatchObject([
      { kind: 'syscall_enter', syscall: 'delete_module', flags: 0x800, module: 'dm_mod' },
      { kind: 'syscall_exit', ret: -11, ts: 1e9 },
    ]);
  });

  it('that lacks a field says which', () => {
    expect(read(GET.replace('refcnt = 2, ', '')).bad).toMatchObject([
      { line: 1, message: 'expected a field refcnt of module_get' },
    ]);
  });
});

describe('time', () => {
  const at = (stamp: string) => `[${stamp}] (+0.1) host module_free: { cpu_id = 0 }, { name = "m" }`;

  it('of day goes on past midnight', () => {
    const { events, facts } = read(`${at('23:59:59.500000000')}\n${at('00:00:00.500000000')}`);
    expect(events.map(({ ts }) => ts)).toEqual([0, 1e9]);
    expect(facts).toMatchObject({ clock: 'relative', end: 1e9 });
  });

  it('with a date, or in seconds, is that since the epoch', () => {
    for (const stamp of ['1970-01-02 00:00:00.000000005', '86400.000000005']) {
      const { events, facts } = read(at(stamp));
      expect(events[0]!.ts).toBe(86_400e9 + 5);
      expect(facts.clock).toBe('tai');
    }
  });
});

it('tells what the tracer discarded', () => {
  const text =
    '[warning] Tracer discarded 26 events between [10:00:00.1] and [10:00:00.2] in trace UUID 5 at path x.';
  expect(read(text).lost).toEqual([{ count: 26, where: 'anywhere', line: 1 }]);
});
