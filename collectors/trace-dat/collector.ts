/**
 * The binary file of `trace-cmd record`, versions 6 and 7: the kernel's ring buffers as they were, and all that is
 * needed to understand them. Seen from trace-cmd 3.1.6 on Linux 6.1.
 */
import type {
  BinaryCollector,
  CaptureFacts,
  RandomAccess,
  Sink,
  Sniffed,
} from '../../src/model/collector.ts';
import type { Event } from '../../src/model/event.ts';
import type { Head } from '../event-text.ts';
import { type Container, type Instance, MAGIC, readContainer } from './container.ts';
import { type Cursor, createCursor } from './cursor.ts';
import { contextOf, createEventDecoder } from './events.ts';

/** Records between two chances for the events to be taken away: few, so that they die young. */
const BATCH = 256;
/** A damaged file is damaged in many places, and the first few tell enough. */
const MOST_COMPLAINTS = 1000;
/** How many facts of a CPU are kept to know their twins: an interrupt may come between a fact and its twin. */
const TWIN_MEMORY = 4;
const TWIN_DISTANCE = 1e9;

export const traceDat: BinaryCollector = {
  name: 'trace-dat',
  title: 'trace.dat of trace-cmd record',
  sniff,
  read,
};

function sniff(head: string): Sniffed {
  if (!head.startsWith(MAGIC)) return false;
  const [version = '', ...rest] = head.slice(MAGIC.length).split('\0', 8);
  if (version !== '6' && version !== '7') {
    return {
      declined: `trace.dat version ${printable(version)}: trace-cmd convert --file-version 7 may help`,
    };
  }
  if (version === '7') {
    // Byte order, size of a long, page size, then the name.
    const at = MAGIC.length + version.length + 1 + 6;
    const compression = head.slice(at, head.indexOf('\0', at));
    if (rest.length > 0 && !['none', 'zlib', 'zstd', ''].includes(compression)) {
      return {
        declined: `trace.dat compressed with ${printable(compression)}: trace-cmd convert --compression none, then read again`,
      };
    }
  }
  return true;
}

function printable(text: string): string {
  return text.slice(0, 20).replace(/[^ -~]/g, '?');
}

/** Something that happened once, although several instances may each have recorded it. */
interface Fact {
  readonly record: Buffer;
  readonly recordedBy: Stream[];
  readonly event: Event;
}

/** One CPU of one instance. */
interface Stream {
  readonly cursor: Cursor;
  readonly instance: Instance;
  /** For stacks: they follow their event as a record of their own. */
  last: Event | undefined;
}

function* read(file: RandomAccess, sink: Sink): Generator<number> {
  let records = 0;
  let complaints = 0;
  function complain(offset: number, message: string): void {
    if (complaints++ < MOST_COMPLAINTS) sink.bad({ line: records, column: offset, message, text: '' });
  }

  const container = readContainer(file, complain);
  const { bigEndian, comms, scale } = container;
  sink.facts(factsOf(container));
  const decoder = createEventDecoder(container);
  const streams = createQueue();
  for (const instance of container.instances) {
    for (const region of instance.regions) {
      const cursor = createCursor(file, region, instance.pageSize, container.page, bigEndian, complain);
      if (cursor.advance()) streams.add({ cursor, instance, last: undefined });
    }
  }
  const shared = new Set(streams.all().map(({ instance }) => instance)).size > 1;
  const facts = new Map<number, Fact[]>();
  const lost = new Map<number, number>();

  for (let stream = streams.first(); stream !== undefined; stream = streams.first()) {
    const { cursor } = stream;
    const { bytes, at, length, cpu } = cursor;
    records++;
    if (cursor.lostBefore !== undefined) {
      const count = cursor.lostBefore;
      // A gap of unknown length may be all that the kernel counted, which it did of the top instance.
      if (stream.instance.name === '')
        lost.set(cpu, count === 0 ? Number.POSITIVE_INFINITY : (lost.get(cpu) ?? 0) + count);
      sink.lost({ ...(count === 0 ? {} : { count }), cpu, where: 'before', line: records });
    }
    const type = bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
    if (decoder.wants(type)) {
      const twin = shared ? twinOf(stream) : undefined;
      if (twin === undefined) decode(stream, type);
      else {
        twin.recordedBy.push(stream);
        stream.last = twin.event;
      }
    } else if (decoder.isStack(type)) {
      const owner = stream.last;
      if (owner !== undefined && owner.pid === pidAt(bytes, at) && owner.stack === undefined) {
        owner.stack = decoder.frames(type, bytes, at, length);
      }
    } else stream.last = undefined;

    if (cursor.advance()) streams.moved();
    else streams.ended();
    if (records % BATCH === 0) yield records;
  }

  // What the kernel counted and no page tells of was lost while recording stopped.
  for (const [cpu, counted] of container.lost) {
    const untold = counted - (lost.get(cpu) ?? 0);
    if (untold > 0) sink.lost({ count: untold, cpu, where: 'anywhere', line: records });
  }
  yield records;

  function nanoseconds(ts: number): number {
    if (scale === undefined) return ts;
    return Number((BigInt(ts) * scale.multiply) >> scale.shift);
  }

  function pidAt(bytes: Buffer, at: number): number {
    return bigEndian ? bytes.readInt32BE(at + 4) : bytes.readInt32LE(at + 4);
  }

  function decode(stream: Stream, type: number): void {
    const { bytes, at, length, cpu } = stream.cursor;
    const ts = nanoseconds(stream.cursor.ts);
    const pid = pidAt(bytes, at);
    const head: Head = {
      line: records,
      ts,
      cpu,
      pid,
      comm: comms.get(pid) ?? (pid === 0 ? '<idle>' : '<...>'),
      context: contextOf(bytes[at + 2]!),
    };
    const event = decoder.decode(type, bytes, at, length, head);
    stream.last = undefined;
    if (event === undefined) return;
    if (!('kind' in event)) {
      complain(stream.cursor.offset(), event.message);
      return;
    }
    stream.last = event;
    sink.event(event);
    if (shared) {
      const fact: Fact = {
        record: Buffer.from(bytes.subarray(at, at + length)),
        recordedBy: [stream],
        event,
      };
      const recent = facts.get(cpu);
      if (recent === undefined) facts.set(cpu, [fact]);
      else if (recent.push(fact) > TWIN_MEMORY) recent.shift();
    }
  }

  /**
   * The kernel calls all instances for a fact one after the other, in the same task on the same CPU, so the twin of
   * a record is among the last facts of its CPU and has the same type, pid and fields in another instance's buffer.
   */
  function twinOf(stream: Stream): Fact | undefined {
    const { bytes, at, length, cpu } = stream.cursor;
    const ts = nanoseconds(stream.cursor.ts);
    return facts.get(cpu)?.findLast(
      ({ record, recordedBy, event }) =>
        record.length === length &&
        record[0] === bytes[at] &&
        record[1] === bytes[at + 1] &&
        // Behind type, flags and preempt count, which may differ.
        record.compare(bytes, at + 4, at + length, 4) === 0 &&
        ts - event.ts < TWIN_DISTANCE &&
        !recordedBy.includes(stream),
    );
  }
}

function factsOf({ kernel, clock, scale, cpus }: Container): CaptureFacts {
  return {
    clock: scale === undefined ? clockOf(clock) : 'time',
    ...(kernel === undefined ? {} : { kernel }),
    ...(cpus === 0 ? {} : { cpus }),
  };
}

function clockOf(name: string | undefined): 'time' | 'tai' | 'ticks' {
  switch (name) {
    // Without a word about it, it is the kernel's default.
    case undefined:
    case 'local':
    case 'global':
    case 'perf':
    case 'mono':
    case 'mono_raw':
    case 'boot':
      return 'time';
    case 'tai':
      return 'tai';
    default:
      return 'ticks';
  }
}

/** The streams, that with the earliest record first: a binary heap. */
function createQueue() {
  const heap: Stream[] = [];

  const before = (a: Stream, b: Stream) =>
    a.cursor.ts < b.cursor.ts || (a.cursor.ts === b.cursor.ts && a.cursor.cpu < b.cursor.cpu);

  function sink(): void {
    const stream = heap[0]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, stream)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = stream;
  }

  return {
    all: (): readonly Stream[] => heap,
    first: () => heap[0],
    add(stream: Stream): void {
      let at = heap.length;
      heap.push(stream);
      while (at > 0) {
        const parent = (at - 1) >> 1;
        if (!before(stream, heap[parent]!)) break;
        heap[at] = heap[parent]!;
        at = parent;
      }
      heap[at] = stream;
    },
    /** The first one stands at a later record. */
    moved(): void {
      sink();
    },
    ended(): void {
      const last = heap.pop()!;
      if (heap.length === 0) return;
      heap[0] = last;
      sink();
    },
  };
}
