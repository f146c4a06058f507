/** The answer in one look: is there a bug, where, what to do, and how far to believe it. */
import { isDamaged, wasAsked } from '../../model/bar.ts';
import { tellsTime } from '../../model/clock.ts';
import { grouped } from '../../model/grouped.ts';
import type { Finding, Report } from '../../model/report.ts';
import { plural, span } from '../layout.ts';
import { cutOff, letGoInWords } from '../reading-notes.ts';
import { type Html, html, sentence } from './markup.ts';
import { type IdOf, pathName } from './names.ts';

const NEXT = 6;

export function verdict(report: Report, idOf: IdOf): Html {
  const { findings, summary } = report;
  const loud = findings.filter(({ severity }) => severity !== 'note');
  const first = loud[0];
  const tone =
    summary.error > 0 ? 'error' : summary.warning > 0 ? 'warning' : isWeak(report) ? 'weak' : 'clean';
  return html`
<section class="verdict ${tone}" aria-labelledby="verdict">
<p class="small input">${report.inputs.map(({ path }) => pathName(path)).join(', ')}</p>
<h1 id="verdict">${headline(report, loud)}</h1>
${first === undefined ? nothing(report) : mostImportant(first, idOf)}
${next(loud.slice(1), idOf)}
${trust(report)}
</section>`;
}

function headline(report: Report, loud: readonly Finding[]): Html {
  const { summary } = report;
  if (loud.length === 0) {
    if (!wasAsked(report)) return html`Nothing could be asked of this capture`;
    if (isDamaged(report)) return html`Nothing found, but this capture is too damaged to tell`;
    return isWeak(report)
      ? html`Nothing found, in a capture that shows only a part`
      : html`No module-lifetime bug found`;
  }
  const { error, warning } = summary;
  const counts = [
    ...(error === 0 ? [] : [plural(error, 'error')]),
    ...(warning === 0 ? [] : [plural(warning, 'warning')]),
  ];
  const modules = [...new Set(loud.map(({ module }) => module))];
  const named = modules
    .slice(0, 3)
    .map((module, index) => html`${index === 0 ? '' : ', '}<code>${module}</code>`);
  const rest = modules.length - named.length;
  return html`${counts.join(' and ')} in ${named}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function mostImportant(finding: Finding, idOf: IdOf): Html {
  const { title, certainty, fix } = finding;
  const lead = certainty === 'predicted' ? 'It can happen: ' : certainty === 'possible' ? 'Possibly: ' : '';
  return html`
<p class="lead">${lead}${sentence(title)}.</p>
<p class="do"><strong>What to do</strong> ${sentence(fix.text)}</p>
<p><a class="button" href="#${idOf(finding)}">See how it happened</a></p>`;
}

function nothing(report: Report): Html {
  const ran = report.passes.filter(({ ran }) => ran).length;
  const all = ran === report.passes.length;
  return html`<p class="lead">${
    all
      ? `All ${ran} rules were asked of this capture.`
      : `${ran} of ${report.passes.length} rules could be asked of this capture; about the others it says nothing.`
  }${report.summary.note > 0 ? html` ${plural(report.summary.note, 'note')} below.` : undefined}</p>`;
}

function next(findings: readonly Finding[], idOf: IdOf): Html | undefined {
  if (findings.length === 0) return undefined;
  const items = findings
    .slice(0, NEXT)
    .map(
      (finding) =>
        html`<li><span class="severity ${finding.severity}">${finding.severity}</span> <a href="#${idOf(finding)}">${sentence(finding.title)}</a></li>`,
    );
  const rest = findings.length - items.length;
  return html`<h2 class="also">Also found</h2><ul class="next">${items}${rest > 0 ? html`<li><a href="#findings">and ${grouped(rest)} more</a></li>` : undefined}</ul>`;
}

/** The quality of the capture in a line, since it bounds what silence proves. */
function trust(report: Report): Html {
  const { inputs, passes } = report;
  const sum = (of: (input: Report['inputs'][number]) => number) =>
    inputs.reduce((total, input) => total + of(input), 0);
  const lost = sum((input) => input.lost);
  const bad = sum((input) => input.bad);
  const idle = passes.filter(({ ran }) => !ran);
  const first = inputs[0];
  const covered =
    inputs.length === 1 &&
    first !== undefined &&
    first.first !== null &&
    first.last !== null &&
    tellsTime(first.clock)
      ? ` over ${span(first.last - first.first)}`
      : '';
  const facts = [
    html`<li>${plural(
      sum((input) => input.events),
      'event',
    )}${covered}</li>`,
    ...inputs.flatMap(cutOff).map((text) => html`<li class="poor">${text}</li>`),
    lost === 0
      ? html`<li class="good">none lost</li>`
      : html`<li class="poor">${plural(lost, 'event')} lost</li>`,
    ...(report.let_go === undefined ? [] : [html`<li>${letGoInWords(report)}</li>`]),
    ...(bad === 0 ? [] : [html`<li class="poor">${plural(bad, 'line')} unreadable</li>`]),
    idle.length === 0
      ? html`<li class="good">all ${passes.length} rules asked</li>`
      : html`<li class="poor"><a href="#capture">${plural(idle.length, 'rule')} could not be asked</a></li>`,
  ];
  return html`<ul class="trust" aria-label="Quality of the capture">${facts}</ul>`;
}

/** Something is missing, so that silence proves less. */
function isWeak({ inputs, passes }: Report): boolean {
  const idle = passes.filter(({ ran }) => !ran).length;
  return (
    inputs.some(({ bad, lost, reading }) => bad + lost > 0 || reading?.cut !== undefined) ||
    idle >= passes.length / 2
  );
}
