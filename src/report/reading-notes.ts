/** What had to be done before a capture could be read, a line for each. */
import type { InputSummary } from '../model/report.ts';
import { plural } from './layout.ts';
import { printable } from './printable.ts';

/** '' when all of them were plain. */
export function readingNotes(inputs: readonly InputSummary[]): string {
  return inputs
    .map(({ path, reading }) => {
      if (reading === undefined) return '';
      const { inside, joined = 0, repeated = 0, cut } = reading;
      const told = [
        ...(inside === undefined ? [] : [`read from inside ${inside}`]),
        ...(joined === 0 ? [] : [`${plural(joined, 'wrapped line')} joined`]),
        ...(repeated === 0 ? [] : [`${plural(repeated, 'event')} told twice, counted once`]),
        ...(cut === undefined ? [] : [`read up to where it cannot be unpacked (${cut})`]),
      ];
      return `modlife: ${path === '-' ? 'stdin' : printable(path)}: ${told.join(', ')}\n`;
    })
    .join('');
}
