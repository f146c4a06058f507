import { expect, test } from 'vitest';
import { createByteTable } from './byte-table.ts';

test('a word is made once, wherever it stands, and told from others by its bytes', () => {
  const made: string[] = [];
  const word = createByteTable((text) => {
    made.push(text);
    return text.toUpperCase();
  }, 10);
  const bytes = Buffer.from('ab cd ab abc');
  expect(word(bytes, 0, 2)).toBe('AB');
  expect(word(bytes, 3, 5)).toBe('CD');
  expect(word(bytes, 6, 8)).toBe('AB');
  expect(word(bytes, 9, 12)).toBe('ABC');
  expect(word(bytes, 0, 0)).toBe('');
  expect(made).toEqual(['ab', 'cd', 'abc', '']);
});

test('words with one hash are not mixed up', () => {
  const word = createByteTable((text) => text, 10);
  // 31 × A + a = 31 × B + B
  const bytes = Buffer.from('AaBB');
  for (let i = 0; i < 2; i++) {
    expect(word(bytes, 0, 2)).toBe('Aa');
    expect(word(bytes, 2, 4)).toBe('BB');
  }
});

test('the bytes may change afterwards, and what is forgotten is made again', () => {
  let made = 0;
  const word = createByteTable((text) => {
    made++;
    return text;
  }, 2);
  const bytes = Buffer.from('ab');
  word(bytes, 0, 2);
  bytes.write('cd');
  expect(word(bytes, 0, 2)).toBe('cd');
  bytes.write('ef');
  expect(word(bytes, 0, 2)).toBe('ef');
  bytes.write('ab');
  expect(word(bytes, 0, 2)).toBe('ab');
  expect(made).toBe(4);
});
