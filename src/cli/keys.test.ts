import { expect, test } from 'vitest';
import type { TailChoice } from '../model/tail-view.ts';
import { choose, FIRST_CHOICE, keysOf } from './keys.ts';

const names = ['a', 'b', 'c'];

/** What is chosen when this has been typed. */
function typed(bytes: string): TailChoice | 'quit' {
  let choice: TailChoice = FIRST_CHOICE;
  for (const key of keysOf(bytes)) {
    const next = choose(choice, key, names);
    if (next === 'quit') return 'quit';
    choice = next;
  }
  return choice;
}

test('arrows select, in both modes of the terminal, and stop at the ends', () => {
  expect(typed('\u001b[B')).toMatchObject({ selected: 'a' });
  expect(typed('\u001b[B\u001bOB')).toMatchObject({ selected: 'b' });
  expect(typed('jjjjj')).toMatchObject({ selected: 'c' });
  expect(typed('\u001b[A')).toMatchObject({ selected: 'c' });
  expect(typed('jjk\u001b[A\u001b[A')).toMatchObject({ selected: 'a' });
});

test('enter shows the holders of the selected module, or of the first', () => {
  expect(typed('\r')).toMatchObject({ holders: true, selected: 'a' });
  expect(typed('jj\r')).toMatchObject({ holders: true, selected: 'b' });
  expect(typed('\r\r')).toMatchObject({ holders: false });
});

test('a filter is typed, kept and dropped; its letters are no commands', () => {
  expect(typed('/qp')).toMatchObject({ filter: 'qp', typing: true, paused: false });
  expect(typed('/qx\u007f\r')).toMatchObject({ filter: 'q', typing: false });
  expect(typed('/qx\u001b')).toMatchObject({ filter: '', typing: false });
});

test('^Z suspends, whatever is typed', () => {
  expect(keysOf('/a\u001a').at(-1)).toEqual({ type: 'suspend' });
  expect(typed('/a\u001ab')).toMatchObject({ filter: 'ab', typing: true });
});

test('q and ^C quit, p pauses, and keys that mean nothing do nothing', () => {
  expect(typed('q')).toBe('quit');
  expect(typed('/q\u0003')).toBe('quit');
  expect(typed('p')).toMatchObject({ paused: true });
  expect(typed('pp')).toMatchObject({ paused: false });
  expect(typed('\u001b[15~\u001b[1;5C\u0001zé')).toEqual(FIRST_CHOICE);
});
