/** Each module: its life, its count over time, who holds it, who took and gave back. */
import type { BalanceRow, Held, Holder } from '../../model/answers.ts';
import { tellsTime } from '../../model/clock.ts';
import type { Dossier, Life, LifeState, ModuleLife } from '../../model/dossier.ts';
import { grouped } from '../../model/grouped.ts';
import type { Finding, InputSummary, Report } from '../../model/report.ts';
import { dependent } from '../holders.ts';
import { plural, span } from '../layout.ts';
import { stackOf } from './finding.ts';
import { type Html, html, sentence } from './markup.ts';
import { type IdOf, moduleId, pathName, timeOf } from './names.ts';

/** Modules whose details are unfolded from the start. */
const UNFOLDED = 3;

export function modules(dossier: Dossier, idOf: IdOf): Html {
  const { modules, modulesLeftOut, report } = dossier;
  const found = new Map<string, Finding[]>();
  for (const finding of report.findings) {
    const list = found.get(finding.module);
    if (list === undefined) found.set(finding.module, [finding]);
    else list.push(finding);
  }
  return html`
<section id="modules" aria-labelledby="modules-title">
<h2 id="modules-title">Modules</h2>
${modules.length === 0 ? html`<p>No module is mentioned in this capture.</p>` : overview(modules, found, idOf)}
${modulesLeftOut > 0 ? html`<p>${plural(modulesLeftOut, 'more module')} without findings, less busy than these (<code>modlife query modules</code> lists all).</p>` : undefined}
${modules.map((life, index) => details(life, index, found.get(life.module) ?? [], dossier))}
</section>`;
}

function overview(
  list: readonly ModuleLife[],
  found: ReadonlyMap<string, readonly Finding[]>,
  idOf: IdOf,
): Html {
  const rows = list.map(
    ({ module, state, incarnations, gets, puts, held }) => html`
<tr data-module="${module}"><th scope="row"><a href="#${moduleId(module)}"><code>${module}</code></a></th><td><span class="state ${state}">${state}</span></td><td class="number ${held > 0 ? 'strong' : ''}">${grouped(held)}</td><td>${worst(found.get(module) ?? [], idOf)}</td><td class="number">${grouped(gets)}</td><td class="number">${grouped(puts)}</td><td class="number">${grouped(incarnations)}</td></tr>`,
  );
  return html`
<div class="scroll" role="region" aria-label="Modules" tabindex="0"><table class="overview">
<caption>${plural(list.length, 'module')}, those with findings first</caption>
<thead><tr><th scope="col">Module</th><th scope="col">At the end</th><th scope="col" class="number">Held</th><th scope="col">Findings</th><th scope="col" class="number">Gets</th><th scope="col" class="number">Puts</th><th scope="col" class="number">Loads</th></tr></thead>
<tbody>${rows}</tbody></table></div>
<p class="small">A load takes its own reference without an event and gives it back with one, so that puts exceed gets by one for each load seen.</p>`;
}

function worst(findings: readonly Finding[], idOf: IdOf): Html | undefined {
  const first = findings[0];
  if (first === undefined) return undefined;
  const rest = findings.length - 1;
  return html`<a href="#${idOf(first)}"><span class="severity ${first.severity}">${first.severity}</span> ${first.rule}</a>${rest > 0 ? ` and ${rest} more` : ''}`;
}

function details(life: ModuleLife, index: number, findings: readonly Finding[], dossier: Dossier): Html {
  const { module, state, atEnd } = life;
  const { report } = dossier;
  const open = index < UNFOLDED && (findings.length > 0 || index === 0);
  return html`
<details class="module" id="${moduleId(module)}" data-module="${module}"${open ? html` open` : undefined}>
<summary><h3><code>${module}</code></h3> <span class="state ${state}">${state}</span> <span class="small">${inShort(life)}</span></summary>
${lifeLine(life, dossier)}
${chart(life, index, report.inputs)}
${holders(atEnd, life.holdersLeftOut, report)}
${sites(life)}
${tasks(life)}
${loads(life, report.inputs)}
</details>`;
}

function inShort({ atEnd: { count: out, known }, gets }: ModuleLife): string {
  const taken = `taken ${plural(gets, 'time')}`;
  if (!known) return taken;
  return `${out === 0 ? 'nobody holds it at the end' : `${plural(out, 'reference')} out at the end`}, ${taken}`;
}

/** How wide the drawing is to itself; the page stretches it. */
const WIDTH = 1000;
const HEIGHT = 16;

export interface Phase {
  readonly state: LifeState;
  readonly from: number;
  readonly to: number;
}

/** When the module was in which state; time before its first mention is in no phase. */
export function phasesOf(lives: readonly Life[], to: number): Phase[] {
  return lives.flatMap(({ states }, nth) =>
    states.map(({ state, since }, index) => {
      const end = states[index + 1]?.since ?? lives[nth + 1]?.states[0]?.since ?? to;
      return { state, from: since, to: Math.max(since, end) };
    }),
  );
}

function lifeLine({ lives, livesBefore, module }: ModuleLife, { from, to, report }: Dossier): Html {
  const scale = (ns: number) => ((ns - from) / Math.max(1, to - from)) * WIDTH;
  const phases = phasesOf(lives, to);
  const rects = phases.map(({ state, from: start, to: end }) => {
    // What is over in a moment still has to be seen.
    const width = Math.max(2, scale(end) - scale(start));
    return html`<rect class="state ${state}" x="${round(Math.min(WIDTH - width, scale(start)))}" width="${round(width)}" height="${HEIGHT}"/>`;
  });
  const states = [...new Set(phases.map(({ state }) => state))];
  const told = phases.slice(-4).map(({ state, from }) => `${state} from ${timeOf(from, report.inputs)}`);
  return html`
<figure class="life"><figcaption>Life${livesBefore > 0 ? `, without ${plural(livesBefore, 'earlier load')}` : ''}: ${states.map((state) => html`<span class="key"><span class="swatch ${state}"></span>${state}</span> `)}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="Life of ${module}: ${told.join(', ')}"><rect class="before" width="${WIDTH}" height="${HEIGHT}"/>${rects}</svg>
<p class="ends small"><span>${timeOf(from, report.inputs)}</span><span>${timeOf(to, report.inputs)}</span></p></figure>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function chart(
  { module, series }: ModuleLife,
  index: number,
  inputs: readonly InputSummary[],
): Html | undefined {
  const { points, changes, bucket } = series;
  if (points.length < 2) return undefined;
  const high = Math.max(...points.map((point) => point.high));
  const last = points.at(-1)!.last;
  const unit = tellsTime(inputs[0]?.clock ?? 'time') ? span(bucket) : `${bucket} ticks`;
  const reduced =
    bucket === 0
      ? html`Every one of ${plural(changes, 'change')} is drawn.`
      : html`Reduced: ${plural(changes, 'change')} drawn as ${plural(points.length, 'step')}. A step stands for all changes within up to ${unit}; the band runs from their lowest to their highest count, so no peak is missing.`;
  return html`
<figure class="chart" data-chart="${index}">
<figcaption>References out over time, as lsmod shows them. ${reduced}</figcaption>
<div class="plot"><canvas role="img" aria-label="References to ${module} over time: at most ${high}, ${last} at the end"></canvas><div class="brush" hidden></div></div>
<div class="zoom" hidden><label>From <input type="range" class="from" min="0" max="1000" value="0"></label><label>To <input type="range" class="to" min="0" max="1000" value="1000"></label><output></output><button type="button" class="whole">Whole capture</button></div>
<noscript><p class="small">At most ${high}, ${last} at the end. The chart is drawn by JavaScript; the tables below need none.</p></noscript>
</figure>`;
}

function holders(atEnd: Held, leftOut: number, { inputs }: Report): Html {
  const { count: out, state, known, unseen, holders: list, doubts, moment } = atEnd;
  const says =
    state === 'freed'
      ? 'It is freed: nobody holds it.'
      : !known
        ? 'No reference was seen, and no refcnt tells how many are out.'
        : out === 0
          ? 'Nobody holds it.'
          : `${plural(out, 'reference')} out.`;
  const before =
    known && unseen > 0 ? ` ${unseen} of them taken before the capture began: by whom, it cannot tell.` : '';
  const remarks = doubts.map((doubt) => html`<p class="small">Doubt: ${sentence(doubt)}.</p>`);
  const title = html`<h4>Who holds it at the end</h4><p>${says}${before}</p>${remarks}`;
  if (list.length === 0) return title;
  const rows = list.map((holder) => holderRow(holder, moment.clock, inputs));
  return html`${title}
<div class="scroll" role="region" aria-label="Holders" tabindex="0"><table>
<thead><tr><th scope="col">Taken by</th><th scope="col">Task</th><th scope="col">At</th><th scope="col" class="number">Age</th><th scope="col">Source</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${leftOut > 0 ? html`<p>and ${grouped(leftOut)} younger ones (<code>modlife holders --json</code> lists all).</p>` : undefined}`;
}

function holderRow(holder: Holder, clock: InputSummary['clock'], inputs: readonly InputSummary[]): Html {
  const { site, means, within, task, cpu, context, since, age, at, stack, sure } = holder;
  const where = `${cpu < 0 ? '' : `CPU ${cpu}, `}${context === 'unknown' ? 'context not recorded' : context === 'task' ? 'process context' : context}`;
  return html`
<tr><th scope="row"><code>${site}</code>${dependent(holder)}<span class="where">${means}${within === undefined ? '' : `, within ${within}()`}${sure ? '' : '; which of this site is still out is a guess'}</span>${stackOf(stack)}</th>
<td>${task.comm}/${task.pid}<span class="where">${where}</span></td><td class="time">${timeOf(since, inputs)}</td><td class="number">${tellsTime(clock) ? span(age) : '-'}</td><td>${inputs.length > 1 ? pathName(at.input) : 'line '}${inputs.length > 1 ? ':' : ''}${at.line}</td></tr>`;
}

function sites({ sites: list, sitesLeftOut, unpaired, module }: ModuleLife): Html | undefined {
  if (list.length === 0 && unpaired === 0) return undefined;
  const own = ` [${module}]`;
  const name = (site: string) => site.replaceAll(own, '');
  const rows = list.map(
    (row) => html`
<tr><th scope="row"><code>${name(row.taker)}</code>${row.family === undefined ? undefined : html`<span class="where">${row.family}</span>`}</th><td class="number">${grouped(row.gets)}</td><td class="number">${grouped(row.puts)}</td><td class="number ${row.held > 0 ? 'strong' : ''}">${grouped(row.held)}</td><td>${givenBackBy(row, name)}</td></tr>`,
  );
  return html`
<h4>Taken and given back, as the pairs really matched</h4>
<div class="scroll" role="region" aria-label="Call sites" tabindex="0"><table>
<thead><tr><th scope="col">Taken by</th><th scope="col" class="number">Gets</th><th scope="col" class="number">Given back</th><th scope="col" class="number">Held</th><th scope="col">Given back by</th></tr></thead>
<tbody>${rows}</tbody></table></div>
${sitesLeftOut > 0 ? html`<p>and ${plural(sitesLeftOut, 'more call site')} (<code>modlife balance</code> lists all).</p>` : undefined}
${unpaired > 0 ? html`<p>${plural(unpaired, 'put')} that no get in this capture explains.</p>` : undefined}`;
}

function givenBackBy(
  { partners, sameTask, puts, longest }: BalanceRow,
  name: (site: string) => string,
): Html | undefined {
  if (puts === 0) return undefined;
  const by = partners.map(
    ({ site, times }, index) => html`${index === 0 ? '' : ', '}<code>${name(site)}</code> ×${grouped(times)}`,
  );
  const elsewhere = puts - partners.reduce((sum, { times }) => sum + times, 0);
  const tasks =
    sameTask === puts
      ? 'the same task'
      : sameTask === 0
        ? 'other tasks'
        : `${grouped(sameTask ?? 0)} by the same task`;
  return html`${by}${elsewhere > 0 ? `, elsewhere ×${grouped(elsewhere)}` : ''}<span class="where">${tasks}${longest === undefined ? '' : `, within ${span(longest)}`}</span>`;
}

function tasks({ tasks: list, tasksLeftOut }: ModuleLife): Html | undefined {
  if (list.length === 0) return undefined;
  const rows = list.map(
    ({ comm, pid, context, gets, puts }) => html`
<tr><th scope="row">${comm}${pid === undefined ? html` <span class="where">several</span>` : `/${pid}`}</th><td>${context === 'task' ? 'process' : context}</td><td class="number">${grouped(gets)}</td><td class="number">${grouped(puts)}</td></tr>`,
  );
  return html`
<details><summary>By task and context</summary>
<div class="scroll" role="region" aria-label="Tasks" tabindex="0"><table>
<thead><tr><th scope="col">Task</th><th scope="col">Context</th><th scope="col" class="number">Gets</th><th scope="col" class="number">Puts</th></tr></thead>
<tbody>${rows}</tbody></table></div>${tasksLeftOut > 0 ? html`<p>and ${plural(tasksLeftOut, 'more task')} (<code>modlife balance --by task</code> lists all).</p>` : undefined}</details>`;
}

function loads({ lives, livesBefore }: ModuleLife, inputs: readonly InputSummary[]): Html {
  const rows = lives.map(({ nth, states, initFailed, unloadedBy }) => {
    const steps = states.map(({ state, since, at }, index) => {
      const place =
        at === undefined
          ? ''
          : inputs.length > 1
            ? ` (${pathName(at.input)}:${at.line})`
            : ` (line ${at.line})`;
      return html`${index === 0 ? '' : ', '}<span class="state ${state}">${state}</span> from ${timeOf(since, inputs)}${place}`;
    });
    const remarks = `${initFailed ? '; its init() failed' : ''}${unloadedBy === undefined || initFailed ? '' : `; unloaded by ${unloadedBy.comm}/${unloadedBy.pid}`}`;
    return html`<li value="${nth}">${steps}${remarks}</li>`;
  });
  return html`<details><summary>Loads and states</summary>${livesBefore > 0 ? html`<p>${plural(livesBefore, 'earlier load')} left out.</p>` : undefined}<ol>${rows}</ol></details>`;
}
