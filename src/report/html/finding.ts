/** A finding as a story: what should hold, what happened, how the capture shows it, what to do. */
import type { RuleAnswer } from '../../model/answers.ts';
import { tellsTime } from '../../model/clock.ts';
import type { Evidence, Finding, Report, RuleId } from '../../model/report.ts';
import { plural, span } from '../layout.ts';
import { eventInWords, outlive } from '../text.ts';
import { laneCells, lanesOf } from './lanes.ts';
import { type Html, html, sentence } from './markup.ts';
import { type IdOf, lineOf, moduleId, pathName, timeOf } from './names.ts';
import { should } from './should.ts';

export const CERTAINTY: Readonly<Record<Finding['certainty'], string>> = {
  observed: 'the harmful order of events is in the capture',
  predicted: 'no harm was done this time, but nothing in the capture enforces the order that prevented it',
  possible: 'something the capture does not show could explain it',
};

/** Rows of evidence at most; the whole is in --json. */
const EVIDENCE = 40;
const CANDIDATES = 4;

/** What a story is told from, beside the finding itself. */
export interface Context {
  readonly report: Report;
  readonly idOf: IdOf;
  readonly ruleOf: (rule: RuleId) => RuleAnswer | undefined;
  /** A line of an input as it stands there, if it could be read again. */
  readonly textOf: (input: number, line: number) => string | undefined;
}

export function story(finding: Finding, context: Context): Html {
  const { report, idOf, ruleOf } = context;
  const {
    severity,
    certainty,
    module,
    title,
    detail,
    because,
    race,
    candidates = [],
    fix,
    fingerprint,
  } = finding;
  const id = idOf(finding);
  const rule = ruleOf(finding.rule);
  const how = html`
${evidenceTable(finding, context)}
<dl class="told">
${race === undefined ? undefined : html`<dt>Margin</dt><dd>${span(race.margin_ns)}${race.ordered ? ', ordered' : ', by luck'}: ${sentence(race.witness)}</dd>`}
${because === undefined ? undefined : html`<dt>Doubt</dt><dd>${sentence(because)}</dd>`}
${candidates
  .slice(0, CANDIDATES)
  .map(
    ({ symbol, task, reading }) =>
      html`<dt>Or</dt><dd><code>${symbol}</code> for ${task.comm}/${task.pid} ${sentence(reading)}</dd>`,
  )}
${outlive(finding, report).map((text) => html`<dt>Wait</dt><dd>${sentence(text)}</dd>`)}
</dl>
<div class="fix"><h4>What to do</h4><p>${sentence(fix.text)}</p><p class="small">Pattern: ${fix.pattern}.${fix.reference === undefined ? undefined : html` Mended like this before: ${fix.reference}.`}</p></div>
${rule === undefined ? undefined : ruleStory(rule)}
${sourceLines(finding, context)}`;
  // A trace-gap that is everybody's has no module; `*` stands for all.
  const where =
    module === '*'
      ? html`the whole capture`
      : html`<a class="module" href="#${moduleId(module)}">${module}</a>`;
  return html`
<article class="finding ${severity}" id="${id}" aria-labelledby="${id}-title" data-severity="${severity}" data-module="${module}" tabindex="-1">
<p class="tags"><strong class="severity">${severity}</strong> <span class="rule">${finding.rule}</span> in ${where} <span class="certainty" title="${CERTAINTY[certainty]}">${certainty}</span> <a class="anchor" href="#${id}" aria-label="Link to this finding">#${fingerprint.slice(0, 8)}</a></p>
<h3 id="${id}-title">${sentence(title)}.</h3>
<dl class="told">
<dt>Expected</dt><dd>${sentence(should[finding.rule])}</dd>
<dt>What happened</dt><dd>${sentence(detail)}</dd>
</dl>
${severity === 'note' ? html`<details><summary>Evidence, and what to do</summary>${how}</details>` : how}
</article>`;
}

function evidenceTable(finding: Finding, { report, idOf, textOf }: Context): Html {
  const { evidence } = finding;
  const lanes = lanesOf(finding);
  const shown = evidence.slice(0, EVIDENCE);
  const left = evidence.length - shown.length;
  const rows = shown.map((item, row) => {
    const before = evidence[row - 1];
    const name = lineOf(item, report.inputs);
    return html`
<tr class="${isFree(item) ? 'freed' : ''}">
<td class="time">${timeOf(item.ns, report.inputs, item.input)}${before === undefined ? undefined : html`<span class="gap">${gap(before, item, report)}</span>`}</td>
<td class="graph lanes-${lanes.count}">${laneCells(lanes, row)}</td>
<td class="event"><span class="what">${sentence(eventInWords(item, finding.module))}</span><span class="where"><span class="task tone-${lanes.of[row]!}">${item.task.comm}/${item.task.pid}</span>${item.cpu < 0 ? undefined : html` <span>CPU ${item.cpu}</span>`} <span class="in-${item.context}">${contextInWords(item)}</span></span>${stackOf(item.stack)}</td>
<td class="line">${textOf(item.input, item.line) === undefined ? name : html`<a href="#${lineId(idOf(finding), item)}">${name}</a>`}</td>
</tr>`;
  });
  return html`
<table class="evidence">
<caption>How the capture shows it${left > 0 ? ` (${plural(left, 'event')} more in --json)` : ''}</caption>
<thead><tr><th scope="col">Time</th><th scope="col" class="graph"><span class="unseen">Order by task</span></th><th scope="col">Event and task</th><th scope="col" class="line">Source</th></tr></thead>
<tbody>${rows}</tbody>
</table>`;
}

function isFree({ event, role }: Evidence): boolean {
  return event === 'module_free' || role === 'the text is freed';
}

function contextInWords({ context }: Evidence): string {
  if (context === 'task') return 'in process context';
  return context === 'unknown' ? 'context not recorded' : `in ${context}`;
}

function gap(before: Evidence, item: Evidence, { inputs }: Report): string {
  if (!tellsTime(inputs[item.input]?.clock ?? 'time')) return '';
  const ns = item.ns - before.ns;
  return ns < 0 ? '' : `+${span(ns)}`;
}

/** Innermost frame first, as printed. */
export function stackOf(stack: readonly string[] | undefined): Html | undefined {
  if (stack === undefined || stack.length === 0) return undefined;
  const frames = stack.map((frame) => html`<li><code>${frame}</code></li>`);
  return html`<details class="stack"><summary>stack, ${plural(stack.length, 'frame')}</summary><ol>${frames}</ol></details>`;
}

function ruleStory({ rule, flags, from, story, excerpt, fix }: RuleAnswer): Html {
  return html`
<details class="about"><summary>About ${rule}</summary>
<p>${sentence(`It flags ${flags}.`)}</p>
${asPrinted(story)}
${excerpt === undefined ? undefined : html`<p>In a real trace, <code>${excerpt.sample}</code>:</p>${asPrinted(excerpt.lines)}`}
<p class="small">From: ${from}. ${fix.reference === undefined ? undefined : html`See: ${fix.reference}. `}In a terminal: <code>modlife explain ${rule}</code></p>
</details>`;
}

/** Lines that line up; a long one scrolls. */
export function asPrinted(lines: readonly string[]): Html {
  return html`<pre tabindex="0">${lines.map((line) => html`${line}\n`)}</pre>`;
}

function lineId(finding: string, { input, line }: Evidence): string {
  return `${finding}-line-${input}-${line}`;
}

/** Where it stands, for an editor; and what stands there, for who has no capture at hand. */
function sourceLines(finding: Finding, { report: { inputs }, idOf, textOf }: Context): Html {
  const { at, evidence } = finding;
  const numbers = evidence.filter(({ input }) => input === at.input).map(({ line }) => line);
  const [first, last] = [Math.min(at.line, ...numbers), Math.max(at.line, ...numbers)];
  const place = `${pathName(inputs[at.input]?.path ?? '?')}:${first === last ? first : `${first}-${last}`}`;
  const where = html`In the capture: <code>${place}</code>`;
  const texts = new Map<string, { readonly line: number; readonly text: string }>();
  for (const item of evidence.slice(0, EVIDENCE)) {
    const text = textOf(item.input, item.line);
    if (text !== undefined) texts.set(lineId(idOf(finding), item), { line: item.line, text });
  }
  // What all have in front only takes room.
  const indent = Math.min(...[...texts.values()].map(({ text }) => text.search(/\S|$/)));
  const lines = [...texts].map(
    ([id, { line, text }]) =>
      html`<li id="${id}" value="${line}" tabindex="-1"><code>${text.slice(indent)}</code></li>`,
  );
  if (lines.length === 0) return html`<p class="small source">${where}</p>`;
  return html`<details class="source"><summary class="small">${where}</summary><ol class="lines" tabindex="0">${lines}</ol></details>`;
}
