/** What the headers of ftrace's, trace-cmd's and perf's records have in common, read from bytes. */
import type { ExecContext } from '../src/model/event.ts';

const DOT = 0x2e;

/** The third flag column (Documentation/trace/ftrace.rst), as a character code. */
export function contextOf(flag: number | undefined): ExecContext {
  switch (flag) {
    case DOT:
      return 'task';
    case 0x73: // s
      return 'softirq';
    case 0x68: // h
    case 0x48: // H: hardirq inside a softirq
      return 'hardirq';
    case 0x7a: // z
    case 0x5a: // Z: NMI inside a hardirq
      return 'nmi';
    default:
      return 'unknown';
  }
}

/** May this byte be in the name of an event? */
export function isNameByte(c: number): boolean {
  return (
    (c >= 0x61 && c <= 0x7a) ||
    c === 0x5f ||
    (c >= 0x30 && c <= 0x39) ||
    (c >= 0x41 && c <= 0x5a) ||
    c === DOT
  );
}

/** Buffer.compare throws where the end lies outside, as it does in a record that is cut off. */
export function standsAt(what: Buffer, bytes: Buffer, at: number): boolean {
  for (let i = 0; i < what.length; i++) if (what[i] !== bytes[at + i]) return false;
  return true;
}

/** Frames that belong to tracing itself: the first ones of every stack. */
export const TRACING_FRAME =
  /^(?:trace_event_raw_event_|__traceiter_|perf_trace_|__bpf_trace_|\[FTRACE TRAMPOLINE\]|ftrace_trampoline$|0$)/;
