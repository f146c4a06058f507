/** Several captures of one boot as one stream, in time order. */
import { UserError } from '../model/errors.ts';
import type { InputSummary } from '../model/report.ts';
import type { Capture } from './capture.ts';
import type { Item } from './settle.ts';
import { createTwinFilter } from './twins.ts';

/** Batches in time order; `input` says which capture a batch comes from. */
export type Batch = { readonly input: number; readonly items: readonly Item[] };

export async function* mergeCaptures(captures: readonly Capture[]): AsyncGenerator<Batch> {
  if (captures.length === 1) {
    for await (const items of captures[0]!.items) yield { input: 0, items };
    return;
  }
  const heads = await Promise.all(captures.map((capture, input) => openHead(capture, input)));
  refuseUnrelated(captures);
  const twins = createTwinFilter();
  /** The log whose dump is told. */
  let dumpOf: number | undefined;
  for (;;) {
    let earliest: Head | undefined;
    for (const head of heads) {
      if (head.item !== undefined && (earliest === undefined || isBefore(head, earliest))) earliest = head;
    }
    if (earliest === undefined) return;
    const item = earliest.item!;
    if (isTold(earliest, item)) countRepeated(captures[earliest.input]!.summary);
    else yield { input: earliest.input, items: [item] };
    await earliest.advance();
  }

  /** What is no trace tells other things, or the same in another way. */
  function isTold({ input, rank }: Head, item: Item): boolean {
    if (rank === LOG) return isOfDump(item) && dumpIsTold(input);
    return rank === TRACE && item.kind !== 'lost' && twins.isTold(item);
  }

  /** A dump is the tracer's buffer once more, on a clock of its own. All traces have been read when it comes. */
  function dumpIsTold(input: number): boolean {
    if (heads.some((head) => head.rank === TRACE && captures[head.input]!.summary.events > 0)) return true;
    dumpOf ??= input;
    return dumpOf !== input;
  }
}

/** A log tells by itself of faults and hung tasks alone. */
export function isOfDump({ kind }: Item): boolean {
  return kind !== 'kernel_fault' && kind !== 'hung_task';
}

function countRepeated(summary: InputSummary): void {
  const { reading } = summary;
  summary.reading = { ...reading, repeated: (reading?.repeated ?? 0) + 1 };
}

const TRACE = 1;
const LOG = 2;

interface Head {
  readonly input: number;
  /** What tells of no moment comes first; whose clock cannot be trusted beside the others', last. */
  readonly rank: number;
  item: Item | undefined;
  /** A loss has no time of its own and stays with the event before it. */
  ts: number;
  advance(): Promise<void>;
}

function isBefore(a: Head, b: Head): boolean {
  return a.rank === b.rank ? a.ts < b.ts : a.rank < b.rank;
}

async function openHead(capture: Capture, input: number): Promise<Head> {
  let batch: readonly Item[] = [];
  let at = 0;
  const head: Head = {
    input,
    get rank() {
      return capture.facts.preamble === true ? 0 : capture.facts.aside === true ? LOG : TRACE;
    },
    item: undefined,
    ts: Number.NEGATIVE_INFINITY,
    async advance() {
      while (at >= batch.length) {
        const next = await capture.items.next();
        if (next.done === true) {
          head.item = undefined;
          return;
        }
        batch = next.value;
        at = 0;
      }
      head.item = batch[at++]!;
      if (head.item.kind !== 'lost') head.ts = Math.max(head.ts, head.item.ts);
    },
  };
  await head.advance();
  return head;
}

function refuseUnrelated(captures: readonly Capture[]): void {
  const timed = captures.filter(
    ({ summary, facts }) => summary.events > 0 && facts.aside !== true && facts.preamble !== true,
  );
  const clocks = new Set(timed.map(({ summary }) => summary.clock));
  const lonely = timed.find(({ summary }) => summary.clock !== 'time' && summary.clock !== 'tai');
  if (clocks.size <= 1 && (lonely === undefined || timed.length <= 1)) return;
  const [a, b] = [
    timed[0]!,
    timed.find(({ summary }) => summary.clock !== timed[0]!.summary.clock) ?? timed[1]!,
  ];
  const why: Record<string, string> = {
    time: 'kernel seconds',
    tai: 'seconds since the epoch',
    relative: 'time since its own first record',
    ticks: 'a counter, not a time',
    none: 'no time at all',
  };
  throw new UserError(
    'unmergeable',
    `cannot order ${a.path} (${why[a.summary.clock]}) with ${b.path} (${why[b.summary.clock]}) without an event that both have`,
    'analyze them one by one, or record both with trace_clock mono',
  );
}
