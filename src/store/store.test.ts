import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isDeferredKind } from '../model/deferred.ts';
import { UserError } from '../model/errors.ts';
import type { Code, Event } from '../model/event.ts';
import type { Finding, Report } from '../model/report.ts';
import { createStore, type StoreResult } from './create-store.ts';
import { isStore } from './is-store.ts';
import { openStore, type Store } from './open-store.ts';
import { kindIds, SCHEMA_VERSION } from './schema.ts';
import { Sqlite } from './sqlite.ts';

let folder: string;
let path: string;
const open: Store[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'modlife-store-'));
  path = join(folder, 'a.db');
});

afterEach(() => {
  for (const store of open.splice(0)) store.close();
  rmSync(folder, { recursive: true });
});

const hostile = [
  "'; DROP TABLE event_rows; --",
  'nul\0inside',
  '\u001b]0;title\u0007\u001b[2J',
  '"quoted" \\ back\nslash',
  '__proto__',
  'ünï 💥 \u202e',
  '',
];

const site: Code = { text: 'dm_create+0x4/0x20 [dm_mod]', symbol: 'dm_create', module: 'dm_mod', offset: 4 };
const plain: Code = { text: 'try_module_get', symbol: 'try_module_get' };
const address: Code = { text: '0xffffffffc0a01234', address: '0xffffffffc0a01234' };

type Common = Pick<Event, 'seq' | 'input' | 'line' | 'ts' | 'cpu' | 'pid' | 'comm' | 'context'>;

function common(seq: number): Common {
  return {
    seq,
    input: 0,
    line: seq + 11,
    ts: 162_424_581_000 + seq * 731,
    cpu: seq % 4,
    pid: 700,
    comm: 'rmmod',
    context: 'task',
  };
}

/** Every kind, with and without each optional field. */
function everyEvent(): Event[] {
  const make: ((base: Common) => Event)[] = [
    (base) => ({ ...base, kind: 'module_load', module: 'dm_mod', taints: 'OE' }),
    (base) => ({ ...base, kind: 'module_load', module: 'dm_mod', taints: '' }),
    (base) => ({ ...base, kind: 'module_get', module: 'dm_mod', callSite: site, refcnt: 2 }),
    (base) => ({
      ...base,
      kind: 'module_get',
      module: 'dm_mod',
      callSite: plain,
      refcnt: -3,
      context: 'unknown',
      cpu: -1,
      pid: -1,
      comm: '',
    }),
    (base) => ({
      ...base,
      kind: 'module_put',
      module: 'dm_mod',
      callSite: site,
      refcnt: 1,
      context: 'hardirq',
      stack: ['module_put+0x1/0x2', 'a b'],
    }),
    (base) => ({
      ...base,
      kind: 'module_put',
      module: 'dm_mod',
      callSite: address,
      refcnt: 1,
      context: 'nmi',
      stack: [],
    }),
    (base) => ({ ...base, kind: 'module_request', alias: 'fs-ext4', wait: true, callSite: plain }),
    (base) => ({ ...base, kind: 'module_request', alias: 'fs-ext4', wait: false, callSite: plain }),
    (base) => ({ ...base, kind: 'function_entry', fn: site, probe: 'p', args: {} }),
    (base) => ({
      ...base,
      kind: 'function_entry',
      fn: site,
      probe: 'p',
      args: { b: '1', a: '', arg1: '\ud800' },
    }),
    (base) => ({ ...base, kind: 'function_return', fn: site, probe: 'r', args: {} }),
    (base) => ({
      ...base,
      kind: 'function_return',
      fn: site,
      probe: 'r',
      caller: plain,
      args: { ret: '-16' },
      stack: ['x'],
    }),
    (base) => ({ ...base, kind: 'syscall_enter', syscall: 'delete_module', flags: 0x800, module: 'dm_mod' }),
    (base) => ({ ...base, kind: 'syscall_enter', syscall: 'delete_module', flags: 0 }),
    (base) => ({ ...base, kind: 'syscall_enter', syscall: 'finit_module' }),
    (base) => ({ ...base, kind: 'syscall_enter', syscall: 'init_module', module: '' }),
    (base) => ({ ...base, kind: 'syscall_exit', syscall: 'delete_module', ret: -16 }),
    (base) => ({
      ...base,
      kind: 'kernel_fault',
      what: 'oops',
      message: 'BUG: unable to handle',
      address: '0x10',
      at: site,
    }),
    (base) => ({ ...base, kind: 'kernel_fault', what: 'warn', message: '' }),
    (base) => ({ ...base, kind: 'hung_task', seconds: 120, stack: ['schedule+0x5a/0xd0'] }),
    (base) => ({
      ...base,
      kind: 'module_text',
      module: 'dm_mod',
      place: { start: '0xffffffffc040d000', end: '0xffffffffc0411000' },
      functions: [{ address: '0xffffffffc040d010', size: 16, symbol: 'dm_put' }],
    }),
    (base) => ({ ...base, kind: 'module_text', module: 'dm_mod', functions: [] }),
    (base) => ({ ...base, kind: 'module_free', module: 'dm_mod', context: 'softirq', ts: 2 ** 53 }),
  ];
  const fixed = new Set(make.map((one) => one(common(1)).kind));
  for (const kind of Object.keys(kindIds) as Event['kind'][]) {
    if (fixed.has(kind)) continue;
    if (!isDeferredKind(kind)) {
      make.push((base) => ({ ...base, kind, target: 42 }) as Event);
    } else {
      make.push((base) => ({ ...base, kind, object: 'ffff8880', fn: site }) as Event);
      make.push((base) => ({ ...base, kind, object: '(____ptrval____)' }) as Event);
    }
  }
  return make.map((one, index) => one(common(index + 1)));
}

const finding: Finding = {
  rule: 'ref-leak',
  severity: 'error',
  certainty: 'observed',
  fingerprint: 'f00d',
  module: 'dm_mod',
  incarnation: 1,
  title: hostile[0]!,
  detail: hostile.join('|'),
  at: { ns: 5, input: 0, line: 14 },
  culprit: { symbol: 'dm_create', task: { comm: 'rmmod', pid: 700 }, context: 'task' },
  evidence: [
    {
      role: 'get',
      ns: 5,
      input: 0,
      line: 14,
      event: 'module_get',
      task: { comm: 'a', pid: 1 },
      cpu: 0,
      context: 'task',
    },
  ],
  fix: { text: 'put it', pattern: 'pair' },
};

function reportOf(findings: Finding[] = [finding]): Report {
  return {
    schema: 'modlife/findings@1',
    tool: { name: 'modlife', version: '0.1.0' },
    inputs: [
      {
        path: `a${hostile[2]}`,
        format: 'tracefs',
        kernel: '6.1',
        clock: 'time',
        lines: 141,
        events: 6,
        skipped: 1,
        bad: 1,
        lost: 7,
        first: 1_000,
        last: 2_000_001_000,
        cpus: 2,
      },
      {
        path: '-',
        format: 'bpftrace',
        clock: 'none',
        lines: 0,
        events: 0,
        skipped: 0,
        bad: 0,
        lost: 0,
        first: null,
        last: null,
      },
    ],
    modules: [
      { module: 'dm_mod', incarnations: 1, gets: 2, puts: 1, held: 1, maxRefcnt: null, state: 'live' },
    ],
    unloads: [],
    passes: [
      { rule: 'ref-leak', ran: true },
      { rule: 'text-in-use', ran: false, because: 'no timer events' },
    ],
    findings,
    summary: { error: 1, warning: 0, note: 0 },
  };
}

function write(events: readonly Event[], result: Partial<StoreResult> = {}): void {
  const writer = createStore(path);
  writer.append(events);
  writer.finish({ incarnations: [], references: [], standings: [], report: reportOf(), ...result });
  writer.close();
}

function read(): Store {
  const store = openStore(path);
  open.push(store);
  return store;
}

function get(seq: number, module: string, text: string, more: Partial<Common> = {}): Event {
  return { ...common(seq), kind: 'module_get', module, callSite: { text }, refcnt: 2, ...more };
}

describe('events', () => {
  test('every kind comes back as it went in, absent fields absent', () => {
    const events = everyEvent();
    expect(new Set(events.map((event) => event.kind)).size).toBe(Object.keys(kindIds).length);
    write(events);
    expect([...read().events()]).toStrictEqual(events);
  });

  test('one spelling in one input is one object, even where the collector gave two', () => {
    write([get(1, 'm', 'x'), get(2, 'm', 'x'), get(3, 'm', 'x', { input: 1 })]);
    const [first, second, elsewhere] = [...read().events()] as Extract<Event, { callSite: Code }>[];
    expect(second!.callSite).toBe(first!.callSite);
    expect(elsewhere!.callSite).not.toBe(first!.callSite);
  });

  test('hostile text survives everywhere and harms nothing', () => {
    const events = hostile.flatMap((text, index): Event[] => [
      get(index * 3 + 1, text, text, { comm: text }),
      {
        ...common(index * 3 + 2),
        kind: 'function_entry',
        fn: { text: `${text}()`, symbol: text, module: text },
        probe: text,
        args: { [text]: text },
        stack: [text, text],
      },
      { ...common(index * 3 + 3), kind: 'timer_start', object: text },
    ]);
    write(events);
    expect([...read().events()]).toStrictEqual(events);
    for (const text of hostile) {
      expect([...read().events({ module: text })]).toHaveLength(2);
      expect(read().query('events', { module: text }).rows).toHaveLength(2);
    }
  });

  test('shapes, stacks and tasks beyond what the writer remembers are kept all the same', () => {
    const events: Event[] = [];
    for (let seq = 1; seq <= 18_000; seq++) {
      const turn = seq % 17_000;
      events.push({ ...get(seq, 'm', `site_${turn}`, { pid: turn }), stack: [`frame_${turn}`] });
    }
    write(events);
    // The matcher takes seconds for as many.
    expect(isDeepStrictEqual([...read().events()], events)).toBe(true);
    expect(read().sql('SELECT sum(events) FROM shapes').rows).toEqual([[18_000]]);
    expect(read().query('busiest', { limit: 1 }).rows[0]!.slice(0, 2)).toEqual(['site_1', 2]);
  });

  test('stacks that look alike when joined are told apart', () => {
    const stacks = [['a\nb', 'c'], ['a', 'b\nc'], ['a', 'b', 'c'], [''], [], ['a', 'b\nc']];
    const events = stacks.map((stack, index): Event => ({ ...get(index + 1, 'm', 'x'), stack }));
    write(events);
    expect([...read().events()]).toStrictEqual(events);
  });

  test('seq may have gaps, and batches any size', () => {
    const seqs = [
      1,
      2,
      3,
      10,
      11,
      500,
      501,
      ...Array.from({ length: 1000 }, (_, index) => 502 + index),
      9000,
      2 ** 40,
    ];
    const events = seqs.map((seq) => get(seq, 'm', 'x'));
    const writer = createStore(path);
    writer.append([]);
    writer.append(events.slice(0, 2));
    writer.append(events.slice(2, 6));
    writer.append(events.slice(6, 900));
    writer.append(events.slice(900));
    writer.finish({ incarnations: [], references: [], standings: [], report: reportOf() });
    expect([...read().events()]).toStrictEqual(events);
  });

  test('are chosen by module and by time', () => {
    write([
      get(1, 'a', 'x', { ts: 10 }),
      get(2, 'b', 'y', { ts: 20 }),
      {
        ...common(3),
        ts: 30,
        kind: 'function_entry',
        fn: { text: 'f [a]', symbol: 'f', module: 'a' },
        probe: 'p',
        args: {},
      },
      { ...common(4), ts: 40, kind: 'syscall_enter', syscall: 'delete_module', module: 'a' },
      { ...common(5), ts: 50, kind: 'sched_waking', target: 1 },
    ]);
    const seqs = (filter: Parameters<Store['events']>[0]) =>
      [...read().events(filter)].map((event) => event.seq);
    expect(seqs({ module: 'a' })).toEqual([1, 3, 4]);
    expect(seqs({ from: 20, to: 40 })).toEqual([2, 3, 4]);
    expect(seqs({ module: 'a', from: 11 })).toEqual([3, 4]);
    expect(seqs({ module: 'nosuch' })).toEqual([]);
  });

  test('may be read twice at once, and left in the middle', () => {
    write(Array.from({ length: 3000 }, (_, index) => get(index + 1, 'm', 'x')));
    const store = read();
    const first = store.events();
    first.next();
    for (const event of store.events()) if (event.seq === 2) break;
    expect(first.next().value.seq).toBe(2);
    store.close();
  });
});

test('the report, inputs and losses come back as they went in', () => {
  const writer = createStore(path);
  const losses = [
    { input: 0, line: 9, where: 'before', count: 7, cpu: 1, after: 12, ns: 900 },
    { input: 1, line: 1, where: 'head', after: 0 },
  ] as const;
  for (const loss of losses) writer.addLoss(loss);
  writer.addBad({ input: 0, line: 3, column: 45, message: 'expected refcnt=', text: hostile[1]! });
  writer.finish({ incarnations: [], references: [], standings: [], report: reportOf() });
  const store = read();
  expect(store.report()).toStrictEqual(reportOf());
  expect(JSON.stringify(store.report())).toBe(JSON.stringify(reportOf()));
  expect(store.inputs()).toStrictEqual(reportOf().inputs);
  expect(store.losses()).toStrictEqual(losses);
  expect(store.sql('SELECT * FROM bad_lines').rows).toEqual([[0, 3, 45, 'expected refcnt=', hostile[1]]]);
});

describe('the file', () => {
  const refusal = (work: () => unknown): UserError => {
    try {
      work();
    } catch (error) {
      if (error instanceof UserError) return error;
      throw error;
    }
    throw new Error('not refused');
  };

  test('has no name until it is whole, and an older store stays until then', () => {
    write([get(1, 'old', 'x')]);
    const before = readFileSync(path);
    const writer = createStore(path);
    writer.append(Array.from({ length: 5000 }, (_, index) => get(index + 1, 'new', 'x')));
    expect(readFileSync(path).equals(before)).toBe(true);
    const partial = readdirSync(folder).find((name) => name !== 'a.db')!;
    expect(partial).toMatch(/^a\.db\.[0-9a-f]{8}\.partial$/);
    // What a killed process leaves behind is not taken for a store.
    copyFileSync(join(folder, partial), join(folder, 'killed.db'));
    expect(isStore(join(folder, 'killed.db'))).toBe(false);
    writer.finish({ incarnations: [], references: [], standings: [], report: reportOf() });
    writer.close();
    expect(readdirSync(folder).sort()).toEqual(['a.db', 'killed.db']);
    expect([...read().events({ module: 'new' })]).toHaveLength(5000);
  });

  test('given up leaves nothing', () => {
    const writer = createStore(path);
    writer.append([get(1, 'm', 'x')]);
    writer.close();
    writer.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('two writers do not disturb each other', () => {
    const writers = [createStore(path), createStore(path)];
    writers.forEach((writer, index) => {
      writer.append([get(1, `m${index}`, 'x')]);
    });
    for (const writer of writers)
      writer.finish({ incarnations: [], references: [], standings: [], report: reportOf() });
    expect([...read().events()].map((event) => 'module' in event && event.module)).toEqual(['m1']);
    expect(readdirSync(folder)).toEqual(['a.db']);
  });

  test.each([
    ['a text', 'a capture, say'],
    ['an empty file', ''],
    ['a foreign database', undefined],
  ])('%s is neither replaced nor opened', (_, content) => {
    if (content === undefined) new Sqlite(path).exec('CREATE TABLE t (a)').close();
    else writeFileSync(path, content);
    const before = readFileSync(path);
    expect(isStore(path)).toBe(false);
    expect(refusal(() => createStore(path)).code).toBe('store');
    expect(refusal(() => openStore(path)).code).toBe('store');
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['a.db']);
  });

  test('that turns up while a store is written is not replaced either', () => {
    const writer = createStore(path);
    writeFileSync(path, 'mine');
    const result = { incarnations: [], references: [], standings: [], report: reportOf() };
    expect(refusal(() => writer.finish(result)).code).toBe('store');
    writer.close();
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(readdirSync(folder)).toEqual(['a.db']);
  });

  test('a store of another version is refused for reading and replaced in writing', () => {
    write([]);
    for (const [version, hint] of [
      [SCHEMA_VERSION + 1, 'a newer modlife'],
      [SCHEMA_VERSION - 1, 'modlife analyze --db'],
    ] as const) {
      new Sqlite(path).exec(`PRAGMA user_version = ${version}`).close();
      expect(isStore(path)).toBe(true);
      const error = refusal(() => openStore(path));
      expect(error.code).toBe('store');
      expect(error.message).toContain(`version ${version}`);
      expect(error.hint).toContain(hint);
    }
    write([get(1, 'm', 'x')]);
    expect([...read().events()]).toHaveLength(1);
  });

  test('behind a symbolic link is replaced, not the link', () => {
    write([]);
    const link = join(folder, 'link.db');
    symlinkSync(path, link);
    const writer = createStore(link);
    writer.append([get(1, 'm', 'x')]);
    writer.finish({ incarnations: [], references: [], standings: [], report: reportOf() });
    expect([...read().events()]).toHaveLength(1);
  });

  test('cut short is called damaged', () => {
    write(Array.from({ length: 50_000 }, (_, index) => get(index + 1, 'm', `site_${index % 100}`)));
    truncateSync(path, 200_000);
    expect(
      refusal(() => {
        const store = read();
        return [...store.events()];
      }).code,
    ).toBe('store');
  });

  test('missing, or in a folder that is, is said so', () => {
    expect(refusal(() => openStore(path)).code).toBe('noinput');
    expect(isStore(path)).toBe(false);
    expect(isStore(folder)).toBe(false);
    expect(refusal(() => openStore(folder)).code).toBe('store');
    expect(refusal(() => createStore(join(folder, 'no', 'a.db'))).code).toBe('cannot-write');
    expect(refusal(() => createStore(folder)).code).toBe('store');
  });

  test('a pipe is not waited for', () => {
    execFileSync('mkfifo', [path]);
    expect(isStore(path)).toBe(false);
    expect(refusal(() => openStore(path)).code).toBe('store');
    expect(refusal(() => createStore(path)).code).toBe('store');
  });
});

describe('questions', () => {
  /** What is asked below: two loads of `a`, the first unloaded by force, with one reference still out. */
  function writeStory(): void {
    const at = (seq: number, more: Partial<Common> = {}) => ({
      ...common(seq),
      ts: seq * 1_000_000,
      ...more,
    });
    const open: Code = { text: 'chrdev_open+0x1/0x2', symbol: 'chrdev_open' };
    const release: Code = { text: 'fput+0x1/0x2', symbol: 'fput' };
    const load: Code = { text: 'do_init_module+0x1/0x2', symbol: 'do_init_module' };
    write(
      [
        { ...at(1, { comm: 'insmod' }), kind: 'module_load', module: 'a', taints: '' },
        { ...at(2, { comm: 'insmod' }), kind: 'module_put', module: 'a', callSite: load, refcnt: 1 },
        {
          ...at(3, { comm: 'cat', pid: 9 }),
          kind: 'module_get',
          module: 'a',
          callSite: open,
          refcnt: 2,
          stack: ['chrdev_open', 'vfs_open'],
        },
        { ...at(4, { comm: 'cat', pid: 10 }), kind: 'module_get', module: 'a', callSite: open, refcnt: 3 },
        { ...at(5, { comm: 'cat', pid: 10 }), kind: 'module_put', module: 'a', callSite: release, refcnt: 2 },
        { ...at(6), kind: 'syscall_enter', syscall: 'delete_module', flags: 0x200, module: 'a' },
        { ...at(8), kind: 'module_free', module: 'a' },
        { ...at(9), kind: 'module_load', module: 'a', taints: '' },
        { ...at(10, { comm: 'cat', pid: 11 }), kind: 'module_get', module: 'a', callSite: open, refcnt: 2 },
      ],
      {
        incarnations: [
          {
            id: 1,
            module: 'a',
            nth: 1,
            state: 'freed',
            load: 1,
            going: 6,
            free: 8,
            first: 1,
            last: 8,
            outcome: 'forced',
            baseKnown: true,
            gets: 2,
            puts: 2,
            held: 1,
            maxRefcnt: 3,
            remembered: true,
          },
          {
            id: 2,
            module: 'a',
            nth: 2,
            state: 'live',
            load: 9,
            going: null,
            free: null,
            first: 9,
            last: 10,
            outcome: 'live',
            baseKnown: true,
            gets: 1,
            puts: 0,
            held: 1,
            maxRefcnt: 2,
            remembered: true,
          },
        ],
        references: [
          { incarnation: 1, get: null, put: 2, family: 'load', ambiguous: false },
          { incarnation: 1, get: 3, put: null, family: 'open', ambiguous: true },
          { incarnation: 1, get: 4, put: 5, family: 'open', ambiguous: false },
          { incarnation: 2, get: 10, put: null, family: 'open', ambiguous: false },
        ],
      },
    );
  }

  function ask(name: string, params: Record<string, string | number> = {}): Record<string, unknown>[] {
    const { columns, rows } = read().query(name, params);
    return rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
  }

  beforeEach(writeStory);

  test('holders: now, and at a moment', () => {
    expect(ask('holders')).toMatchObject([{ nth: 2, pid: 11, age_ns: 0, stack: null, line: 21 }]);
    expect(ask('holders', { at: '4500000' })).toMatchObject([
      {
        module: 'a',
        nth: 1,
        call_site: 'chrdev_open+0x1/0x2',
        comm: 'cat',
        pid: 9,
        get_ns: 3_000_000,
        age_ns: 1_500_000,
        family: 'open',
        ambiguous: 1,
        stack: 'chrdev_open <- vfs_open',
      },
      { pid: 10, get_ns: 4_000_000, age_ns: 500_000 },
    ]);
    expect(ask('holders', { at: 1_500_000 })).toMatchObject([
      { call_site: null, get_ns: null, family: 'load' },
    ]);
    expect(ask('holders', { at: 8_500_000 })).toEqual([]);
    expect(ask('holders', { at: 0 })).toEqual([]);
    expect(ask('holders', { module: 'b' })).toEqual([]);
  });

  test('balance: held counts what a call site took and nobody gave back', () => {
    expect(ask('balance')).toEqual([
      { module: 'a', call_site: 'chrdev_open+0x1/0x2', gets: 3, puts: 0, held: 2 },
      { module: 'a', call_site: 'do_init_module+0x1/0x2', gets: 0, puts: 1, held: 0 },
      { module: 'a', call_site: 'fput+0x1/0x2', gets: 0, puts: 1, held: 0 },
    ]);
  });

  test('unloads: who, how long, and what was held', () => {
    expect(ask('unloads')).toEqual([
      {
        module: 'a',
        nth: 1,
        comm: 'rmmod',
        pid: 700,
        going_ns: 6_000_000,
        free_ns: 8_000_000,
        took_ns: 2_000_000,
        outcome: 'forced',
        held: 1,
        held_by: 'chrdev_open+0x1/0x2',
      },
    ]);
  });

  test('the others', () => {
    expect(ask('incarnations')).toMatchObject([
      { nth: 1, load_ns: 1_000_000, free_ns: 8_000_000, base_known: 1 },
      { nth: 2, going_ns: null, last_ns: 10_000_000 },
    ]);
    expect(ask('modules')).toMatchObject([{ module: 'dm_mod', held: 1 }]);
    expect(ask('busiest', { limit: 1 })).toMatchObject([
      { call_site: 'chrdev_open+0x1/0x2', operations: 3, per_second: null },
    ]);
    expect(ask('findings')).toMatchObject([
      { rule: 'ref-leak', title: hostile[0], culprit: 'dm_create', line: 14 },
    ]);
    expect(ask('findings', { severity: 'note' })).toEqual([]);
    expect(ask('loss')).toEqual([]);
    expect(ask('events', { kind: 'module_get', limit: 2 })).toMatchObject([
      { seq: 3, refcnt: 2, call_site: 'chrdev_open+0x1/0x2', fn: null },
      { seq: 4, comm: 'cat', pid: 10 },
    ]);
  });

  test('an unknown query, parameter or value is answered with those that exist', () => {
    const store = read();
    expect(() => store.query('../../package', {})).toThrow(UserError);
    expect(() => store.query('holders', { time: 1 })).toThrow('no parameter "time"');
    expect(() => store.query('holders', { at: 'noon' })).toThrow('expected a whole number');
  });

  test('free SQL reads, and only reads', () => {
    const store = read();
    expect(
      store.sql(
        "SELECT kind, count(*) AS n FROM events WHERE module = 'a' GROUP BY kind ORDER BY n DESC, kind",
      ),
    ).toEqual({
      columns: ['kind', 'n'],
      rows: [
        ['module_get', 3],
        ['module_load', 2],
        ['module_put', 2],
        ['module_free', 1],
        ['syscall_enter', 1],
      ],
    });
    const before = readFileSync(path);
    for (const text of [
      'DELETE FROM event_rows',
      'DELETE FROM event_rows RETURNING seq',
      'DROP TABLE event_rows',
      `VACUUM INTO '${join(folder, 'copy.db')}'`,
      `ATTACH '${join(folder, 'other.db')}' AS other`,
      "SELECT load_extension('x')",
      'PRAGMA user_version = 9',
      'SELECT 1; SELECT 2',
      'SELECT :x',
      'SELECT nosuch FROM events',
      'nonsense',
      '',
    ]) {
      expect(() => store.sql(text), text).toThrow(
        expect.objectContaining({ name: 'UserError', code: 'usage' }),
      );
    }
    expect(readdirSync(folder)).toEqual(['a.db']);
    expect(readFileSync(path).equals(before)).toBe(true);
  });
});
