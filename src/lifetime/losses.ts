/** What was lost, and where: of very many, neighbours become one that covers the stretch between them. */
import type { Lost } from '../model/collector.ts';
import type { Event } from '../model/event.ts';

export interface Loss {
  readonly lost: Lost;
  readonly input: number;
  /** The event read last before the loss was told; undefined at the start of the capture. */
  readonly after: Event | undefined;
  /** The same of the first of those that became one. */
  readonly since: Event | undefined;
  /** It was lost after this one: the last that its CPU told, where the CPU is known. Undefined: perhaps before all. */
  readonly from: Event | undefined;
  /** How many became one. */
  readonly times: number;
}

const MOST = 1 << 12;
/** More than Linux can be built for; of others it is not known when they last told anything. */
const CPUS = 1 << 13;

export interface Losses {
  readonly all: readonly Loss[];
  /** The latest of its CPU. */
  seen(event: Event): void;
  add(lost: Lost, input: number, after: Event | undefined): void;
}

/** @param most so many are told apart, not half of them when they are more */
export function createLosses(most = MOST): Losses {
  let all: Loss[] = [];
  /** By input and CPU. */
  const latest: (Event | undefined)[][] = [];
  /** Mostly that of the event before. */
  let input = -1;
  let ofInput: (Event | undefined)[] = [];
  return {
    get all() {
      return all;
    },
    seen(event) {
      if (event.input !== input) {
        input = event.input;
        ofInput = latest[input] ?? [];
        latest[input] = ofInput;
      }
      if (event.cpu >= 0 && event.cpu < CPUS) ofInput[event.cpu] = event;
    },
    add(lost, of, after) {
      const from = lost.cpu === undefined ? after : latest[of]?.[lost.cpu];
      all.push({ lost, input: of, after, since: after, from, times: 1 });
      if (all.length <= most) return;
      const fewer: Loss[] = [];
      for (let at = 0; at < all.length; at++) {
        const [one, next] = [all[at]!, all[at + 1]];
        const joined = next?.lost.where === one.lost.where;
        fewer.push(joined ? join(one, next) : one);
        if (joined) at++;
      }
      all = fewer;
    },
  };
}

function join(one: Loss, next: Loss): Loss {
  const { where, line } = next.lost;
  const [a, b] = [one.lost, next.lost];
  const count = a.count === undefined || b.count === undefined ? undefined : a.count + b.count;
  const cpu = a.cpu === b.cpu ? a.cpu : undefined;
  return {
    lost: { where, line, ...(count === undefined ? {} : { count }), ...(cpu === undefined ? {} : { cpu }) },
    input: next.input,
    after: next.after,
    since: one.since,
    from: (one.from?.seq ?? 0) <= (next.from?.seq ?? 0) ? one.from : next.from,
    times: one.times + next.times,
  };
}
