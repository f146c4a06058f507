import type { Held, Holder, HoldersAnswer, Moment, Place } from '../model/answers.ts';
import { tellsTime } from '../model/clock.ts';
import { stackInWords } from './frames.ts';
import { beside, clipStart, clockTime, labelled, plural, type Style, span, wrap } from './layout.ts';

/** Holders told one by one; the rest is counted. */
const SHOWN = 8;

/** @param full whole stacks */
export function renderHolders(answer: HoldersAnswer, style: Style, full: boolean): string {
  const shown = answer.holders.slice(0, SHOWN);
  const parts = [
    wrap(headline(answer), style, '  ', ''),
    ...shown.map((holder) => renderHolder(holder, answer, style, full)),
    wrap(rest(answer.holders.slice(SHOWN)), style, '  '),
    wrap(unseenInWords(answer), style, '  '),
    answer.doubts.map((doubt) => labelled('doubt', doubt, style)).join('\n'),
  ];
  return `${parts.filter((part) => part.trim() !== '').join('\n\n')}\n`;
}

function headline(answer: HoldersAnswer): string {
  const { module, incarnation, state, moment, atEnd, count, known } = answer;
  const load = incarnation === 1 ? '' : ` (load ${incarnation})`;
  const time = clockTime(moment.ns, moment.clock);
  const when = atEnd ? `at the end, ${time}` : `at ${time}`;
  if (state === 'freed') return `${module}${load} is freed ${when}: nobody holds it.`;
  if (!known) return `${module}${load} ${when}: no reference was seen, and no refcnt tells how many are out.`;
  const out = count === 0 ? 'nobody holds it' : `${plural(count, 'reference')} out`;
  return `${module}${load}, ${state}: ${out} ${when}.`;
}

export function unseenInWords({ unseen, count, known }: Held): string {
  if (!known || unseen === 0) return '';
  const who = unseen === 1 ? 'One reference' : `${unseen} references`;
  return `${who} of these ${count}, by refcnt, ${unseen === 1 ? 'was' : 'were'} taken before the capture began: by whom, it cannot tell.`;
}

function renderHolder(holder: Holder, { moment }: HoldersAnswer, style: Style, full: boolean): string {
  const { site, means, within, at, stack, sure } = holder;
  const line = (label: string, text: string) => beside(`    ${label.padEnd(7)}`, text, style);
  return [
    wrap(`${site}${dependent(holder)}`, style, '    ', '  '),
    line('taken', takenInWords(holder, moment)),
    line('kind', `${means}${within === undefined ? '' : `, within ${within}()`}`),
    line('line', placeInWords(at, style.width - 11)),
    ...(stack === undefined ? [] : [line('stack', stackInWords(stack, full, '--stacks'))]),
    ...(sure ? [] : [line('note', 'puts of other tasks make it a guess which of this site is still out')]),
  ].join('\n');
}

function takenInWords({ since, age, task, context, cpu }: Holder, { clock }: Moment): string {
  return [
    clockTime(since, clock),
    ...(tellsTime(clock) ? [`(${span(age)} ago)`] : []),
    `by ${task.comm}/${task.pid}`,
    ...(context === 'unknown' || context === 'task' ? [] : [`in ${context}`]),
    ...(cpu < 0 ? [] : [`on CPU ${cpu}`]),
  ].join(' ');
}

export function dependent({ dependent }: Holder): string {
  return dependent === undefined ? '' : `, for ${dependent}`;
}

export function placeInWords({ input, line }: Place, room: number): string {
  const suffix = `:${line}`;
  return `${clipStart(input === '-' ? 'stdin' : input, room - suffix.length)}${suffix}`;
}

function rest(holders: readonly Holder[]): string {
  if (holders.length === 0) return '';
  const sites = new Map<string, number>();
  for (const { site } of holders) sites.set(site, (sites.get(site) ?? 0) + 1);
  const most = [...sites].sort((a, b) => b[1] - a[1]).slice(0, 3);
  return `and ${holders.length} more: ${most.map(([site, count]) => `${count} from ${site}`).join(', ')}${sites.size > 3 ? ', …' : ''} (--json lists all).`;
}
