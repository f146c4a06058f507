import { expect, test } from 'vitest';
import { createLineSplitter } from './lines.ts';

const MB = 1 << 20;

test.each([
  ['ends within a chunk', 9 * MB],
  ['ends where a piece does', 5 * MB],
])('a line too long for memory is handed on in pieces, and counted once: it %s', (_, length) => {
  const told: [length: number, line: number][] = [];
  const splitter = createLineSplitter((_bytes, start, end, line) => told.push([end - start, line]));
  const text = Buffer.from(`first\n${'x'.repeat(length - 6)}\nlast`);
  for (let at = 0; at < text.length; at += MB) splitter.push(text.subarray(at, at + MB));
  splitter.end();
  expect(told.length).toBeGreaterThan(3);
  expect(told[0]).toEqual([5, 1]);
  expect(told.at(-1)).toEqual([4, 3]);
  const pieces = told.slice(1, -1);
  expect(pieces.every(([, line]) => line === 2)).toBe(true);
  expect(pieces.reduce((sum, [piece]) => sum + piece, 0)).toBe(length - 6);
  expect(splitter.lines).toBe(3);
});
