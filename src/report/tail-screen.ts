/** The screen of `tail`: what is known and what was chosen in, lines out, each no wider than the terminal. */
import { grouped } from '../model/grouped.ts';
import type { Severity } from '../model/report.ts';
import type { ModuleRow, ShownFinding, ShownHolder, TailChoice, TailView } from '../model/tail-view.ts';
import { clip, clipStart, clockTime, paint, plural, type Style, span, wrap } from './layout.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const INK: Readonly<Record<Severity, 'red' | 'yellow' | 'dim'>> = {
  error: 'red',
  warning: 'yellow',
  note: 'dim',
};
/** Title, counts and a notice above; a blank line and the keys below. */
const FRAME = 5;
const LEAST_MODULES = 3;
const LEAST_FINDINGS = 6;

/** Names that the filter lets pass, in the order of their rows. */
export function shownModules(view: TailView, { filter }: TailChoice): readonly ModuleRow[] {
  return view.modules.filter(({ module }) => module.includes(filter));
}

/** As many lines as the terminal has rows. */
export function drawTail(view: TailView, choice: TailChoice, size: Size, color: boolean): string[] {
  const style: Style = { width: size.columns, color };
  const modules = shownModules(view, choice);
  const body = Math.max(0, size.rows - FRAME);
  const wanted = choice.holders ? LEAST_FINDINGS * 2 : LEAST_FINDINGS + 2 * view.findings.length;
  // One line is the header of the table, one between it and what is below.
  const below = Math.min(wanted, Math.max(LEAST_FINDINGS, Math.floor(body / 2)), body);
  const room = Math.max(LEAST_MODULES, body - below - 2);
  const table = moduleTable(modules, view, choice, room, style);
  const rest = body - table.length - 1;
  const lines = [
    ...header(view, choice, style),
    paint(clip(view.notice ?? '', size.columns), 'yellow', style),
    ...table,
    paint(clip(hidden(modules.length, room), size.columns), 'dim', style),
    ...(choice.holders ? holders(view, choice, rest, style) : findings(view, rest, style)),
  ].slice(0, Math.max(0, size.rows - 1));
  while (lines.length < size.rows - 1) lines.push('');
  return [...lines, keys(choice, style)].slice(-size.rows);
}

function hidden(modules: number, room: number): string {
  return modules > room ? `  ${room} of ${modules} modules` : '';
}

/** `left` gives way where both do not fit. */
function justified(left: string, right: string, { width }: Style): string {
  const room = width - right.length - 2;
  if (right === '' || room < 8) return clip(left, width);
  return `${clip(left, room).padEnd(room)}  ${right}`;
}

function header(view: TailView, { paused }: TailChoice, style: Style): string[] {
  const what = view.format ?? 'waiting for its first lines';
  const right = paused ? `${what}  PAUSED` : what;
  const source = view.source === '-' ? 'stdin' : clipStart(view.source, style.width - right.length - 16);
  const first = justified(`modlife tail  ${source}`, right, style);
  const counts = [
    `${plural(view.events, 'event')}, ${rate(view.rate)}/s`,
    view.lost === 0 ? 'none lost' : `${grouped(view.lost)} lost`,
    ...(view.bad === 0 ? [] : [`${plural(view.bad, 'line')} unreadable`]),
    ...(view.restarts === 0 ? [] : [`began anew ${plural(view.restarts, 'time')}`]),
  ].join('  ');
  const second = justified(counts, plural(view.found, 'finding'), style);
  return [
    paint(first, 'bold', style),
    view.lost + view.restarts > 0 ? paint(second, 'yellow', style) : second,
  ];
}

const LOUD_RATE = 10;

function rate(perSecond: number): string {
  return perSecond >= LOUD_RATE || perSecond === 0 ? grouped(Math.round(perSecond)) : perSecond.toFixed(1);
}

function moduleTable(
  rows: readonly ModuleRow[],
  { modules }: TailView,
  { selected, filter }: TailChoice,
  room: number,
  style: Style,
): string[] {
  const longest = Math.max(10, ...rows.map(({ module }) => module.length));
  const name = Math.min(longest, Math.max(10, Math.floor(style.width / 4)));
  const format = (cells: readonly string[]) => {
    const [mark, module, state, users, gets, puts, age, by] = cells as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    const columns = [
      clip(module, name).padEnd(name),
      state.padEnd(7),
      users.padStart(5),
      gets.padStart(6),
      puts.padStart(6),
      age.padStart(7),
      by,
    ];
    return clip(`${mark} ${columns.join('  ')}`, style.width).trimEnd();
  };
  const title = format([' ', 'module', 'state', 'users', 'gets/s', 'puts/s', 'oldest', 'taken by']);
  const at = rows.findIndex(({ module }) => module === selected);
  const shown = Math.min(rows.length, room);
  const start = Math.max(0, Math.min(at - Math.floor(shown / 2), rows.length - shown));
  const lines = rows.slice(start, start + shown).map((row) => {
    const { module, state, users, gets, puts, oldest, worst } = row;
    const by = oldest === undefined ? '' : `${oldest.site}, ${oldest.task.comm}/${oldest.task.pid}`;
    const mark = module === selected ? '>' : worst === undefined ? ' ' : '!';
    const age = oldest === undefined ? '' : ago(oldest.age);
    const text = format([mark, module, state, String(users), rate(gets), rate(puts), age, by]);
    if (module === selected) return paint(text.padEnd(style.width), 'reverse', style);
    if (worst !== undefined) return paint(text, INK[worst], style);
    return state === 'freed' ? paint(text, 'dim', style) : text;
  });
  if (rows.length === 0) {
    lines.push(
      modules.length === 0 ? '  none seen yet' : clip(`  none whose name holds ${filter}`, style.width),
    );
  }
  return [paint(title, 'dim', style), ...lines];
}

/** An age as a person tells it; `span` is for what is measured. */
function ago(ns: number): string {
  const seconds = ns / 1e9;
  if (seconds < 1) return span(ns);
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

function findings(view: TailView, room: number, style: Style): string[] {
  const { clock } = view;
  if (view.findings.length === 0) return [paint(clip('no findings yet', style.width), 'dim', style)];
  const lines = [paint(clip('findings, the newest first', style.width), 'dim', style)];
  for (const { finding, provisional } of view.findings) {
    const told = oneFinding({ finding, provisional }, clock, style);
    if (lines.length + told.length > room) break;
    lines.push(...told);
  }
  return lines.slice(0, room);
}

function oneFinding(
  { finding, provisional }: ShownFinding,
  clock: TailView['clock'],
  style: Style,
): string[] {
  const { severity, rule, module, certainty, title, culprit, at } = finding;
  const sure = provisional ? 'provisional' : certainty;
  const head = justified(`${clockTime(at.ns, clock)}  ${severity}  ${rule}  in ${module}`, sure, style);
  const task = culprit.task === undefined ? '' : ` for ${culprit.task.comm}/${culprit.task.pid}`;
  const who = culprit.symbol === undefined ? '' : ` (${culprit.symbol}${task})`;
  // The title mostly names the culprit itself.
  const named = culprit.symbol !== undefined && title.includes(culprit.symbol.replace(/ \[.*/, ''));
  const text = wrapped(`${title}${named ? '' : who}`, '  ', style);
  return [paint(head, INK[severity], style), ...text];
}

/** Very narrow, words are cut. */
function wrapped(text: string, indent: string, style: Style): string[] {
  return wrap(text, style, indent)
    .split('\n')
    .map((line) => clip(line, style.width));
}

function holders(view: TailView, { selected }: TailChoice, room: number, style: Style): string[] {
  const list = view.holders ?? [];
  const title =
    selected === undefined ? 'no module selected' : `${plural(list.length, 'reference')} to ${selected} out`;
  const lines = [paint(clip(title, style.width), 'dim', style)];
  let told = 0;
  for (const holder of list) {
    const more = oneHolder(holder, style);
    // A line is kept for the count of those that are not shown.
    if (lines.length + more.length > room - 1 && told > 0) break;
    lines.push(...more);
    told++;
  }
  if (told < list.length)
    lines.push(paint(clip(`  and ${list.length - told} more`, style.width), 'dim', style));
  return lines.slice(0, room);
}

function oneHolder({ site, task, age, stack, within }: ShownHolder, style: Style): string[] {
  const inside = within === undefined ? '' : `, within ${within}()`;
  const first = clip(`  ${ago(age).padStart(7)}  ${site}, ${task.comm}/${task.pid}${inside}`, style.width);
  if (stack === undefined || stack.length === 0) return [first];
  return [first, ...wrapped(stack.join(' < '), '           ', style)];
}

function keys({ typing, filter, holders, paused }: TailChoice, style: Style): string {
  if (typing) return clip(`/${filter}_   enter: keep  esc: all`, style.width);
  const filtered = filter === '' ? '/ filter' : `/ filter (${filter})`;
  const line = `up down select   enter ${holders ? 'findings' : 'holders'}   p ${paused ? 'go on' : 'pause'}   ${filtered}   q quit`;
  return paint(clip(line, style.width), 'dim', style);
}
