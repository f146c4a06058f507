import type { JudgedHolder, UnloadAttempt, WhyBusyAnswer } from '../model/answers.ts';
import { assertNever } from '../model/assert-never.ts';
import { tellsTime } from '../model/clock.ts';
import { dependent, placeInWords, unseenInWords } from './holders.ts';
import { clockTime, labelled, plural, type Style, span, wrap } from './layout.ts';

const SHOWN = 4;
const ATTEMPTS = 5;
const MARGIN = 10;

/** What holds it now, whether that will pass, what rmmod got, what to do. */
export function renderWhyBusy(answer: WhyBusyAnswer, style: Style): string {
  const label = (name: string, text: string) => labelled(name, text, style, MARGIN);
  const shown = answer.holders.slice(0, SHOWN);
  const more = answer.holders.length - shown.length;
  const unseen = unseenInWords(answer);
  const parts = [
    wrap(headline(answer), style, '  ', ''),
    ...shown.map((holder) =>
      [label('held by', heldBy(holder, answer, style)), label(holder.patience, holder.reason)].join('\n'),
    ),
    more > 0 ? label('', `and ${more} more (modlife holders ${answer.module} lists them)`) : '',
    unseen === '' ? '' : label('held by', unseen),
    attempts(answer, label),
    answer.findings
      .filter(({ rule, severity }) => severity !== 'note' && rule !== 'stuck-unload')
      .map(({ rule, title, certainty }) => label('finding', `${rule} (${certainty}): ${title}`))
      .join('\n'),
    answer.steps.map((step, index) => label(index === 0 ? 'do' : '', step)).join('\n'),
    answer.doubts.map((doubt) => label('doubt', doubt)).join('\n'),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

function headline({ module, incarnation, count, moment, verdict }: WhyBusyAnswer): string {
  const name = incarnation === 1 ? module : `${module} (load ${incarnation})`;
  const when = `at the end of the capture, ${clockTime(moment.ns, moment.clock)}`;
  const out = `${plural(count, 'reference')} out ${when}`;
  switch (verdict) {
    case 'freed':
      return `${name} is not busy: it was unloaded.`;
    case 'idle':
      return `${name} is not busy: no reference is out ${when}.`;
    case 'stuck':
      return `${name} is stuck: its unload has begun and does not come back.`;
    case 'leaked':
      return `${name} is busy and stays so: ${out}, and nobody is left to give ${count === 1 ? 'it' : 'them all'} back.`;
    case 'lasting':
      return `${name} is busy until somebody lets go: ${out}.`;
    case 'transient':
      return `${name} is busy for the moment: ${out}, of the kind that goes by itself.`;
    case 'unknown':
      return `${name} is busy: ${out}; how long for, the capture cannot tell.`;
    default:
      return assertNever(verdict);
  }
}

function heldBy(holder: JudgedHolder, { moment }: WhyBusyAnswer, style: Style): string {
  const { site, means, task, since, age, at } = holder;
  const ago = tellsTime(moment.clock) ? ` (${span(age)} ago)` : '';
  return `${site}${dependent(holder)}: ${means}, by ${task.comm}/${task.pid} at ${clockTime(since, moment.clock)}${ago}, ${placeInWords(at, style.width - MARGIN)}`;
}

function attempts(
  { module, attempts: all, moment }: WhyBusyAnswer,
  label: (name: string, text: string) => string,
): string {
  const silence =
    all.length > 0
      ? ''
      : label(
          'rmmod',
          `No refused delete_module in this capture, which proves nothing: rmmod of kmod reads /sys/module/${module}/refcnt and gives up without a system call.`,
        );
  const last = all.slice(-ATTEMPTS);
  const told = last.map((attempt, index) =>
    label(index === 0 ? 'rmmod' : '', attemptInWords(attempt, moment.clock)),
  );
  if (all.length > last.length) told.unshift(label('', `${all.length - last.length} earlier ones`));
  return [...told, silence].filter((line) => line !== '').join('\n');
}

function attemptInWords(
  { outcome, ns, task, text }: UnloadAttempt,
  clock: WhyBusyAnswer['moment']['clock'],
): string {
  const who =
    task === undefined || text.includes(`${task.comm}/${task.pid}`) ? '' : ` ${task.comm}/${task.pid}`;
  return `${clockTime(ns, clock)}${who} ${outcome}: ${text}`;
}
