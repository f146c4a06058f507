/** What `tail` tells, one line each, for people who do not watch the screen. */
import type { InputSummary } from '../model/report.ts';
import type { GapLine, TailLine } from '../model/tail-lines.ts';
import { clockTime, paint, plural, type Style } from './layout.ts';
import { printable } from './printable.ts';

type Told = Exclude<TailLine, { type: 'summary' }>;

export function toTailLine(line: Told, clock: InputSummary['clock'], style: Style): string {
  const at = (ns: number, text: string) => `${printable(`${clockTime(ns, clock)}  ${text}`)}\n`;
  switch (line.type) {
    case 'finding': {
      const { severity, rule, module, certainty, title, at: place } = line.finding;
      const head = paint(`${severity}  ${rule}`, INK[severity], style);
      const { suppressed, baseline } = line.finding;
      const sure = [
        line.provisional === true ? 'provisional' : certainty,
        ...(suppressed === undefined ? [] : ['suppressed']),
        ...(baseline === 'known' ? ['known'] : []),
      ].join(', ');
      return `${clockTime(place.ns, clock)}  ${head}  ${printable(`in ${module}, ${sure}: ${title}`)}\n`;
    }
    case 'withdrawn':
      return `${printable(`withdrawn: what was provisionally said of ${line.module}`)}\n`;
    case 'state':
      return at(line.ns, `${line.module ?? 'a module'}: ${stateInWords(line)}`);
    case 'fault':
      return at(line.ns, `the kernel: ${line.message}, ${line.task.comm}/${line.task.pid}`);
    case 'reference': {
      const { comm, pid } = line.task;
      const done = line.change === 'taken' ? 'taken by' : 'given back, which was taken by';
      return at(line.ns, `${line.module}: ${done} ${line.site}, ${comm}/${pid}, ${line.users} held`);
    }
    case 'gap':
      return `${paint(gapInWords(line), 'yellow', style)}\n`;
    default:
      return line satisfies never;
  }
}

const INK = { error: 'red', warning: 'yellow', note: 'dim' } as const;

function stateInWords({ state, task, users, ret }: Extract<TailLine, { type: 'state' }>): string {
  const by = `${task.comm}/${task.pid}`;
  const held = users === 0 ? '' : `, ${users} held`;
  return state === 'refused' ? `unload refused with ${ret}, ${by}${held}` : `${state}, ${by}${held}`;
}

export function gapInWords({ reason, lost, line }: GapLine): string {
  switch (reason) {
    case 'lost':
      return `gap: ${lost === null ? 'events' : plural(lost, 'event')} lost before line ${line}`;
    case 'truncated':
      return 'gap: the file was truncated; what it held and was not read by then is lost';
    case 'replaced':
      return 'gap: the file was replaced; what came between the two is lost';
    case 'unwatched':
      return 'gap: what came since the store was last written is lost';
    case 'output':
      return `gap: ${plural(lost ?? 0, 'line')} not told, as nobody read what is told`;
    default:
      return reason satisfies never;
  }
}
