/** What a source said last, written away when something goes wrong: nobody keeps hours of it for the one moment. */
import type { TailLine } from '../model/tail-lines.ts';
import { createWindow } from './window.ts';

export interface FlightRecorder {
  /** Bytes of the source, before what is told of them. */
  read(bytes: Buffer): void;
  /** The source begins anew. */
  restart(): void;
  /** May be what is waited for. */
  told(line: TailLine): void;
  /** Writes what is due. */
  close(): void;
}

interface FlightRecorderOptions {
  readonly seconds: number;
  /** How many lines of the source precede its first event: its header. */
  readonly headLines: () => number;
  /** @param name tells when and why @returns where it was written @throws UserError where it cannot be */
  readonly save: (name: string, text: readonly Buffer[]) => string;
  /** What was written, or could not be. */
  readonly say: (text: string) => void;
}

/** Of the source, in memory. */
const MOST = 1 << 26;
const HEAD = 1 << 16;
/** What goes wrong goes wrong in many ways at once, and a storm of it must not fill the disk. */
const APART_MS = 1000;
const MOST_WRITTEN = 100;
const NEWLINE = 10;

export function createFlightRecorder({
  seconds,
  headLines,
  save,
  say,
}: FlightRecorderOptions): FlightRecorder {
  const window = createWindow(seconds * 1000, MOST);
  let head: Buffer = Buffer.alloc(0);
  let reason: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let before = Number.NEGATIVE_INFINITY;
  let written = 0;

  function text(): Buffer[] {
    const { start, pieces } = window.read();
    let end = 0;
    for (let left = headLines(); left > 0; left--) {
      const newline = head.indexOf(NEWLINE, end);
      if (newline < 0) break;
      end = newline + 1;
    }
    return [head.subarray(0, Math.min(start, end)), ...pieces];
  }

  /** @param over nothing more comes, so that a last line without its end is whole */
  function write(over: boolean): void {
    clearTimeout(timer);
    timer = undefined;
    if (reason === undefined) return;
    const why = reason;
    reason = undefined;
    before = performance.now();
    if (written === MOST_WRITTEN) return;
    written++;
    try {
      say(`kept ${save(`${stamp()}-${why}`, over ? text() : wholeLines(text()))}`);
    } catch (error) {
      say((error as Error).message);
    }
    if (written === MOST_WRITTEN) say(`${MOST_WRITTEN} times something was kept; no more is`);
  }

  return {
    read(bytes) {
      if (head.length < HEAD) head = Buffer.concat([head, bytes.subarray(0, HEAD - head.length)]);
      window.add(bytes, performance.now());
    },
    restart() {
      window.clear();
      head = Buffer.alloc(0);
    },
    told(line) {
      const why = reasonToKeep(line);
      if (why === undefined) return;
      reason ??= why;
      // What came in one piece is read to its end first.
      timer ??= setTimeout(write, Math.max(0, before + APART_MS - performance.now()), false);
    },
    close: () => write(true),
  };
}

function wholeLines(pieces: readonly Buffer[]): Buffer[] {
  const whole = [...pieces];
  for (let last = whole.pop(); last !== undefined; last = whole.pop()) {
    const end = last.lastIndexOf(NEWLINE) + 1;
    if (end > 0) return [...whole, last.subarray(0, end)];
  }
  return whole;
}

function reasonToKeep(line: TailLine): string | undefined {
  switch (line.type) {
    case 'finding': {
      const { rule, severity, suppressed, baseline } = line.finding;
      if (line.provisional === true || severity === 'note') return undefined;
      return suppressed === undefined && baseline !== 'known' ? rule : undefined;
    }
    case 'state':
      return line.state === 'refused' ? 'rmmod-failed' : undefined;
    case 'fault':
      return line.what;
    default:
      return undefined;
  }
}

/** `20261120-132209.042` */
function stamp(): string {
  return new Date().toISOString().replaceAll(/[-:Z]/g, '').replace('T', '-');
}
