import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const rules = ['ref-leak', 'early-put', 'release-after-exit', 'stuck-unload', 'busy-unload'];

test.each([
  ['ref-lek', ['ref-leak']],
  ['REF-LEAK', ['ref-leak']],
  ['unload', ['stuck-unload', 'busy-unload']],
  ['release', ['release-after-exit']],
  ['something', []],
  ['', []],
])('%j is near %j', (typed, names) => {
  expect(nearest(typed, rules)).toEqual(names);
});
