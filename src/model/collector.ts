import type { Event, Nanoseconds } from './event.ts';
import type { Reading } from './report.ts';

/** Events were lost: from here on a missing put is only a maybe. */
export interface Lost {
  /** `undefined` when the tracer knows that, but not how many. */
  readonly count?: number;
  readonly cpu?: number;
  /** `before`: somewhere between the previous record of that CPU and this line. `anywhere`: the tracer counts
   *  losses without placing them (bpftrace's ring buffer, perf). `head`: the oldest records were overwritten.
   *  `end`: the file is cut off after this line. `let-go`: a store has the oldest no more, and the line is 0. */
  readonly where: 'before' | 'anywhere' | 'head' | 'end' | 'let-go';
  readonly line: number;
}

/** A line that looks like ours and cannot be read. */
export interface Bad {
  readonly line: number;
  /** 1-based byte column where it stopped making sense. */
  readonly column: number;
  /** What was expected there. */
  readonly message: string;
  /** The line itself, raw. Whoever prints it must make it printable first. */
  readonly text: string;
}

/** What a capture says about itself. */
export interface CaptureFacts {
  kernel?: string;
  /** What the timestamps are.
   *  `time`: seconds of some kernel clock; captures of one boot on the same clock can be merged.
   *  `tai`: seconds since the epoch. `relative`: time since the first record. `ticks`: order only.
   *  `none`: not printed. */
  clock?: 'time' | 'tai' | 'relative' | 'ticks' | 'none';
  cpus?: number;
  /** True where the clock may be off from that of other captures of the same boot by some constant: beside them,
   *  what this one tells is told after what they tell. */
  aside?: boolean;
  /** True where it tells of no moment: all it tells comes before what other captures tell. */
  preamble?: boolean;
  /** Time of the last record, of whatever kind: the capture was still running then. */
  end?: Nanoseconds;
  /** False when records may come out of time order (bpftrace before 0.18 drains buffers CPU by CPU). */
  ordered?: boolean;
  /** What had to be done to it before it could be read. */
  reading?: Reading;
}

/** Where a parser puts what it reads. */
export interface Sink {
  /** `seq` and `input` are ingest's to fill in. A stack may still be added while following lines are read. */
  event(event: Event): void;
  lost(lost: Lost): void;
  bad(bad: Bad): void;
  /** May be called again as more becomes known. */
  facts(facts: CaptureFacts): void;
}

/** Goes over lines that a parser need not see one by one, faster than the parser could. */
export interface Sieve {
  /** The chunk that `pass` is about from now on. */
  load(chunk: Buffer): void;
  /** @param start where a line begins
   *  @param linesBefore in the capture
   *  @returns where the first line begins, from there on, that is worth a look or does not end in this chunk */
  pass(start: number, linesBefore: number): number;
  /** How many the last `pass` went over. */
  readonly lines: number;
}

export interface Parser {
  readonly sieve?: Sieve;
  /** One line without its newline, as bytes [start, end) of `bytes`, which is reused afterwards.
   *  Never throws on input. */
  line(bytes: Buffer, start: number, end: number, line: number): void;
  /** Nothing has come for a while: a record that is only over when the next one begins counts as over. */
  idle?(): void;
  /** The capture ended. */
  end(): void;
}

/** `no`, `yes`, or: I know this, and it cannot be read, because … */
export type Sniffed = boolean | { readonly declined: string };

/** What --format takes: the names of the collectors, without loading them. */
export const formats = [
  'trace-dat',
  'kallsyms',
  'bpftrace',
  'lttng',
  'perf-script',
  'trace-cmd',
  'tracefs',
  'kernel-log',
] as const;

export interface Collector {
  /** Folder name, and the value of --format. */
  readonly name: (typeof formats)[number];
  /** One line for people: what it reads. */
  readonly title: string;
  /** Decides from the first bytes alone (64 KiB at most, as latin1); never throws. Asked in registry order. */
  sniff(head: string): Sniffed;
  /** A fresh parser per capture; its state lives in the closure. */
  createParser(sink: Sink): Parser;
}

/** For captures that are no text, and whose parts do not lie in the order they are needed in. */
export interface BinaryCollector {
  readonly name: (typeof formats)[number];
  readonly title: string;
  /** As a Collector's; each byte is one character. */
  sniff(head: string): Sniffed;
  /** Reads all of it. Yields now and then the number of records so far, so that their events can be taken away.
   *  `line` of an event is the record's number, `column` of what is bad the offset in the file. Never throws on
   *  what the file holds. */
  read(file: RandomAccess, sink: Sink): Iterable<number>;
}

/** A whole file, of which only what is asked for is in memory. */
export interface RandomAccess {
  readonly size: number;
  /** `length` bytes from `offset` on, fewer where the file ends. */
  read(offset: number, length: number): Buffer;
  /** What was packed into `packed`; undefined when it cannot be unpacked or is not `size` bytes long. */
  unpack(method: 'zlib' | 'zstd', packed: Buffer, size: number): Buffer | undefined;
}
