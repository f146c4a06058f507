/**
 * The text that babeltrace2, babeltrace and `lttng view` print of LTTng's kernel tracing.
 *
 *     [10:35:42.123456789] (+0.000012345) host module_get: { cpu_id = 0 }, { procname = "cat", tid = 42 }, { ip = 0xFFFFFFFFC040D031, refcnt = 2, name = "foo" }
 *      │                    │              │    │            │              └ contexts, where asked for  └ fields
 *      │                    │              │    └ event      └ always there
 *      │                    │              └ absent from a trace without an environment
 *      │                    └ since the record before; absent with --no-delta
 *      └ time of day; with --clock-date the date before it, with --clock-seconds seconds since the epoch
 *
 * Fields are those of instrumentation/events/module.h and the syscalls of lttng-modules; layout from public examples of
 * babeltrace2. No recording was at hand.
 */
import type { Collector, Parser, Sink } from '../../src/model/collector.ts';
import type { Event, ModuleSyscall } from '../../src/model/event.ts';
import { createCodeTable } from '../code.ts';
import { taintLetters } from '../taints.ts';

//               +- time                                                              +- delta            +- host    +- event     +- the rest
const RECORD =
  /^\[((?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{9}|\d+\.\d{9})\] (?:\(\+[\d.?]+\) )?(?:\S+ )?([A-Za-z_]\w*): (\{ cpu_id = \d+ \}.*)$/;
const DISCARDED = /\bTracer discarded (\d+) events?\b/;
//             +- name       +- string                 +- number                 +- enumeration
const FIELD = /(\w+) = (?:"((?:[^"\\]|\\.)*)"|(-?\d+|0x[0-9A-Fa-f]+)\b|\( ?[^()]*: container = (\d+) ?\))/g;
const SYSCALL = /^syscall_(entry|exit)_(delete_module|init_module|finit_module)$/;
const MODULE = /^module_(?:load|free|get|put|request)$/;

const DAY = 86_400e9;

export const lttng: Collector = {
  name: 'lttng',
  title: 'text of babeltrace2 of an LTTng kernel trace',
  sniff: (head) => head.split(/\r?\n/, 200).some((line) => RECORD.test(line)),
  createParser,
};

type Fields = ReadonlyMap<string, string>;

function createParser(sink: Sink): Parser {
  const code = createCodeTable();
  /** Of the first record, where only the time of day is printed. */
  let origin: number | undefined;
  let latest = 0;

  function time(text: string): number {
    const at = text.lastIndexOf('.');
    const fraction = Number(text.slice(at + 1));
    const whole = text.slice(0, at);
    if (!whole.includes(':')) {
      sink.facts({ clock: 'tai' });
      return Number(whole) * 1e9 + fraction;
    }
    if (whole.includes(' ')) {
      sink.facts({ clock: 'tai' });
      return Date.parse(`${whole.replace(' ', 'T')}Z`) * 1e6 + fraction;
    }
    const [hours, minutes, seconds] = whole.split(':').map(Number) as [number, number, number];
    const ofDay = ((hours * 60 + minutes) * 60 + seconds) * 1e9 + fraction;
    if (origin === undefined) sink.facts({ clock: 'relative' });
    origin ??= ofDay;
    // Past midnight; records of one trace are printed in order.
    let ts = ofDay - origin;
    while (ts < latest - DAY / 2) ts += DAY;
    return ts;
  }

  function event(name: string, fields: Fields, line: number, ts: number): Event | string {
    const number = (field: string) => Number(fields.get(field) ?? Number.NaN);
    const base = {
      seq: 0,
      input: 0,
      line,
      ts,
      cpu: number('cpu_id'),
      pid: Number(fields.get('tid') ?? fields.get('vtid') ?? -1),
      comm: fields.get('procname') ?? '',
      context: 'unknown' as const,
    };
    const syscall = SYSCALL.exec(name);
    if (syscall !== null) {
      const called = syscall[2] as ModuleSyscall;
      if (syscall[1] === 'exit') {
        return fields.has('ret')
          ? { kind: 'syscall_exit', ...base, syscall: called, ret: number('ret') }
          : 'ret';
      }
      const module = fields.get('name_user');
      return {
        kind: 'syscall_enter',
        ...base,
        syscall: called,
        ...(fields.has('flags') ? { flags: number('flags') } : {}),
        ...(module === undefined || module.startsWith('0x') ? {} : { module: module.replaceAll('-', '_') }),
      };
    }
    const module = fields.get('name');
    if (module === undefined) return 'name';
    if (name === 'module_free') return { kind: 'module_free', ...base, module };
    if (name === 'module_load') {
      return {
        kind: 'module_load',
        ...base,
        module,
        taints: taintLetters(Number(fields.get('taints') ?? 0)),
      };
    }
    const callSite = code((fields.get('ip') ?? '').toLowerCase());
    if (callSite === undefined) return 'ip';
    if (name === 'module_request') {
      return { kind: 'module_request', ...base, alias: module, wait: number('wait') === 1, callSite };
    }
    if (!fields.has('refcnt')) return 'refcnt';
    const kind = name === 'module_get' ? 'module_get' : 'module_put';
    return { kind, ...base, module, callSite, refcnt: number('refcnt') };
  }

  return {
    line(bytes, start, end, line) {
      const text = bytes.toString('latin1', start, end > start && bytes[end - 1] === 0x0d ? end - 1 : end);
      const discarded = DISCARDED.exec(text);
      if (discarded !== null) {
        sink.lost({ count: Number(discarded[1]), where: 'anywhere', line });
        return;
      }
      const record = RECORD.exec(text);
      if (record === null) return;
      const [, stamp, name, rest] = record as unknown as [string, string, string, string];
      const ts = time(stamp);
      latest = Math.max(latest, ts);
      if (!MODULE.test(name) && !SYSCALL.test(name)) return;
      const read = event(name, fieldsOf(rest), line, ts);
      if (typeof read !== 'string') sink.event(read);
      else {
        const column = text.length - rest.length + 1;
        sink.bad({ line, column, message: `expected a field ${read} of ${name}`, text });
      }
    },
    end() {
      if (latest > 0) sink.facts({ end: latest });
    },
  };
}

function fieldsOf(text: string): Fields {
  const fields = new Map<string, string>();
  for (const [, name, string, number, container] of text.matchAll(FIELD)) {
    fields.set(name!, string === undefined ? (number ?? container)! : unescaped(string));
  }
  return fields;
}

function unescaped(latin1: string): string {
  return Buffer.from(latin1.replace(/\\(.)/g, '$1'), 'latin1').toString('utf8');
}
