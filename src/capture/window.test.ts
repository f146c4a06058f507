import { describe, expect, test } from 'vitest';
import { createWindow, type Window } from './window.ts';

const MB = 1 << 20;

/** As if a line came each second. */
function lines(window: Window, from: number, to: number): void {
  for (let second = from; second < to; second++) window.add(Buffer.from(`line ${second}\n`), second * 1000);
}

function text(window: Window): string {
  return Buffer.concat(window.read().pieces).toString();
}

describe('a window', () => {
  test('holds all that came until it is older than that', () => {
    const window = createWindow(10_000, MB);
    lines(window, 0, 5);
    expect(window.read().start).toBe(0);
    expect(text(window)).toBe('line 0\nline 1\nline 2\nline 3\nline 4\n');
  });

  test('of what is older forgets all but a part', () => {
    const window = createWindow(10_000, MB);
    lines(window, 0, 1000);
    const held = text(window).split('\n');
    expect(held.at(-2)).toBe('line 999');
    expect(held.length).toBeGreaterThan(10);
    expect(held.length).toBeLessThan(14);
  });

  test('is no larger than it may be, and begins with a whole line', () => {
    const window = createWindow(1e9, MB);
    const line = Buffer.from(`${'x'.repeat(999)}\n`);
    for (let i = 0; i < 5000; i++) window.add(line, i);
    const { start, pieces } = window.read();
    const held = Buffer.concat(pieces);
    expect(held.length).toBeLessThanOrEqual(MB);
    expect(held.length).toBeGreaterThan(MB - (1 << 17));
    expect(start + held.length).toBe(5000 * line.length);
    expect(start % line.length).toBe(0);
  });

  test('of one line that is larger than it may be holds nothing', () => {
    const window = createWindow(1e9, MB);
    for (let i = 0; i < 40; i++) window.add(Buffer.alloc(1 << 16, 'x'), i);
    expect(window.read().pieces).toEqual([]);
    window.add(Buffer.from('\nnext\n'), 41);
    expect(text(window)).toBe('next\n');
  });
});
