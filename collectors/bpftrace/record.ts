/** From the text of one record to an event. */
import type { Sink } from '../../src/model/collector.ts';
import type { ExecContext, ModuleSyscall } from '../../src/model/event.ts';
import { taintLetters } from '../taints.ts';
import { createPlaces } from './places.ts';

export interface RawRecord {
  text: string;
  readonly line: number;
  /** 1-based column of `text` in its line. */
  readonly column: number;
  /** That line. */
  readonly source: string;
  /** `ffffffff81148175 try_module_get+133`, innermost first. */
  readonly frames: string[];
}

interface Field {
  readonly value: string;
  /** Where in the record the value starts. */
  readonly at: number;
}

interface Mismatch {
  readonly at: number;
  readonly expected: string;
}

interface Shape {
  readonly pattern: RegExp;
  readonly expected: string;
}

const HEX: Shape = { pattern: /^0x[0-9a-f]{1,16}$/, expected: 'a hexadecimal number' };
const INT: Shape = { pattern: /^-?\d+$/, expected: 'a number' };
const NAME: Shape = {
  pattern: /^\S+$/,
  expected: 'a module name; bpftrace 0.23 prints none with modlife-0.17.bt, use modlife.bt there',
};
const WORD: Shape = { pattern: /^\S+$/, expected: 'a word' };
const TEXT: Shape = { pattern: /^/, expected: 'text' };
const SYSCALL: Shape = { pattern: /^(?:delete|init|finit)_module$/, expected: 'a system call on modules' };

/** The fields a record cannot do without, besides `comm`. */
const RECORDS: Readonly<Record<string, readonly (readonly [key: string, shape: Shape])[]>> = {
  begin: [
    ['stext', HEX],
    ['etext', HEX],
    ['kernel', WORD],
  ],
  module: [
    ['first', HEX],
    ['last', HEX],
    ['name', NAME],
  ],
  load: [
    ['taints', HEX],
    ['name', NAME],
  ],
  free: [['name', NAME]],
  get: [
    ['refcnt', INT],
    ['ip', HEX],
    ['sym', TEXT],
    ['name', NAME],
  ],
  put: [
    ['refcnt', INT],
    ['ip', HEX],
    ['sym', TEXT],
    ['name', NAME],
  ],
  enter: [['fn', WORD]],
  leave: [
    ['fn', WORD],
    ['ret', WORD],
  ],
  sys_enter: [
    ['call', SYSCALL],
    ['flags', HEX],
    ['name', TEXT],
  ],
  sys_exit: [
    ['call', SYSCALL],
    ['ret', INT],
  ],
  exit: [],
};

/** How a BPF program came to be called; not what the kernel was doing. */
const TRACER =
  /^[0-9a-f]+ (?:bpf_prog_\w+|bpf_trace_run\d+|__bpf_trace_\w+|__traceiter_\w+|bpf_trampoline_\w+)(?:\+\d+)?$/;

const HEAD = /^modlife1 (\d+) (\d+) (-?\d+) ([0-9a-f]{1,8}) (\w+) /;

export function createReader(sink: Sink): (record: RawRecord) => void {
  const places = createPlaces();
  const strings = new Map<string, string>();

  /** Names repeat, and a slice of a line would keep the line. */
  const intern = (text: string): string => {
    const known = strings.get(text);
    if (known !== undefined) return known;
    if (strings.size > 4096) strings.clear();
    const bytes = Buffer.from(text, 'latin1');
    const copy = bytes.toString('utf8');
    strings.set(bytes.toString('latin1'), copy);
    return copy;
  };

  return (record) => {
    const { text, line } = record;
    const refuse = ({ at, expected }: Mismatch) =>
      sink.bad({ line, column: record.column + at, message: `expected ${expected}`, text: record.source });

    const head = HEAD.exec(text);
    if (!head) return refuse(headMismatch(text));
    const [start, ns, cpu, pid, count, kind] = head as unknown as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];

    const shapes = Object.hasOwn(RECORDS, kind) ? RECORDS[kind] : undefined;
    if (!shapes)
      return refuse({
        at: start.length - kind.length - 1,
        expected: `one of ${Object.keys(RECORDS).join(', ')}`,
      });
    const fields = splitFields(text, start.length);
    if ('expected' in fields) return refuse(fields);
    for (const [key, shape] of shapes) {
      const field = fields.get(key);
      if (!field) return refuse({ at: fields.get('comm')!.at, expected: `${key}= before comm=` });
      if (!shape.pattern.test(field.value)) return refuse({ at: field.at, expected: shape.expected });
    }
    const value = (key: string) => fields.get(key)?.value ?? '';

    if (HEX.pattern.test(value('text')) && INT.pattern.test(value('size'))) {
      places.moduleText(intern(value('name')), value('text'), Number(value('size')));
    }

    const base = {
      seq: 0,
      input: 0,
      line,
      ts: Number(ns),
      cpu: Number(cpu),
      pid: Number(pid),
      comm: intern(value('comm')),
      context: contextOf(Number.parseInt(count, 16), kind),
    };
    const frames = record.frames.slice(record.frames.findLastIndex((frame) => TRACER.test(frame)) + 1);
    const stack = frames.map(places.frame);
    const stacked = stack.length > 0 ? { ...base, stack } : base;
    const args = () => {
      const rest = [...fields].filter(([key]) => key !== 'fn' && key !== 'module' && key !== 'comm');
      return Object.fromEntries(rest.map(([key, field]) => [key, intern(field.value)]));
    };

    switch (kind) {
      case 'begin':
        places.kernelText(value('stext'), value('etext'));
        return sink.facts({ kernel: value('kernel'), clock: 'time', ordered: false });
      case 'module':
        return places.moduleText(
          intern(value('name')),
          value('first'),
          Number(BigInt(value('last')) - BigInt(value('first'))) + 1,
        );
      case 'load':
        return sink.event({
          ...base,
          kind: 'module_load',
          module: intern(value('name')),
          taints: taintLetters(Number(value('taints'))),
        });
      case 'free':
        return sink.event({ ...base, kind: 'module_free', module: intern(value('name')) });
      case 'get':
      case 'put':
        return sink.event({
          ...stacked,
          kind: kind === 'get' ? 'module_get' : 'module_put',
          module: intern(value('name')),
          callSite: places.code(value('ip'), frameAt(value('ip'), frames), value('sym')),
          refcnt: Number(value('refcnt')),
        });
      case 'enter':
        return sink.event({
          ...stacked,
          kind: 'function_entry',
          fn: places.probed(intern(value('fn')), intern(value('module'))),
          probe: intern(value('fn')),
          args: args(),
        });
      case 'leave':
        return sink.event({
          ...base,
          kind: 'function_return',
          fn: places.probed(intern(value('fn')), intern(value('module'))),
          probe: intern(value('fn')),
          args: args(),
        });
      case 'sys_enter':
        return sink.event({
          ...base,
          kind: 'syscall_enter',
          syscall: value('call') as ModuleSyscall,
          flags: Number(value('flags')),
          ...(value('name') && { module: intern(value('name')) }),
        });
      case 'sys_exit':
        return sink.event({
          ...base,
          kind: 'syscall_exit',
          syscall: value('call') as ModuleSyscall,
          ret: Number(value('ret')),
        });
      case 'exit':
        return sink.event({ ...base, kind: 'sched_process_exit', target: base.pid });
    }
  };
}

/**
 * `key=value key=value … name=any text comm="anything"`. `sym` may hold spaces too: bpftrace adds what it knows of
 * inlining.
 */
function splitFields(text: string, start: number): ReadonlyMap<string, Field> | Mismatch {
  const fields = new Map<string, Field>();
  let at = start;
  for (;;) {
    const equals = text.indexOf('=', at);
    const key = text.slice(at, equals);
    if (equals < 0 || !/^[a-z]\w*$/.test(key)) return { at, expected: '<key>=<value>' };
    at = equals + 1;
    if (key === 'comm') {
      if (text[at] !== '"' || text.length < at + 2 || !text.endsWith('"'))
        return { at, expected: 'a comm in quotes' };
      return fields.set(key, { value: text.slice(at + 1, -1), at });
    }
    const next = key === 'name' ? ' comm="' : key === 'sym' ? ' name=' : ' ';
    const end = text.indexOf(next, at);
    if (end < 0) return { at: text.length, expected: key === 'name' ? 'comm="…"' : 'more fields' };
    fields.set(key, { value: text.slice(at, end), at });
    at = end + 1;
  }
}

/** The frame of a call site: its return address. The last of several is the function that is not inlined. */
function frameAt(address: string, frames: readonly string[]): string | undefined {
  const start = `${address.slice(2)} `;
  return frames.findLast((frame) => frame.startsWith(start));
}

/** Says where the fixed part of a record stopped making sense. */
function headMismatch(text: string): Mismatch {
  const parts: readonly (readonly [RegExp, string])[] = [
    [/modlife1 /y, 'modlife1'],
    [/\d+ /y, 'nanoseconds'],
    [/\d+ /y, 'a cpu'],
    [/-?\d+ /y, 'a pid'],
    [/[0-9a-f]{1,8} /y, 'the preemption count, in hex'],
    [/\w+ /y, 'a record'],
  ];
  let at = 0;
  for (const [pattern, expected] of parts) {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return { at, expected };
    at = pattern.lastIndex;
  }
  return { at, expected: 'fields' };
}

/** include/linux/preempt.h: bits 8-15 softirq, 16-19 hardirq, 20-23 NMI. Only 0x100 of softirq says it is being
 *  served, the rest that it is disabled. */
function contextOf(count: number, kind: string): ExecContext {
  if (count === 0) return 'unknown';
  // A probe that had to be a breakpoint runs as if in an NMI.
  if (count & 0xf00000) return kind === 'enter' || kind === 'leave' ? 'unknown' : 'nmi';
  if (count & 0xf0000) return 'hardirq';
  if (count & 0x100) return 'softirq';
  return 'task';
}
