/** Writes records as tracefs prints them: kernel/trace/trace_output.c of 6.1. */
import { closeSync, openSync, writeSync } from 'node:fs';

export interface Task {
  readonly comm: string;
  readonly pid: number;
}

export interface TraceText {
  /** @param flags as printed, five columns */
  record(task: Task, flags: string, body: string): void;
  /** The stack of the record just written, innermost first. */
  stack(task: Task, frames: readonly string[]): void;
  /** Nanoseconds until the next record. */
  pass(ns: number): void;
  readonly events: number;
}

const HEADER = `# tracer: nop
#
# entries-in-buffer/entries-written: 0/0   #P:2
#
#                                _-----=> irqs-off/BH-disabled
#                               / _----=> need-resched
#                              | / _---=> hardirq/softirq
#                              || / _--=> preempt-depth
#                              ||| / _-=> migrate-disable
#                              |||| /     delay
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
#              | |         |   |||||     |         |
`;

const FLUSH = 1 << 20;

/** Text made here, handed on in pieces. */
export function createTraceText(write: (text: string) => void): TraceText & { flush(): void } {
  let text = HEADER;
  let events = 0;
  let ns = 9e9;

  function head({ comm, pid }: Task, flags: string): string {
    const micros = Math.floor(ns / 1000);
    const seconds = `${Math.floor(micros / 1e6)}`.padStart(6);
    const fraction = `${micros % 1e6}`.padStart(6, '0');
    return `${comm.padStart(16)}-${`${pid}`.padEnd(7)} [00${pid & 1}] ${flags}${seconds}.${fraction}: `;
  }

  function flush(): void {
    write(text);
    text = '';
  }

  return {
    record(task, flags, body) {
      events++;
      text += `${head(task, flags)}${body}\n`;
      if (text.length > FLUSH) flush();
    },
    stack(task, frames) {
      text += `${head(task, '.....')}<stack trace>\n => ${frames.join('\n => ')}\n`;
    },
    pass(more) {
      ns += more;
    },
    get events() {
      return events;
    },
    flush,
  };
}

/** @returns how many events `fill` made of the file */
export function writeTraceFile(path: string, fill: (trace: TraceText) => void): number {
  const file = openSync(path, 'w');
  try {
    const trace = createTraceText((text) => writeSync(file, text));
    fill(trace);
    trace.flush();
    return trace.events;
  } finally {
    closeSync(file);
  }
}
