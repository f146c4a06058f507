/** What had to be done before a capture could be read, a line for each. */
import { grouped } from '../model/grouped.ts';
import type { InputSummary, Offset, Report } from '../model/report.ts';
import { clockTime, plural, span } from './layout.ts';
import { printable } from './printable.ts';

/** '' when all of them were plain. */
export function readingNotes(inputs: readonly InputSummary[]): string {
  return inputs.map(readingNote).join('');
}

function readingNote({ path, reading = {} }: InputSummary): string {
  const { inside, joined = 0, cut, dumped = 0, unchecked } = reading;
  const told = [
    ...(inside === undefined ? [] : [`read from inside ${inside}`]),
    ...(joined === 0 ? [] : [`${plural(joined, 'wrapped line')} joined`]),
    ...(cut === undefined ? [] : [`read up to where it cannot be unpacked (${cut})`]),
    ...(dumped === 0
      ? []
      : [`${plural(dumped, 'event')} from the dump of the ring buffer, timed as if it ended at the crash`]),
    ...(unchecked === true
      ? ['nothing shows that it is of the same boot as the others; times are compared as they are']
      : []),
  ];
  return told.length === 0 ? '' : `modlife: ${nameOf(path)}: ${told.join(', ')}\n`;
}

/** Of a store that held more once; '' of all others. */
export function letGoInWords({ let_go: gone, inputs }: Report): string {
  if (gone === undefined) return '';
  const until = clockTime(gone.until_ns, inputs.at(-1)?.clock ?? 'time');
  return `The store has let go of ${plural(gone.events, 'event')} until ${until}, which were judged before.`;
}

/** `clock moved by 1.79 s (± 57 µs): 49 events that a.txt has, too` */
export function movedClock(
  { ns, uncertainty_ns, anchors, to }: Offset,
  inputs: readonly InputSummary[],
): string {
  const by = `${ns < 0 ? '-' : ''}${span(Math.abs(ns))} (± ${span(uncertainty_ns)})`;
  return `clock moved by ${by}: ${plural(anchors, 'event')} that ${nameOf(inputs[to]?.path ?? '')} has, too`;
}

/** `['cut off after line 262']`; nothing of a whole one. */
export function cutOff({ reading, lines }: InputSummary): readonly string[] {
  return reading?.cut === undefined ? [] : [`cut off after line ${grouped(lines)}`];
}

export function nameOf(path: string): string {
  return path === '-' ? 'stdin' : printable(path);
}
