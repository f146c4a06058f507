/** A Report as a person reads it in a terminal: a screen for each finding at most. */
import type { Finding, InputSummary, ModuleSummary, Report } from '../model/report.ts';
import { clip, clockTime, paint, plural, type Style, span, wrap } from './layout.ts';

/** Evidence lines shown for one finding; the rest is in --json. */
const EVIDENCE = 10;
const MODULES = 8;

export function toText(report: Report, style: Style): string {
  const loud = report.findings.filter(({ severity }) => severity !== 'note');
  const notes = report.findings.filter(({ severity }) => severity === 'note');
  return `${[
    report.inputs.map((input) => inputLine(input, style)).join('\n'),
    modules(report.modules, style),
    ...loud.map((finding) => story(finding, report, style)),
    notes.map((finding) => note(finding, style)).join('\n'),
    verdict(report, style),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}

function inputLine(input: InputSummary, style: Style): string {
  const facts = [
    input.format,
    ...(input.kernel === undefined ? [] : [`Linux ${input.kernel}`]),
    plural(input.events, 'event'),
    input.lost === 0 ? 'none lost' : `${input.lost.toLocaleString('en-US')} lost`,
    ...(input.bad === 0 ? [] : [`${plural(input.bad, 'line')} unreadable`]),
    ...(input.first === null || input.last === null || input.clock === 'ticks'
      ? []
      : [
          `${span(input.last - input.first)}${input.cpus === undefined ? '' : ` on ${plural(input.cpus, 'CPU')}`}`,
        ]),
  ];
  return wrap(`${input.path === '-' ? 'stdin' : input.path}: ${facts.join(', ')}`, style, '    ', '');
}

function modules(list: readonly ModuleSummary[], style: Style): string {
  const busiest = [...list].sort((a, b) => b.held - a.held || b.gets + b.puts - (a.gets + a.puts));
  const lines = busiest.slice(0, MODULES).map(({ module, incarnations, gets, puts, held, state }) => {
    const loads = incarnations === 1 ? '' : `, ${incarnations} loads`;
    const now = state === 'freed' ? 'freed' : held === 0 ? `${state}, idle` : `${state}, ${held} held`;
    return `  ${clip(module, 24).padEnd(24)} ${now}${loads}, ${gets} gets, ${puts} puts`;
  });
  if (list.length > MODULES) {
    const rest = list.length - MODULES;
    lines.push(paint(`  and ${rest} more (modlife balance lists all)`, 'dim', style));
  }
  return lines.join('\n');
}

function story(finding: Finding, report: Report, style: Style): string {
  const ink = finding.severity === 'error' ? 'red' : 'yellow';
  const head = `${finding.severity}  ${finding.rule}  in ${clip(finding.module, 40)}`;
  const gap = Math.max(2, style.width - head.length - finding.certainty.length);
  const parts = [
    `${paint(head, ink, style)}${' '.repeat(gap)}${paint(finding.certainty, 'dim', style)}`,
    wrap(`${finding.title}.`, style, '  '),
    '',
    ...evidenceLines(finding, report, style),
    '',
    wrap(finding.detail, style, '  '),
    ...(finding.because === undefined ? [] : [wrap(finding.because, style, '        ', '  doubt ')]),
    ...(finding.candidates ?? []).map(({ symbol, task, reading }) =>
      wrap(`${symbol} for ${task.comm}/${task.pid} ${reading}`, style, '        ', '  or    '),
    ),
    wrap(finding.fix.text, style, '        ', '  fix   '),
    `  more  modlife explain ${finding.rule}`,
  ];
  return parts.join('\n');
}

function evidenceLines(finding: Finding, report: Report, style: Style): string[] {
  const shown = finding.evidence.slice(0, EVIDENCE);
  const times = shown.map(({ ns, input }) => clockTime(ns, report.inputs[input]?.clock ?? 'time'));
  const tasks = shown.map(({ task }) => clip(`${task.comm}/${task.pid}`, 22));
  const timeWidth = Math.max(...times.map((time) => time.length));
  const taskWidth = Math.max(...tasks.map((task) => task.length));
  const lines = shown.map((item, index) => {
    const context = item.context === 'task' || item.context === 'unknown' ? '' : ` (${item.context})`;
    const symbol =
      item.symbol === undefined || item.role.includes(item.symbol.replace(/ \[.*/, ''))
        ? ''
        : `  ${item.symbol}`;
    const lead = `    ${times[index]!.padStart(timeWidth)}  ${tasks[index]!.padEnd(taskWidth)}  `;
    return `${paint(lead, 'dim', style)}${clip(`${item.role}${context}${symbol}`, Math.max(20, style.width - lead.length))}`;
  });
  const rest = finding.evidence.length - shown.length;
  return rest > 0 ? [...lines, paint(`    and ${rest} more in --json`, 'dim', style)] : lines;
}

function note(finding: Finding, style: Style): string {
  const doubt = finding.because === undefined ? '' : ` (${finding.because})`;
  return wrap(`${finding.rule}: ${finding.title}${doubt}`, style, '      ', 'note  ');
}

function verdict(report: Report, style: Style): string {
  const { error, warning, note } = report.summary;
  const counts = [
    ...(error === 0 ? [] : [plural(error, 'error')]),
    ...(warning === 0 ? [] : [plural(warning, 'warning')]),
    ...(note === 0 ? [] : [plural(note, 'note')]),
  ];
  const found = counts.length === 0 ? 'Nothing found.' : `${counts.join(', ')}.`;
  const idle = report.passes.filter(({ ran }) => !ran);
  const notRun =
    idle.length === 0
      ? ''
      : ` Not run: ${idle.map(({ rule, because }) => `${rule} (${because ?? 'its events are absent'})`).join('; ')}.`;
  return wrap(`${found}${notRun}`, style, '', '');
}
