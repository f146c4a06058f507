/** Invented spellings: more of them than are known at a time. */
import { expect, test } from 'vitest';
import { createCodeTable, MOST_PLACES } from './code.ts';

test('a place that keeps coming stays one object, however many others come', () => {
  const code = createCodeTable();
  const put = code('__fput+0x10/0x20');
  for (let at = 0; at < 5 * MOST_PLACES; at++) {
    code(`spray_${at}+0x1/0x2`);
    if (at % 1000 === 0) expect(code('__fput+0x10/0x20')).toBe(put);
  }
});
