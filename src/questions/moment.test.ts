import { expect, test } from 'vitest';
import { parseMoment } from './moment.ts';

test.each([
  ['162.424581', 162_424_581_999],
  ['162', 162_000_000_999],
  ['162.5s', 162_500_000_999],
  ['162.424581123', 162_424_581_123],
  ['162.4245811239', 162_424_581_123],
  ['162424581000ns', 162_424_581_000],
])('%s is %d ns, its microsecond included', (text, ns) => {
  expect(parseMoment(text, 'time')).toBe(ns);
});

test('on a clock that only counts, a number is that number', () => {
  expect(parseMoment('800', 'ticks')).toBe(800);
  expect(() => parseMoment('1.5', 'ticks')).toThrow('counts');
});

test.each(['', 'noon', '-1', '1.2.3', '1.5ns', '1e9', '١'])('%j is no time', (text) => {
  expect(() => parseMoment(text, 'time')).toThrow('expected a time of the capture');
});
