/** What was read, how good it is, and which rules it could answer. */
import { tellsTime } from '../../model/clock.ts';
import type { Dossier } from '../../model/dossier.ts';
import { grouped } from '../../model/grouped.ts';
import type { InputSummary, Report } from '../../model/report.ts';
import { plural, span } from '../layout.ts';
import { asPrinted, CERTAINTY } from './finding.ts';
import { type Html, html, sentence } from './markup.ts';
import { pathName } from './names.ts';

const CLOCKS: Readonly<Record<InputSummary['clock'], string>> = {
  time: 'kernel time',
  tai: 'seconds since 1970',
  relative: 'since the first record',
  ticks: 'counts, tells order only',
  none: 'not printed',
};

export function capture({ report, unreadable }: Dossier): Html {
  return html`
<section id="capture" aria-labelledby="capture-title">
<h2 id="capture-title">Capture and rules</h2>
${inputs(report.inputs)}
${unreadable.length === 0 ? undefined : badLines(unreadable)}
${rules(report)}
<h3>How sure a finding is</h3>
<dl class="told">${Object.entries(CERTAINTY).map(([name, text]) => html`<dt>${name}</dt><dd>${text}</dd>`)}</dl>
</section>`;
}

function inputs(list: readonly InputSummary[]): Html {
  const rows = list.map(
    (input) => html`
<tr><th scope="row"><code>${pathName(input.path)}</code></th>
<td>${input.format}${input.kernel === undefined ? '' : `, Linux ${input.kernel}`}</td>
<td>${CLOCKS[input.clock]}${input.cpus === undefined ? '' : `, ${plural(input.cpus, 'CPU')}`}${covered(input)}</td>
<td class="number">${grouped(input.events)}</td><td class="number ${input.lost > 0 ? 'poor' : ''}">${grouped(input.lost)}</td><td class="number ${input.bad > 0 ? 'poor' : ''}">${grouped(input.bad)}</td></tr>`,
  );
  return html`
<div class="scroll" role="region" aria-label="Captures" tabindex="0"><table>
<caption>Captures read</caption>
<thead><tr><th scope="col">File</th><th scope="col">Format</th><th scope="col">Clock</th><th scope="col" class="number">Events</th><th scope="col" class="number">Lost</th><th scope="col" class="number">Lines unreadable</th></tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function covered({ first, last, clock }: InputSummary): string {
  return first === null || last === null || !tellsTime(clock) ? '' : `, ${span(last - first)}`;
}

function badLines(list: Dossier['unreadable']): Html {
  const items = list.map(
    ({ at, message, text }) =>
      html`<li><code>${pathName(at.input)}:${at.line}</code> ${message}${asPrinted(text.slice(0, 400).split('\n'))}</li>`,
  );
  return html`<details><summary>Lines that could not be read</summary><ul>${items}</ul></details>`;
}

function rules({ passes, findings }: Report): Html {
  const rows = passes.map(({ rule, ran, because }) => {
    const found = findings.filter((finding) => finding.rule === rule).length;
    const answer = !ran
      ? html`<td class="poor">not asked: ${sentence(because ?? 'its events are absent')}</td>`
      : html`<td>${found === 0 ? 'nothing found' : plural(found, 'finding')}</td>`;
    return html`<tr><th scope="row"><code>${rule}</code></th>${answer}</tr>`;
  });
  return html`
<table class="rules"><caption>Rules</caption>
<thead><tr><th scope="col">Rule</th><th scope="col">Answer</th></tr></thead>
<tbody>${rows}</tbody></table>`;
}
