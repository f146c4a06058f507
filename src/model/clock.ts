import type { InputSummary } from './report.ts';

/** Whether the capture's clock tells time, rather than only an order. */
export function tellsTime(clock: InputSummary['clock']): boolean {
  return clock !== 'ticks' && clock !== 'none';
}
