import { expect, test } from 'vitest';
import { grouped } from './grouped.ts';

test.each([0, 7, 999, 1000, 12_345, 999_999, 1_234_567, 1_000_000_000, -1, -1234, -123_456])(
  'is what toLocaleString says of %d',
  (count) => {
    expect(grouped(count)).toBe(count.toLocaleString('en-US'));
  },
);
