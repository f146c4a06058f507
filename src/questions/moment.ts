/** Moments as people type them, on the clock of the capture they ask about. */
import { tellsTime } from '../model/clock.ts';
import { UserError } from '../model/errors.ts';
import type { InputSummary } from '../model/report.ts';

/** `162.424581`: seconds as the capture prints them; `162424581000ns`; on a clock that is no time, its number.
 *  @throws UserError for anything else */
export function parseMoment(text: string, clock: InputSummary['clock']): number {
  const [, whole, fraction, unit] = /^(\d+)(?:\.(\d+))?(ns|s)?$/.exec(text.trim()) ?? [];
  if (whole === undefined || (unit === 'ns' && fraction !== undefined)) {
    throw new UserError(
      'usage',
      `--at ${text}: expected a time of the capture`,
      'seconds like 162.424581, or nanoseconds like 162424581000ns',
    );
  }
  if (unit === 'ns') return Number(whole);
  if (unit === undefined && !tellsTime(clock)) {
    if (fraction === undefined) return Number(whole);
    throw new UserError('usage', `--at ${text}: this capture's clock counts, it tells no seconds`);
  }
  // The halves apart: parseFloat(text) * 1e9 loses a nanosecond in some 3 % of times. A capture that prints
  // microseconds means the whole microsecond, so that an event copied from it is included.
  const digits = (fraction ?? '').slice(0, 9).padEnd(6, '0');
  return Number(whole) * 1e9 + Number(digits.padEnd(9, '9'));
}

/** @param asked how the moment was asked for, to be named
 *  @throws UserError where `ns` lies after all that the captures tell of */
export function refuseAfterEnd(ns: number, asked: string, inputs: readonly InputSummary[]): void {
  const latest = Math.max(...inputs.map(({ last, end = 0 }) => Math.max(last ?? 0, end)));
  const clock = inputs[0]?.clock ?? 'time';
  // A time without nanoseconds means the whole microsecond.
  const isTime = tellsTime(clock);
  const isLater = isTime ? Math.floor(ns / 1000) > Math.floor(latest / 1000) : ns > latest;
  if (!isLater) return;
  const when = isTime ? `${(Math.floor(latest / 1000) / 1e6).toFixed(6)} s` : `${latest}`;
  throw new UserError('usage', `${asked} lies after the last event, at ${when}`);
}
