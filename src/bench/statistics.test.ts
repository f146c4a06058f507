import { expect, test } from 'vitest';
import { spreadOf } from './statistics.ts';

test('the median of an odd and of an even number of measurements', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
  expect(spreadOf([4, 1, 2, 10])).toEqual({ median: 3, least: 1, most: 10 });
  expect(spreadOf([5])).toEqual({ median: 5, least: 5, most: 5 });
});
