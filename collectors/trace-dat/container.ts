/**
 * What a trace.dat holds besides its records, and where the records are.
 *
 * Format: Documentation/trace-cmd/trace-cmd.dat.v6.5.txt and trace-cmd.dat.v7.5.txt of trace-cmd. Version 6 is one
 * structure from front to back; version 7 consists of sections, found through chained tables of options.
 */
import type { RandomAccess } from '../../src/model/collector.ts';
import { type Format, readFormat } from './format.ts';
import { type Bytes, createWalker, inMemory, type Walker } from './walker.ts';

export interface Container {
  readonly bigEndian: boolean;
  readonly page: PageLayout;
  readonly formats: readonly Format[];
  readonly kallsyms: Buffer;
  readonly comms: ReadonlyMap<number, string>;
  readonly kernel: string | undefined;
  readonly clock: string | undefined;
  /** From the unit of the records' times to nanoseconds, where the clock counts something else. */
  readonly scale: { readonly multiply: bigint; readonly shift: bigint } | undefined;
  /** Those that recorded nothing included; 0 when unknown. */
  readonly cpus: number;
  /** What the kernel counted as lost, per CPU of the top instance. */
  readonly lost: ReadonlyMap<number, number>;
  readonly instances: readonly Instance[];
}

/** Of a sub-buffer of the ring buffer. */
export interface PageLayout {
  readonly commitAt: number;
  readonly commitSize: number;
  readonly dataAt: number;
}

export interface Instance {
  /** '' for the top one. */
  readonly name: string;
  readonly pageSize: number;
  readonly regions: readonly Region[];
}

/** What one CPU recorded. */
export interface Region {
  readonly cpu: number;
  readonly offset: number;
  readonly size: number;
  readonly packed: 'zlib' | 'zstd' | undefined;
}

export const MAGIC = '\x17\x08\x44tracing';

const OPTION = {
  done: 0,
  cpuStat: 2,
  buffer: 3,
  traceClock: 4,
  uname: 5,
  cpuCount: 8,
  tscToNs: 14,
  headerInfo: 16,
  ftraceEvents: 17,
  eventFormats: 18,
  kallsyms: 19,
  cmdlines: 21,
  bufferText: 22,
} as const;

/** Where nothing says otherwise: 64-bit kernels have been so since 2.6. */
const USUAL_PAGE: PageLayout = { commitAt: 8, commitSize: 8, dataAt: 16 };
/** In front of the data, in a damaged file: no page is shorter than some of these. */
const LONGEST_HEADER = 64;
/** A table read again and again would take for ever. */
const MOST_INSTANCES = 256;
const MOST_OPTION_TABLES = 256;
const LONGEST_SECTION = 1 << 26;
/** Of all sections together: many options may point to one, and one of a few bytes may unpack to many. */
const MOST_IN_SECTIONS = 1 << 28;
/** PID_MAX_LIMIT of the kernel. */
const MOST_PIDS = 1 << 22;
const SECTION_HEADER = 16;

/**
 * @param complain about damage, with the offset where it is. What could be read before it is returned all the same.
 */
export function readContainer(
  file: RandomAccess,
  complain: (offset: number, message: string) => void,
): Container {
  const head = createWalker(file, false, MAGIC.length);
  const version = head.word();
  const bigEndian = head.u8() === 1;
  head.u8();

  let page = USUAL_PAGE;
  const formats: Format[] = [];
  let kallsyms: Buffer = Buffer.alloc(0);
  const comms = new Map<number, string>();
  let kernel: string | undefined;
  let clock: string | undefined;
  let scale: Container['scale'];
  const lost = new Map<number, number>();
  const instances: Instance[] = [];
  let recorded = 0;
  let cpus = 0;

  function headerInfo(walker: Walker): void {
    if (walker.word() !== 'header_page') return;
    const { at } = walker;
    const told = pageLayout(walker.text(walker.u64()));
    if (told === undefined)
      complain(at, 'the layout of a page as no kernel writes it: taken to be the usual one');
    else page = told;
    walker.word();
    walker.skip(walker.u64());
  }

  function formatsOf(walker: Walker, system: string): void {
    for (let left = walker.u32(); left > 0 && walker.ok; left--) {
      const format = readFormat(system, walker.text(walker.u64()));
      if (format !== undefined) formats.push(format);
    }
  }

  function systems(walker: Walker): void {
    for (let left = walker.u32(); left > 0 && walker.ok; left--) formatsOf(walker, walker.word());
  }

  function cmdlines(walker: Walker): void {
    const text = walker.bytes(walker.u64()).toString('utf8');
    // One after the other: a list of as many lines as a hostile file has is more than there is memory for.
    for (const [, pid, comm] of text.matchAll(/^(\d{1,7}) ([^\n]*)/gm)) {
      if (Number(pid) <= MOST_PIDS) comms.set(Number(pid), comm!);
    }
  }

  /** Options that are a text. */
  function remark(id: number, text: string): void {
    if (id === OPTION.traceClock) clock ??= /\[([^\]]+)\]/.exec(text)?.[1];
    else if (id === OPTION.uname) kernel = text.split(' ')[2];
    else if (id === OPTION.cpuStat) {
      const cpu = /^CPU: (\d+)/.exec(text)?.[1];
      const overrun = Number(/^overrun: (\d+)/m.exec(text)?.[1] ?? 0);
      const dropped = Number(/^dropped events: (\d+)/m.exec(text)?.[1] ?? 0);
      // With several instances each has its own; those of the top one come first.
      if (cpu !== undefined && !lost.has(Number(cpu))) lost.set(Number(cpu), overrun + dropped);
    }
  }

  function tscToNs(walker: Walker): void {
    const multiply = walker.u32();
    const shift = walker.u32();
    // Nobody was seen to write an offset, and the format does not say what it would mean.
    if (walker.u64() === 0 && walker.ok && multiply > 0 && shift < 64) {
      scale = { multiply: BigInt(multiply), shift: BigInt(shift) };
    }
  }

  /** Whether it may be read, too: all regions together are no longer than the file, unless the same is in many. */
  function isNew({ offset, size }: Region): boolean {
    recorded += Math.max(0, Math.min(size, file.size - offset));
    if (recorded > file.size) complain(offset, 'records that are another CPU’s, too');
    return recorded <= file.size;
  }

  function addInstance({ name, pageSize, regions }: Instance, offset: number): void {
    if (pageSize <= page.dataAt || pageSize > 1 << 24)
      complain(offset, `expected a page size, not ${pageSize}`);
    else if (instances.length < MOST_INSTANCES)
      instances.push({ name, pageSize, regions: regions.filter(isNew) });
  }

  function version6(walker: Walker, pageSize: number): void {
    headerInfo(walker);
    formatsOf(walker, 'ftrace');
    systems(walker);
    kallsyms = walker.bytes(walker.u32());
    walker.skip(walker.u32());
    cmdlines(walker);
    cpus = walker.u32();
    const buffers: { readonly name: string; readonly offset: number }[] = [{ name: '', offset: -1 }];
    for (;;) {
      const kind = walker.text(10);
      if (!walker.ok) {
        complain(walker.at, 'the file is cut off before its records');
        return;
      }
      if (kind.startsWith('options')) {
        for (let id = walker.u16(); id !== OPTION.done && walker.ok; id = walker.u16()) {
          const data = walker.bytes(walker.u32());
          if (id === OPTION.buffer) {
            const option = createWalker(inMemory(data), bigEndian);
            buffers.push({ offset: option.u64(), name: option.word() });
          } else if (id === OPTION.tscToNs) tscToNs(createWalker(inMemory(data), bigEndian));
          else remark(id, data.toString('latin1'));
        }
      } else if (kind.startsWith('flyrecord')) {
        addInstance({ name: '', pageSize, regions: regions(walker) }, walker.at);
        break;
      } else {
        complain(walker.at - 10, `expected "flyrecord", not ${JSON.stringify(kind.replace(/\0.*$/s, ''))}`);
        return;
      }
    }
    for (const { name, offset } of buffers.slice(1, MOST_INSTANCES)) {
      const table = createWalker(file, bigEndian, offset);
      if (table.text(10).startsWith('flyrecord'))
        addInstance({ name, pageSize, regions: regions(table) }, offset);
      else complain(offset, `expected "flyrecord" of instance ${name}`);
    }
  }

  function regions(walker: Walker): Region[] {
    const found: Region[] = [];
    for (let cpu = 0; cpu < cpus && walker.ok; cpu++) {
      const offset = walker.u64();
      const size = walker.u64();
      if (walker.ok && size > 0) found.push({ cpu, offset, size, packed: undefined });
    }
    return found;
  }

  function version7(walker: Walker): void {
    const compression = walker.word();
    walker.word();
    const method = compression === 'zlib' || compression === 'zstd' ? compression : undefined;
    const visited = new Set<number>();
    let sectionsLeft = MOST_IN_SECTIONS;

    /** The section's content, unpacked. */
    function section(offset: number, expected: number): Bytes | undefined {
      const start = createWalker(file, bigEndian, offset);
      const id = start.u16();
      const packed = (start.u16() & 1) === 1;
      start.u32();
      const size = start.u64();
      if (!start.ok || id !== expected) {
        complain(offset, `expected section ${expected}`);
        return undefined;
      }
      if (!packed) {
        const from = offset + SECTION_HEADER;
        const there = Math.min(size, file.size - from);
        sectionsLeft -= there;
        if (sectionsLeft < 0) {
          complain(offset, 'more sections than there is room for');
          return undefined;
        }
        return { size: there, read: (at, length) => file.read(from + at, Math.min(length, there - at)) };
      }
      const packedSize = start.u32();
      const unpackedSize = start.u32();
      const data = start.bytes(packedSize);
      sectionsLeft -= packedSize + unpackedSize;
      const unpacked =
        start.ok && method !== undefined && unpackedSize <= LONGEST_SECTION && sectionsLeft >= 0
          ? file.unpack(method, data, unpackedSize)
          : undefined;
      if (unpacked === undefined) complain(start.at, `section ${id} cannot be unpacked`);
      return unpacked === undefined ? undefined : inMemory(unpacked);
    }

    function pointed(data: Walker, id: number, read: (content: Walker) => void): void {
      const offset = data.u64();
      const content = data.ok ? section(offset, id) : undefined;
      if (content === undefined) return;
      const inside = createWalker(content, bigEndian);
      read(inside);
      if (!inside.ok) complain(offset, `section ${id} is cut off`);
    }

    function buffer(data: Walker): void {
      const offset = data.u64();
      const name = data.word();
      const own = data.word();
      const pageSize = data.u32();
      const found: Region[] = [];
      const packed = (createWalker(file, bigEndian, offset + 2).u16() & 1) === 1;
      for (let left = data.u32(); left > 0 && data.ok; left--) {
        const cpu = data.u32();
        const at = data.u64();
        const size = data.u64();
        if (data.ok && size > 0) found.push({ cpu, offset: at, size, packed: packed ? method : undefined });
      }
      if (own !== '') clock ??= own;
      addInstance({ name, pageSize, regions: found }, offset);
    }

    const sections: Readonly<Record<number, (inside: Walker) => void>> = {
      [OPTION.headerInfo]: headerInfo,
      [OPTION.ftraceEvents]: (inside) => formatsOf(inside, 'ftrace'),
      [OPTION.eventFormats]: systems,
      [OPTION.kallsyms]: (inside) => {
        kallsyms = inside.bytes(inside.u32());
      },
      [OPTION.cmdlines]: cmdlines,
    };

    function option(id: number, data: Walker, length: number): void {
      const read = sections[id];
      if (read !== undefined) pointed(data, id, read);
      else if (id === OPTION.buffer) buffer(data);
      else if (id === OPTION.tscToNs) tscToNs(data);
      else if (id === OPTION.cpuCount) cpus = Math.max(cpus, data.u32());
      else if (id === OPTION.bufferText)
        complain(data.at, 'a buffer holds text, which trace-cmd report prints');
      else remark(id, data.text(length));
    }

    for (let table = walker.u64(); table > 0 && !visited.has(table) && visited.size < MOST_OPTION_TABLES; ) {
      visited.add(table);
      const content = section(table, OPTION.done);
      table = 0;
      if (content === undefined) return;
      const list = createWalker(content, bigEndian);
      while (list.at < content.size && list.ok) {
        const id = list.u16();
        const data = list.bytes(list.u32());
        if (!list.ok) break;
        const inside = createWalker(inMemory(data), bigEndian);
        if (id === OPTION.done) {
          table = inside.u64();
          break;
        }
        option(id, inside, data.length);
      }
    }
  }

  const rest = createWalker(file, bigEndian, head.at);
  const pageSize = rest.u32();
  if (version === '6') version6(rest, pageSize);
  else version7(rest);
  if (instances.length === 0)
    complain(rest.at, 'no records: the file is damaged, or recording was cut short');

  return { bigEndian, page, formats, kallsyms, comms, kernel, clock, scale, cpus, lost, instances };
}

/** Undefined where it cannot be: a time, a commit behind it, and data behind both. */
function pageLayout(text: string): PageLayout | undefined {
  const commit = /field: local_t commit;\s*offset:(\d+);\s*size:(\d+);/.exec(text);
  const data = /field: char data;\s*offset:(\d+);/.exec(text);
  if (commit === null || data === null) return USUAL_PAGE;
  const [commitAt, commitSize, dataAt] = [Number(commit[1]), Number(commit[2]), Number(data[1])];
  const fits = commitAt >= USUAL_PAGE.commitAt && commitAt + commitSize <= dataAt && dataAt <= LONGEST_HEADER;
  return fits && (commitSize === 4 || commitSize === 8) ? { commitAt, commitSize, dataAt } : undefined;
}
