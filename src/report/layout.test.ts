import { describe, expect, test } from 'vitest';
import { beside, clip, clipStart, clockTime, span, table, wrap } from './layout.ts';

const narrow = { width: 30, color: false };

describe('wrap', () => {
  test('breaks at spaces and indents what follows', () => {
    expect(wrap('the quick brown fox jumps over the lazy dog', narrow, '    ', '- ')).toBe(
      '- the quick brown fox jumps\n    over the lazy dog',
    );
  });

  test('breaks a word that no line can hold', () => {
    const lines = wrap(`a ${'x'.repeat(70)} b`, narrow, '  ').split('\n');
    expect(lines.every((line) => line.length <= 30)).toBe(true);
    expect(lines.join('').replaceAll(' ', '')).toBe(`a${'x'.repeat(70)}b`);
  });

  test('keeps a number and its unit together', () => {
    expect(
      wrap('none lost, it was as long as 151 s on 2 CPUs; 4 seconds', { width: 30, color: false }, ''),
    ).toBe('none lost, it was as long as\n151 s on 2 CPUs; 4 seconds');
  });

  test('never lets a newline or an escape of the text through', () => {
    expect(wrap('a\nb\u001b[2J', narrow, '')).toBe('a\\x0ab\\x1b[2J');
  });
});

test('a lead that leaves no room has lines of its own', () => {
  expect(beside('    a very long lead indeed  ', 'text', narrow)).toBe(
    '    a very long lead indeed\n      text',
  );
});

test('a cut is marked, at the end or at the start', () => {
  expect(clip('abcdef', 4)).toBe('abc…');
  expect(clipStart('/very/long/path', 6)).toBe('…/path');
});

describe('table', () => {
  test('cuts texts, never numbers', () => {
    const text = table(['n', 'text'], [[123456789, 'x'.repeat(60)]], narrow);
    expect(text.split('\n')[1]).toBe(`123456789  ${'x'.repeat(18)}…`);
  });

  test('makes a block of each row when even that is too wide', () => {
    const text = table(['first_ns', 'last_ns', 'more_ns'], [[1e12, 2e12, 3e12]], narrow);
    expect(text).toBe('first_ns  1000000000000\nlast_ns   2000000000000\nmore_ns   3000000000000');
  });
});

test('times are cut, not rounded, and no time is made of a counter', () => {
  expect(clockTime(162_424_581_999, 'time')).toBe('162.424581');
  expect(clockTime(42, 'ticks')).toBe('42');
  expect([span(1.5e9), span(62.4e4), span(999)]).toEqual(['1.5 s', '624 µs', '0.999 µs']);
});
