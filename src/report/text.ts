/** A Report as a person reads it in a terminal: a screen for each finding at most. */
import { type Bar, counts, isEmptySilence, provesNothing } from '../model/bar.ts';
import { tellsTime } from '../model/clock.ts';
import { grouped } from '../model/grouped.ts';
import type { Evidence, Finding, InputSummary, ModuleSummary, Report } from '../model/report.ts';
import {
  beside,
  clip,
  clipStart,
  clockTime,
  labelled,
  paint,
  plural,
  type Style,
  span,
  wrap,
} from './layout.ts';
import { cutOff, letGoInWords, movedClock } from './reading-notes.ts';
import { shellWord } from './shell-word.ts';
import { emptySilence } from './silence.ts';

/** Lines of one finding at most, as long as that leaves room for this much evidence; the rest is in --json. */
const SCREEN = 24;
const LEAST_EVIDENCE = 4;
const EVIDENCE = 8;
const CANDIDATES = 2;
const MODULES = 8;
const NOTES = 6;

/** @param bar where the exit status follows from it */
export function toText(report: Report, style: Style, bar?: Bar): string {
  const counted = report.findings.filter(counts);
  const loud = counted.filter(({ severity }) => severity !== 'note');
  const notes = counted.filter(({ severity }) => severity === 'note');
  return `${[
    report.inputs
      .filter(({ capture, format }) => capture === undefined || format !== 'kallsyms')
      .map((input) => inputLine(input, report.inputs, style))
      .join('\n'),
    modules(report, style),
    ...loud.map((finding) => story(finding, report, style)),
    [
      ...notes.slice(0, NOTES).map((finding) => note(finding, report, style)),
      ...(notes.length > NOTES
        ? [paint(`      and ${plural(notes.length - NOTES, 'note')} more in --json`, 'dim', style)]
        : []),
    ].join('\n'),
    report.findings
      .filter((finding) => !counts(finding))
      .map((finding) => beside('not counted  ', `${inBrief(finding)} (${whyNotCounted(finding)})`, style))
      .join('\n'),
    verdict(report, style, bar),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}

function inputLine(input: InputSummary, inputs: readonly InputSummary[], style: Style): string {
  const { repeated = 0, offset } = input.reading ?? {};
  const facts = [
    input.format,
    ...(input.kernel === undefined ? [] : [`Linux ${input.kernel}`]),
    plural(input.events, 'event'),
    ...cutOff(input),
    ...(input.lost > 0
      ? [`${grouped(input.lost)} lost`]
      : input.reading?.cut === undefined
        ? ['none lost']
        : []),
    ...(input.bad === 0 ? [] : [`${plural(input.bad, 'line')} unreadable`]),
    ...(input.first === null || input.last === null || !tellsTime(input.clock)
      ? []
      : [
          `${span(input.last - input.first)}${input.cpus === undefined ? '' : ` on ${plural(input.cpus, 'CPU')}`}`,
        ]),
    ...(repeated === 0 ? [] : [`${grouped(repeated)} told twice, counted once`]),
    ...(offset === undefined ? [] : [movedClock(offset, inputs)]),
  ];
  return wrap(`${pathName(input, style.width - 1)}: ${facts.join(', ')}`, style, '    ', '');
}

function pathName({ path }: InputSummary, room: number): string {
  return path === '-' ? 'stdin' : clipStart(path, room);
}

function modules(report: Report, style: Style): string {
  const list = report.modules;
  // Gets beside puts would not add up: the loader's own put has no get.
  const busiest = [...list].sort((a, b) => b.held - a.held || b.gets + b.puts - (a.gets + a.puts));
  const lines = busiest.slice(0, MODULES).map(({ module, incarnations, gets, held, state }) => {
    const loads = incarnations === 1 ? '' : `, ${incarnations} loads`;
    const now = isHeld({ held, state }) ? `${state}, ${held} held` : state === 'live' ? 'live, idle' : state;
    return `  ${clip(module, 24).padEnd(24)} ${now}${loads}, taken ${plural(gets, 'time')}`;
  });
  if (list.length > MODULES) {
    const rest = list.length - MODULES;
    lines.push(paint(`  and ${rest} more (modlife query modules lists all)`, 'dim', style));
  }
  const asked = refused(report) ?? busiest.find(isHeld)?.module;
  const capture = captureName(report);
  if (asked !== undefined && capture !== undefined)
    lines.push(wrap(`who holds it: modlife why-busy ${shellWord(asked)} ${capture}`, style, '    ', '  '));
  return lines.join('\n');
}

function isHeld({ held, state }: Pick<ModuleSummary, 'held' | 'state'>): boolean {
  return held > 0 && state !== 'freed';
}

function refused({ findings }: Report): string | undefined {
  return findings.findLast(({ rule }) => rule === 'busy-unload')?.module;
}

/** To ask about it again; undefined of a live recording, which is no file. */
function captureName({ inputs }: Report): string | undefined {
  const paths = new Set(inputs.map(({ path, capture = path }) => capture));
  const [path = '-'] = paths.size === 1 ? paths : [];
  if (path === 'live') return undefined;
  return path === '-' ? 'CAPTURE' : shellWord(path);
}

/** A finding with its evidence, a screen at most. */
export function story(finding: Finding, report: Report, style: Style): string {
  const ink = finding.severity === 'error' ? 'red' : 'yellow';
  const head = clip(
    `${finding.severity}  ${finding.rule}${finding.module === '*' ? '' : `  in ${finding.module}`}`,
    style.width - finding.certainty.length - 2,
  );
  const gap = style.width - head.length - finding.certainty.length;
  const others = (finding.candidates ?? []).slice(0, CANDIDATES);
  const above = [
    `${paint(head, ink, style)}${' '.repeat(gap)}${paint(finding.certainty, 'dim', style)}`,
    wrap(`${finding.title}.`, style, '  '),
    '',
  ].join('\n');
  const below = [
    '',
    wrap(finding.detail, style, '  '),
    ...(finding.because === undefined ? [] : [labelled('doubt', finding.because, style)]),
    ...others.map(({ symbol, task, reading }) =>
      labelled('or', `${symbol} for ${task.comm}/${task.pid} ${reading}`, style),
    ),
    ...outlive(finding, report).map((text) => labelled('wait', text, style)),
    ...(counts(finding) ? [] : [labelled('skip', whyNotCounted(finding), style)]),
    labelled('fix', finding.fix.text, style),
    labelled('more', `modlife explain ${finding.rule}; ${sourceLines(finding, report, style)}`, style),
  ].join('\n');
  const room = SCREEN - height(above) - height(below);
  return [above, ...evidenceLines(finding, report, room, style), below].join('\n');
}

/** What waiting for the soft references would have meant, where the finding is about one. */
export function outlive({ rule, module, incarnation }: Finding, { unloads }: Report): string[] {
  if (rule !== 'release-after-exit' && rule !== 'text-in-use' && rule !== 'stuck-unload') return [];
  const unload = unloads.find((other) => other.module === module && other.incarnation === incarnation);
  if (unload === undefined || unload.claims === 0) return [];
  if (unload.could_end === false) {
    return ['It can never end. Only memory freed later, when rmmod has gone, could outlive this holder.'];
  }
  if (unload.free_ns === null) return [];
  return unload.outlive_ns === null
    ? ['How long the text would have had to outlive rmmod is not known: its use did not end in the capture.']
    : [`Freed when its last use had ended, the text would have lived ${span(unload.outlive_ns)} longer.`];
}

function height(text: string): number {
  return text.split('\n').length;
}

/** Where in the capture the evidence stands, for an editor. */
function sourceLines(finding: Finding, report: Report, style: Style): string {
  const input = report.inputs[finding.at.input];
  const lines = finding.evidence.filter(({ input }) => input === finding.at.input).map(({ line }) => line);
  const [first, last] = [Math.min(finding.at.line, ...lines), Math.max(finding.at.line, ...lines)];
  const suffix = first === last ? `:${first}` : `:${first}-${last}`;
  return `${input === undefined ? '' : pathName(input, style.width - 10 - suffix.length)}${suffix}`;
}

/** The beginning of the story and its end; what does not fit `room` lines is left out before the end. */
function evidenceLines({ evidence, module }: Finding, report: Report, room: number, style: Style): string[] {
  const times = evidence.map(({ ns, input }) => clockTime(ns, report.inputs[input]?.clock ?? 'time'));
  const tasks = evidence.map(({ task }) => clip(`${task.comm}/${task.pid}`, 22));
  const timeWidth = Math.max(...times.map((time) => time.length));
  const taskWidth = Math.max(...tasks.map((task) => task.length));
  const told = evidence.map((item, index) =>
    beside(
      `    ${times[index]!.padStart(timeWidth)}  ${tasks[index]!.padEnd(taskWidth)}  `,
      evidenceInWords(item, module),
      style,
    ),
  );
  const last = told.pop()!;
  let lines = height(last);
  let shown = 0;
  for (const item of told) {
    // One line is kept for the count of what is left out.
    const tooMuch = lines + height(item) > room - (shown + 1 < told.length ? 1 : 0);
    if (shown + 1 >= EVIDENCE || (tooMuch && shown + 1 >= LEAST_EVIDENCE)) break;
    lines += height(item);
    shown++;
  }
  const rest = told.length - shown;
  if (rest === 0) return [...told, last];
  return [...told.slice(0, shown), paint(`    and ${rest} more in --json, then`, 'dim', style), last];
}

function evidenceInWords(evidence: Evidence, module: string): string {
  const { role, context } = evidence;
  const where =
    context === 'task' || context === 'unknown' || role.includes(context) ? '' : `, in ${context}`;
  return eventInWords(evidence, module) + where;
}

/** Its part in the story and the function, where the one does not name the other. */
export function eventInWords({ role, symbol }: Evidence, module: string): string {
  const name = symbol?.replace(` [${module}]`, '');
  const named = name === undefined || role.includes('()') || role.includes(name.replace(/ \[.*/, ''));
  const what = named ? '' : `: ${name}`;
  return role + what;
}

function note(finding: Finding, report: Report, style: Style): string {
  const doubt = finding.because === undefined ? '' : ` (${finding.because})`;
  // They are the answer to what a refusal makes one ask.
  const holders = finding.rule === 'busy-unload' ? `. ${finding.detail}` : '';
  const { ns, input } = finding.at;
  const time = clockTime(ns, report.inputs[input]?.clock ?? 'time');
  return beside('note  ', `${time}  ${finding.rule}: ${finding.title}${doubt}${holders}`, style);
}

/** In a line or two. */
export function inBrief({ severity, rule, title }: Finding): string {
  return `${severity} ${rule}: ${title}`;
}

export function whyNotCounted({ suppressed }: Finding): string {
  if (suppressed === undefined) return 'known from the baseline';
  const until = suppressed.expires === undefined ? '' : `, until ${suppressed.expires}`;
  return `suppressed${until}: ${suppressed.reason}`;
}

function verdict(report: Report, style: Style, bar: Bar | undefined): string {
  return [found(report), silence(report, bar), letGoInWords(report), notRun(report)]
    .filter((line) => line !== '')
    .map((line) => wrap(line, style, '  ', ''))
    .join('\n');
}

function found(report: Report): string {
  const { error, warning, note } = report.summary;
  const kinds = [
    ...(error === 0 ? [] : [plural(error, 'error')]),
    ...(warning === 0 ? [] : [plural(warning, 'warning')]),
    ...(note === 0 ? [] : [plural(note, 'note')]),
  ];
  const uncounted = report.findings.length - error - warning - note;
  const aside = uncounted === 0 ? '' : ` (${uncounted} not counted)`;
  // Silence that is no answer is told as that alone.
  if (report.findings.length === 0 && isEmptySilence(report)) return '';
  return `${kinds.join(', ') || 'Nothing found'}${aside}.`;
}

function silence(report: Report, bar: Bar | undefined): string {
  if (!isEmptySilence(report)) return '';
  const status =
    bar !== undefined && provesNothing(report, bar)
      ? ' Exit status 3; --allow-gaps takes this for an answer.'
      : '';
  return `${emptySilence(report)}.${status}`;
}

/** With more of them, why each did not run is for those who ask. */
const REASONS = 2;

/** What was not asked cannot have been answered: never "clean". */
function notRun(report: Report): string {
  const idle = report.passes.filter(({ ran }) => !ran);
  if (idle.length === 0) return '';
  const capture = captureName(report);
  // Of this machine doctor speaks without a file.
  const doctor = `\`modlife doctor${capture === undefined ? '' : ` ${capture}`}\` says how to record them`;
  if (idle.length > REASONS)
    return `Not run, for want of events: ${idle.map(({ rule }) => rule).join(', ')}; ${doctor}.`;
  // The reason, without what to record.
  const reasons = idle.map(
    ({ rule, because }) => `${rule} (${because?.split('; ')[0] ?? 'its events are absent'})`,
  );
  return `Not run: ${reasons.join(', ')}; ${doctor}.`;
}
