/** The evidence as a graph: a lane for each task, a row for each event, a bar while something lasts. */
import type { Evidence, Finding } from '../../model/report.ts';
import { type Html, html } from './markup.ts';

/** More tasks than this share the last lane. */
const MOST_LANES = 6;

export interface Lanes {
  readonly count: number;
  /** The lane of each row. */
  readonly of: readonly number[];
  /** For each row and lane, what is drawn there. */
  readonly cells: readonly (readonly string[])[];
}

interface Bar {
  readonly lane: number;
  readonly from: number;
  /** Beyond the last row where its end was not seen. */
  readonly to: number;
}

/** An interrupt only borrows the task it finds: it has a lane of its own for each CPU. */
function laneKey({ task, cpu, context }: Evidence): string {
  return context === 'task' || context === 'unknown' ? `${task.pid}` : `${context} ${cpu}`;
}

export function lanesOf(finding: Finding): Lanes {
  const { evidence } = finding;
  const keys = [...new Set(evidence.map(laneKey))];
  const of = evidence.map((item) => Math.min(keys.indexOf(laneKey(item)), MOST_LANES - 1));
  const count = Math.min(keys.length, MOST_LANES);
  const bars = barsOf(finding, of);
  const cells = evidence.map((_, row) =>
    Array.from({ length: count }, (_, lane) => {
      const covering = bars.filter((bar) => bar.lane === lane && bar.from <= row && row <= bar.to);
      const names = [
        ...(covering.some(({ from }) => from < row) ? ['up'] : []),
        ...(covering.some(({ to }) => to > row) ? ['down'] : []),
        ...(row === evidence.length - 1 && covering.some(({ to }) => to > row) ? ['open'] : []),
        ...(of[row] === lane ? ['here'] : []),
      ];
      return names.join(' ');
    }),
  );
  return { count, of, cells };
}

function barsOf(finding: Finding, lanes: readonly number[]): Bar[] {
  const { evidence, rule } = finding;
  // Where the count does not add up, a get and a put that stand side by side are no pair.
  if (rule === 'trace-gap' || rule === 'put-without-get') return [];
  return evidence.flatMap((item, from) => {
    const end = endOf(item);
    if (end === undefined) return [];
    const to = evidence.findIndex(
      (later, row) =>
        row > from && later.event === end && lanes[row] === lanes[from] && sameCall(item, later),
    );
    if (to < 0 && !lasts(item, finding)) return [];
    return [{ lane: lanes[from]!, from, to: to < 0 ? evidence.length : to }];
  });
}

function endOf({ event }: Evidence): string | undefined {
  if (event.endsWith('_entry'))
    return event.replace(/_entry$/, event.startsWith('function') ? '_return' : '_exit');
  if (event === 'syscall_enter') return 'syscall_exit';
  if (event === 'module_get') return 'module_put';
  return undefined;
}

/** A symbol looked up after the module had gone is another's; its part in the story names the function. */
function sameCall(a: Evidence, b: Evidence): boolean {
  if (a.event === 'module_get' || b.symbol === undefined) return true;
  return a.symbol === b.symbol || b.role.startsWith(`${a.symbol}()`);
}

/** Evidence is the shortest slice that makes the case: an end that is not in it may have come all the same, save
 *  where that it did not come is the case. */
function lasts({ event, symbol }: Evidence, { rule, certainty, culprit }: Finding): boolean {
  if (rule === 'ref-leak' || rule === 'forced-unload') return event === 'module_get';
  if (rule === 'stuck-unload') return true;
  if (rule === 'release-after-exit' || rule === 'text-in-use')
    return certainty !== 'predicted' && event === 'function_entry' && symbol === culprit.symbol;
  return false;
}

/** Decoration: the row says the same in words. */
export function laneCells(lanes: Lanes, row: number): Html {
  const cells = lanes.cells[row]!.map(
    (names, lane) => html`<span class="lane tone-${lane} ${names}"></span>`,
  );
  return html`<span class="lanes" aria-hidden="true">${cells}</span>`;
}
