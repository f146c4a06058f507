/** Who holds a module, at the end of a capture or at a moment of it. */
import type { HoldersAnswer } from '../model/answers.ts';
import { tellsTime } from '../model/clock.ts';
import { UserError } from '../model/errors.ts';
import type { Analysis } from '../pipeline/analyze.ts';
import { findIncarnation, heldAt } from './held.ts';
import { parseMoment } from './moment.ts';

/** `read` analyzes the captures up to a moment, or whole. */
export async function holders(
  module: string,
  at: string | undefined,
  read: (until: number | undefined) => Promise<Analysis>,
): Promise<HoldersAnswer> {
  let until = at === undefined ? undefined : parseMoment(at, 'time');
  let analysis = await read(until);
  const clock = analysis.report.inputs[0]?.clock ?? 'time';
  if (at !== undefined && !tellsTime(clock)) {
    // Only the capture tells which clock it was recorded with.
    until = parseMoment(at, clock);
    analysis = await read(until);
  }
  const { last } = analysis.engine.ledger;
  if (last === undefined && at !== undefined)
    throw new UserError('usage', `--at ${at} lies before the first event`);
  const incarnation = findIncarnation(analysis.engine.ledger, module);
  const held = heldAt(analysis, incarnation, until ?? last?.ts ?? 0);
  return { type: 'holders', atEnd: at === undefined, ...held };
}
