/** Invented events. */
import { expect, test } from 'vitest';
import type { Event } from '../model/event.ts';
import { createTwinFilter } from './twins.ts';

const get = (input: number, ts: number, module = 'm') =>
  ({ kind: 'module_get', module, pid: 20, ts, input, comm: 'bash' }) as unknown as Event;
const entry = (input: number, ts: number, probe: string, symbol: string) =>
  ({ kind: 'function_entry', probe, fn: { symbol }, pid: 20, ts, input }) as unknown as Event;

test('each event has one twin in each other capture', () => {
  const twins = createTwinFilter();
  const told = [get(0, 1), get(0, 1), get(1, 1), get(1, 1), get(1, 1), get(0, 2), get(2, 2)];
  expect(told.map((event) => twins.isTold(event))).toEqual([false, false, true, true, false, true, true]);
  expect(twins.isTold(get(1, 3, 'other'))).toBe(false);
  expect(twins.isTold(get(1, 2 + 21e6))).toBe(false);
});

test('the probe or the symbol makes a call the same', () => {
  const twins = createTwinFilter();
  expect(twins.isTold(entry(0, 1, 'p', 'f'))).toBe(false);
  expect(twins.isTold(entry(0, 2, 'q', 'f'))).toBe(false);
  expect(twins.isTold(entry(1, 3, 'x', 'f'))).toBe(true);
  expect(twins.isTold(entry(1, 4, 'p', 'late'))).toBe(false);
  expect(twins.isTold(entry(1, 5, 'q', 'late'))).toBe(true);
});

test('no event is looked at again and again, however many a moment has', () => {
  const twins = createTwinFilter();
  let looked = 0;
  const events = 5000;
  // Whose event it is has to be asked for each that might be its twin.
  const counted = (event: Event): Event => {
    const { input } = event;
    return Object.defineProperty(event, 'input', {
      get() {
        looked++;
        return input;
      },
    });
  };
  for (let at = 0; at < events; at++)
    for (const input of [0, 1]) expect(twins.isTold(counted(get(input, 7)))).toBe(input === 1);
  for (let at = 0; at < events; at++) expect(twins.isTold(counted(get(0, 8)))).toBe(false);
  for (let at = 0; at < events; at++) expect(twins.isTold(counted(get(1, 9)))).toBe(true);
  expect(looked).toBeLessThan(10 * 4 * events);
});
