/**
 * One self-contained HTML file that works from file:// without a network.
 *
 * A trace is untrusted. Three walls keep it from acting: text is escaped where it is put in (markup.ts), data for the
 * charts is JSON that no script element can be ended by, and the page's own policy allows nothing but the two scripts
 * and the style named by their hash: no request of any kind, no inline handler, no style attribute.
 */
import { isEmptySilence } from '../../model/bar.ts';
import type { Dossier } from '../../model/dossier.ts';
import type { Finding } from '../../model/report.ts';
import { plural } from '../layout.ts';
import { printable } from '../printable.ts';
import { capture } from './capture.ts';
import { type Context, story } from './finding.ts';
import { type Html, html, inertJson, sentence, sourceHash, toText, verbatim } from './markup.ts';
import { modules, phasesOf } from './modules.ts';
import { findingIds, type IdOf, pathName, timeOf } from './names.ts';
import { verdict } from './verdict.ts';

/** What the page brings along. Real files, so that editors and linters know them for what they are. */
export interface Assets {
  /** Chart.js as one script (UMD). */
  readonly charts: string;
  readonly client: string;
  readonly style: string;
}

/** Told in full; the rest as one line each, and beyond that counted. */
const STORIES = 150;
const LINES = 1000;

export function toHtml(dossier: Dossier, assets: Assets): string {
  const { report, modules: lives } = dossier;
  const idOf = findingIds(report.findings);
  const style = asset(assets.style);
  const charts = asset(assets.charts);
  const client = asset(assets.client);
  const policy = `default-src 'none'; script-src ${sourceHash(charts)} ${sourceHash(client)}; style-src ${sourceHash(style)}; base-uri 'none'; form-action 'none'`;
  const names = report.inputs.map(({ path }) => pathName(path)).join(', ');
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${unquoted(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title(dossier)}: ${names}</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#findings">Skip to the findings</a>
<header class="bar"><span class="name">modlife</span><nav aria-label="Parts of this report"><a href="#verdict">Verdict</a> <a href="#findings">Findings</a> <a href="#modules">Modules</a> <a href="#capture">Capture</a></nav></header>
<main>
${verdict(report, idOf)}
${findings(dossier, idOf)}
${modules(dossier, idOf)}
${capture(dossier)}
</main>
<footer class="small">Written by modlife ${report.tool.version}, without asking any network. The same facts for programs: <code>modlife analyze --json</code>.</footer>
<script type="application/json" id="data">${inertJson(chartData(dossier, idOf))}</script>
${lives.length === 0 ? undefined : html`<script>${charts}</script>`}
<script>${client}</script>
</body>
</html>
`;
  return toText(page);
}

/** Line ends as the browser will see them when it checks the hash; no pointer to a file that is not there. */
function asset(text: string): Html {
  return verbatim(text.replaceAll(/\r\n?/g, '\n').replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n'));
}

/** The policy is our own and holds single quotes only. */
function unquoted(policy: string): Html {
  return verbatim(policy);
}

function title({ report }: Dossier): string {
  const { error, warning } = report.summary;
  const counts = [
    ...(error === 0 ? [] : [plural(error, 'error')]),
    ...(warning === 0 ? [] : [plural(warning, 'warning')]),
  ];
  if (counts.length > 0) return counts.join(', ');
  return isEmptySilence(report) ? 'No answer' : 'Nothing found';
}

function findings({ report, rules, lines: source }: Dossier, idOf: IdOf): Html {
  const all = report.findings;
  if (all.length === 0) {
    return html`
<section id="findings" aria-labelledby="findings-title"><h2 id="findings-title">Findings</h2><p>None.</p></section>`;
  }
  const texts = new Map(source.map(({ input, line, text }) => [`${input} ${line}`, text]));
  const context: Context = {
    report,
    idOf,
    ruleOf: (name) => rules.find(({ rule }) => rule === name),
    textOf: (input, line) => texts.get(`${input} ${line}`),
  };
  const stories = all.slice(0, STORIES);
  const lines = all.slice(STORIES, STORIES + LINES);
  const rest = all.length - stories.length - lines.length;
  return html`
<section id="findings" aria-labelledby="findings-title">
<h2 id="findings-title">Findings</h2>
${toolbar(all)}
${stories.map((finding) => story(finding, context))}
${
  lines.length === 0
    ? undefined
    : html`<h3>And in short</h3><ul class="short">${lines.map(
        (finding) =>
          html`<li id="${idOf(finding)}" class="finding" data-severity="${finding.severity}" data-module="${finding.module}" tabindex="-1"><span class="severity ${finding.severity}">${finding.severity}</span> ${timeOf(finding.at.ns, report.inputs, finding.at.input)} <span class="rule">${finding.rule}</span>: ${sentence(finding.title)}</li>`,
      )}</ul>`
}
${rest > 0 ? html`<p>and ${plural(rest, 'finding')} more (<code>modlife analyze --json</code> lists all).</p>` : undefined}
</section>`;
}

/** Shown by the script: without it there is nothing that could filter. */
function toolbar(all: readonly Finding[]): Html {
  const names = [...new Set(all.map(({ module }) => module))];
  const severities = (['error', 'warning', 'note'] as const).filter((name) =>
    all.some(({ severity }) => severity === name),
  );
  return html`
<form class="toolbar" id="filter" role="search" aria-label="Filter findings and modules" hidden>
<label class="search">Search <input type="search" id="search" placeholder="function, task, text" autocomplete="off" spellcheck="false"> <kbd>/</kbd></label>
<label>Module <select id="of-module"><option value="">all</option>${names.map((name) => html`<option>${name}</option>`)}</select></label>
<fieldset><legend class="unseen">Severity</legend>${severities.map((name) => html`<label><input type="checkbox" name="severity" value="${name}" checked> ${name}</label> `)}</fieldset>
<button type="reset">Clear</button>
<p class="small" id="shown" role="status"></p>
</form>`;
}

/** What the script draws. Times count from the start of the capture, which is shorter to write. */
function chartData({ report, from, to, modules: lives }: Dossier, idOf: IdOf) {
  return {
    clock: report.inputs[0]?.clock ?? 'time',
    from,
    to,
    modules: lives.map(({ module, series, lives }) => ({
      points: series.points.map(({ ns, low, high, last }) =>
        series.bucket === 0 ? [ns - from, last] : [ns - from, last, low, high],
      ),
      phases: phasesOf(lives, to).map((phase) => [phase.state, phase.from - from, phase.to - from]),
      marks: report.findings
        .filter((finding) => finding.module === module)
        .slice(0, STORIES)
        .map((finding) => [
          finding.at.ns - from,
          idOf(finding),
          finding.severity,
          printable(`${finding.rule}: ${finding.title}`),
        ]),
    })),
  };
}
