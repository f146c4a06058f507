/** The README's table of what each source can prove, held to what the passes need and to what the sources told. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../model/errors.ts';
import type { Event, EventKind } from '../model/event.ts';
import { openCapture } from '../pipeline/capture.ts';
import { eventsOf } from '../testing/read-text.ts';
import { passes } from './index.ts';
import type { Pass } from './pass.ts';

/** The columns of the table, and the formats that they speak of. */
const columns: Readonly<Record<string, string>> = {
  tracefs: 'tracefs',
  '`trace-cmd report`': 'trace-cmd',
  '`trace.dat`': 'trace-dat',
  '`perf script`': 'perf-script',
  bpftrace: 'bpftrace',
  LTTng: 'lttng',
  'kernel log': 'kernel-log',
};

interface Told {
  readonly kinds: Set<EventKind>;
  /** Of which some tell where they ran. */
  readonly placed: Set<EventKind>;
}

const told = new Map<string, Told>();

function add(format: string, { kind, context }: Event): void {
  const { kinds, placed } = told.get(format) ?? { kinds: new Set(), placed: new Set() };
  told.set(format, { kinds: kinds.add(kind), placed: context === 'unknown' ? placed : placed.add(kind) });
}

beforeAll(async () => {
  const files = readdirSync('samples', { recursive: true, encoding: 'utf8' });
  for (const name of files) {
    if (!/\.(txt|json|dat|xz)$/.test(name) || name.endsWith('.expected.txt')) continue;
    try {
      const { items, summary } = await openCapture({ path: join('samples', name), format: undefined }, 0);
      const events: Event[] = [];
      for await (const batch of items) for (const item of batch) if (item.kind !== 'lost') events.push(item);
      // A ring buffer that a crash dumped into a log is tracefs text.
      const format = summary.reading?.dumped === undefined ? summary.format : 'tracefs';
      for (const event of events) add(format, event);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }
  // Invented: no sample of these has system calls.
  const rmmod =
    'rmmod   527 [000]    73.159173: syscalls:sys_enter_delete_module: name_user: 0x558c50633858, flags: 0x00000800\n' +
    'rmmod   527 [000]    73.159273: syscalls:sys_exit_delete_module: 0xfffffffffffffff5\n';
  for (const event of await eventsOf(Buffer.from(rmmod))) add('perf-script', event);
  const lttng =
    '[10:00:01.000000000] (+0.000000001) host syscall_entry_delete_module: { cpu_id = 0 }, { name_user = "m", flags = 2048 }\n' +
    '[10:00:02.000000000] (+1.000000000) host module_free: { cpu_id = 0 }, { name = "m" }\n' +
    '[10:00:03.000000000] (+1.000000000) host syscall_exit_delete_module: { cpu_id = 0 }, { ret = 0 }\n';
  for (const event of await eventsOf(Buffer.from(lttng))) add('lttng', event);
});

/** A hung task alone never proves more than `possible`, and a fault names no module. */
function verdict({ needs, needsContext }: Pass, format: string): string {
  const { kinds, placed } = told.get(format)!;
  const had = needs.filter((kind) => (needsContext ? placed : kinds).has(kind));
  if (had.length === 0) return 'no';
  if (had.every((kind) => kind === 'hung_task')) return 'possible';
  return had.every((kind) => kind === 'kernel_fault') ? 'beside a trace' : 'yes';
}

function tableOf(readme: string): Map<string, Map<string, string>> {
  const lines = readme.split('\n');
  const start = lines.findIndex((line) => /^\| can it prove +\|/.test(line));
  const cells = (line: string) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const head = cells(lines[start]!);
  const rows = lines.slice(start + 2, lines.indexOf('', start)).map(cells);
  return new Map(rows.map(([rule, ...row]) => [rule!, new Map(row.map((cell, i) => [head[i + 1]!, cell]))]));
}

describe("the README's table of what each source can prove", () => {
  const table = tableOf(readFileSync('README.md', 'utf8'));

  test('has a row for each rule and a column for each source', () => {
    expect([...table.keys()]).toEqual(passes.map(({ rule }) => `\`${rule}\``));
    for (const row of table.values()) expect([...row.keys()]).toEqual(Object.keys(columns));
  });

  test.each(passes.map((pass) => [pass.rule, pass] as const))('is right about %s', (rule, pass) => {
    for (const [column, format] of Object.entries(columns)) {
      const [cell] = table.get(`\`${rule}\``)!.get(column)!.split(',');
      expect(cell, column).toBe(verdict(pass, format));
    }
  });
});
