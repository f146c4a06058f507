import { counts } from '../model/bar.ts';
import type { DiffAnswer } from '../model/diff.ts';
import type { Finding, InputSummary } from '../model/report.ts';
import { beside, clip, labelled, paint, plural, type Style, wrap } from './layout.ts';
import { inBrief, whyNotCounted } from './text.ts';

export function renderDiff(answer: DiffAnswer, style: Style): string {
  const { a, b, fixed, unchanged, undecided, warnings } = answer;
  return `${[
    [sideLine('A', a, style), sideLine('B', b, style)].join('\n'),
    warnings.map((warning) => beside('warning  ', warning, style)).join('\n'),
    ...answer.new.filter(isLoud).map((finding) => newFinding(finding, b.inputs, style)),
    answer.new
      .filter((finding) => !isLoud(finding))
      .map((finding) => beside('new          ', quietly(finding), style))
      .join('\n'),
    fixed.map((finding) => beside('fixed        ', inBrief(finding), style)).join('\n'),
    undecided
      .map(({ finding, because }) => beside('not decided  ', `${inBrief(finding)} (${because})`, style))
      .join('\n'),
    unchanged
      .map(({ finding, was }) =>
        beside(
          'unchanged    ',
          `${inBrief(finding)}${was === undefined ? '' : `, was ${was.severity}, ${was.certainty}`}`,
          style,
        ),
      )
      .join('\n'),
    totals(answer),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`;
}

function sideLine(name: string, { path, summary }: DiffAnswer['a'], style: Style): string {
  const { error, warning, note } = summary;
  const counts = `${plural(error, 'error')}, ${plural(warning, 'warning')}, ${plural(note, 'note')}`;
  return wrap(`${name}  ${path === '-' ? 'stdin' : path}: ${counts}`, style, '   ', '');
}

function isLoud(finding: Finding): boolean {
  return counts(finding) && finding.severity !== 'note';
}

function quietly(finding: Finding): string {
  return counts(finding) ? inBrief(finding) : `${inBrief(finding)} (${whyNotCounted(finding)})`;
}

function newFinding(finding: Finding, inputs: readonly InputSummary[], style: Style): string {
  const { severity, rule, module, certainty, title, at, because } = finding;
  const head = clip(`new  ${severity}  ${rule}  in ${module}`, style.width - certainty.length - 2);
  const gap = ' '.repeat(style.width - head.length - certainty.length);
  const path = inputs[at.input]?.path ?? '';
  return [
    `${paint(head, severity === 'error' ? 'red' : 'yellow', style)}${gap}${paint(certainty, 'dim', style)}`,
    wrap(`${title}.`, style, '  '),
    ...(because === undefined ? [] : [labelled('doubt', because, style)]),
    labelled('fix', finding.fix.text, style),
    labelled('more', `modlife explain ${rule}; ${path === '-' ? 'stdin' : path}:${at.line}`, style),
  ].join('\n');
}

function totals({ summary: { new: fresh, fixed, unchanged, undecided } }: DiffAnswer): string {
  const { error, warning, note } = fresh;
  const kinds = [
    ...(error === 0 ? [] : [plural(error, 'error')]),
    ...(warning === 0 ? [] : [plural(warning, 'warning')]),
    ...(note === 0 ? [] : [plural(note, 'note')]),
  ];
  return `New: ${kinds.join(', ') || 'none'}. Fixed: ${fixed}. Unchanged: ${unchanged}. Not decided: ${undecided}.`;
}
