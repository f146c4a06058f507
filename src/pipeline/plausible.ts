/** Numbers that no kernel prints: a damaged or hostile trace must not reach the ledger or the store with them. */
import type { Event } from '../model/event.ts';

/** A C int: refcnt, pid, cpu. */
const INT = 2 ** 31;
/** Signed 64 bits: times and return values. */
const LONG = 2 ** 63;

/** What is out of range in this event; undefined when nothing is. */
export function implausible(event: Event): string | undefined {
  if (!isTime(event.ts)) return 'a time within 64 bits';
  if (!isInt(event.pid)) return 'a pid within 32 bits';
  if (!isInt(event.cpu)) return 'a CPU within 32 bits';
  switch (event.kind) {
    case 'module_get':
    case 'module_put':
      return isInt(event.refcnt) ? undefined : 'a refcnt within 32 bits';
    case 'sched_waking':
    case 'sched_wakeup':
    case 'sched_process_exit':
    case 'sched_process_exec':
    case 'sched_kthread_stop':
    case 'sched_kthread_stop_ret':
      return isInt(event.target) ? undefined : 'a pid within 32 bits';
    case 'hung_task':
      return isInt(event.seconds) ? undefined : 'seconds within 32 bits';
    case 'syscall_exit':
      return Math.abs(event.ret) < LONG ? undefined : 'a return value within 64 bits';
    case 'syscall_enter':
      return event.flags === undefined || Math.abs(event.flags) < LONG ? undefined : 'flags within 64 bits';
    default:
      return undefined;
  }
}

export function isTime(value: number): boolean {
  return Math.abs(value) < LONG;
}

function isInt(value: number): boolean {
  return Number.isInteger(value) && value >= -INT && value <= INT;
}
