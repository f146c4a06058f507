/** Who holds a module, at the end of a capture or at a moment of it. */
import type { HoldersAnswer } from '../model/answers.ts';
import { tellsTime } from '../model/clock.ts';
import { UserError } from '../model/errors.ts';
import type { Standings } from '../model/standing.ts';
import { findModule, held } from './held.ts';
import { parseMoment, refuseAfterEnd } from './moment.ts';

/** `ask` tells how things stood at a moment, or at the end. */
export async function holders(
  module: string,
  at: string | undefined,
  ask: (until: number | undefined) => Promise<Standings>,
): Promise<HoldersAnswer> {
  let until = at === undefined ? undefined : parseMoment(at, 'time');
  let standings = await ask(until);
  const clock = standings.report().inputs[0]?.clock ?? 'time';
  if (at !== undefined && !tellsTime(clock)) {
    // Only the capture tells which clock it was recorded with.
    until = parseMoment(at, clock);
    standings = await ask(until);
  }
  const last = standings.last();
  if (last === undefined && at !== undefined)
    throw new UserError('usage', `--at ${at} lies before the first event`);
  const { inputs, modules } = standings.report();
  if (until !== undefined) refuseAfterEnd(until, `--at ${at}`, inputs);
  const standing = standings.standing(findModule(modules, module));
  return { type: 'holders', atEnd: at === undefined, ...held(standing, until ?? last ?? 0, inputs) };
}
