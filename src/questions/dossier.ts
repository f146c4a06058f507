/** All that the HTML report tells: the findings document and, for each module, its life, count and holders. */
import type { Change, Incarnation } from '../lifetime/changes.ts';
import type { BalanceRow } from '../model/answers.ts';
import type { Dossier, Life, ModuleLife, TaskRow } from '../model/dossier.ts';
import type { ExecContext, ModuleRefEvent } from '../model/event.ts';
import type { Finding, InputSummary, ModuleSummary, Report } from '../model/report.ts';
import type { Analysis } from '../pipeline/analyze.ts';
import { balanceBySite } from './balance.ts';
import { type CountRecorder, createCountRecorder, MOST_POINTS } from './count-series.ts';
import { explainRule } from './explain.ts';
import { findIncarnation, heldAt, placeOf } from './held.ts';

/** Collects while a capture is read what the ledger does not keep. */
export interface DossierKeeper {
  change(change: Change): void;
  dossier(analysis: Analysis): Dossier;
}

/** What one page can show and a person can take in; what is left out is counted. */
const MODULES = 200;
const LIVES = 50;
const HOLDERS = 40;
const SITES = 60;
const PARTNERS = 8;
const COMMS = 40;
const UNREADABLE = 5;
/** Points of all charts together: 1 MB or so of the page. */
const ALL_POINTS = 60_000;

interface Track {
  readonly counts: CountRecorder;
  /** The load that the name stands for now. */
  current: number;
  readonly tasks: Map<string, Map<ExecContext, TaskCounts>>;
}

interface TaskCounts {
  pid: number | undefined;
  gets: number;
  puts: number;
}

const OTHERS = 'other tasks';

export function createDossier(): DossierKeeper {
  const tracks = new Map<string, Track>();

  function trackOf({ module, id }: Incarnation): Track {
    let track = tracks.get(module);
    if (track === undefined) {
      track = { counts: createCountRecorder(), current: id, tasks: new Map() };
      tracks.set(module, track);
    }
    track.current = Math.max(track.current, id);
    return track;
  }

  function reference({ tasks }: Track, { comm, pid, context }: ModuleRefEvent, what: 'gets' | 'puts'): void {
    const name = tasks.has(comm) || tasks.size < COMMS ? comm : OTHERS;
    let contexts = tasks.get(name);
    if (contexts === undefined) {
      contexts = new Map();
      tasks.set(name, contexts);
    }
    let counts = contexts.get(context);
    if (counts === undefined) {
      counts = { pid, gets: 0, puts: 0 };
      contexts.set(context, counts);
    } else if (counts.pid !== pid) counts.pid = undefined;
    counts[what]++;
  }

  return {
    change(change) {
      switch (change.type) {
        case 'taken':
        case 'given-back': {
          const { incarnation } = change;
          const track = trackOf(incarnation);
          const event = change.type === 'taken' ? change.reference.get : change.reference.put!;
          reference(track, event, change.type === 'taken' ? 'gets' : 'puts');
          track.counts.add(event.ts, incarnation.count.users);
          return;
        }
        case 'unmatched-put': {
          const track = trackOf(change.incarnation);
          reference(track, change.put, 'puts');
          track.counts.add(change.put.ts, change.incarnation.count.users);
          return;
        }
        case 'gap':
          trackOf(change.incarnation).counts.add(change.gap.before.ts, change.incarnation.count.users);
          return;
        case 'loaded':
          trackOf(change.incarnation).counts.add(change.event.ts, 0);
          return;
        case 'freed': {
          // Told once the unload is over, when the next load may have begun.
          const { incarnation, unload } = change;
          const track = trackOf(incarnation);
          if (track.current === incarnation.id && unload.free !== undefined)
            track.counts.add(unload.free.ts, 0);
          return;
        }
      }
    },

    dossier(analysis) {
      const { report, engine, bad } = analysis;
      const names = inOrder(report);
      const shown = names.slice(0, MODULES);
      const series = shareOut(shown.map(({ module }) => tracks.get(module)?.counts ?? createCountRecorder()));
      const balance = balanceBySite(analysis, undefined);
      const rows = new Map<string, BalanceRow[]>();
      for (const row of balance.rows) {
        const ofModule = rows.get(row.module);
        if (ofModule === undefined) rows.set(row.module, [row]);
        else ofModule.push(row);
      }
      const unpaired = new Map(balance.unpaired.map(({ module, puts }) => [module, puts]));
      const loads = new Map<string, Incarnation[]>();
      for (const incarnation of engine.ledger.incarnations) {
        const ofModule = loads.get(incarnation.module);
        if (ofModule === undefined) loads.set(incarnation.module, [incarnation]);
        else ofModule.push(incarnation);
      }
      const [from, to] = extent(report.inputs, engine.ledger.now);
      return {
        report,
        from,
        to,
        modules: shown.map((summary, index): ModuleLife => {
          const { module } = summary;
          const all = loads.get(module) ?? [];
          const sites = rows.get(module) ?? [];
          const incarnation = findIncarnation(engine.ledger, module);
          const held = heldAt(analysis, incarnation, to, HOLDERS);
          const open = held.state === 'freed' ? 0 : incarnation.references.openCount();
          return {
            ...summary,
            lives: all.slice(-LIVES).map((life) => lifeOf(life, report.inputs)),
            livesBefore: Math.max(0, all.length - LIVES),
            series: series[index]!,
            atEnd: held,
            holdersLeftOut: open - held.holders.length,
            sites: sites
              .slice(0, SITES)
              .map((row) => ({ ...row, partners: row.partners.slice(0, PARTNERS) })),
            sitesLeftOut: Math.max(0, sites.length - SITES),
            unpaired: unpaired.get(module) ?? 0,
            tasks: taskRows(tracks.get(module)),
          };
        }),
        modulesLeftOut: names.length - shown.length,
        rules: [...new Set(report.findings.map(({ rule }) => rule))].map(explainRule),
        unreadable: bad
          .flatMap((lines, input) => lines.map((line) => ({ input, ...line })))
          .slice(0, UNREADABLE)
          .map(({ message, text, ...at }) => ({ at: placeOf(report.inputs, at), message, text })),
      };
    },
  };
}

const WEIGHT: Readonly<Record<Finding['severity'], number>> = { error: 100, warning: 10, note: 1 };

function inOrder({ modules, findings }: Report): ModuleSummary[] {
  const weight = new Map<string, number>();
  for (const { module, severity } of findings)
    weight.set(module, Math.max(weight.get(module) ?? 0, WEIGHT[severity]));
  const activity = ({ gets, puts }: ModuleSummary) => gets + puts;
  return [...modules].sort(
    (a, b) =>
      (weight.get(b.module) ?? 0) - (weight.get(a.module) ?? 0) ||
      b.held - a.held ||
      activity(b) - activity(a) ||
      (a.module < b.module ? -1 : 1),
  );
}

/** The busiest give way until all fit. */
function shareOut(recorders: readonly CountRecorder[]) {
  for (let most = MOST_POINTS; ; most /= 2) {
    const series = recorders.map((recorder) => recorder.series(most));
    const total = series.reduce((sum, { points }) => sum + points.length, 0);
    if (total <= ALL_POINTS || most < 100) return series;
  }
}

function extent(inputs: readonly InputSummary[], now: number): readonly [number, number] {
  const firsts = inputs.flatMap(({ first }) => (first === null ? [] : [first]));
  const lasts = inputs.flatMap(({ last, end }) => [last, end]).filter((ns) => typeof ns === 'number');
  const to = Math.max(now, ...lasts);
  return [Math.min(to, ...firsts), to];
}

function lifeOf(incarnation: Incarnation, inputs: readonly InputSummary[]): Life {
  const { nth, first, load, initDone, unload, free, initFailed, state } = incarnation;
  const states: Life['states'][number][] = [];
  const enter = (name: ModuleSummary['state'], event: { ts: number; input: number; line: number }) =>
    states.push({ state: name, since: event.ts, at: placeOf(inputs, event) });
  if (load === undefined) enter(state === 'unformed' || state === 'coming' ? state : 'live', first);
  else {
    if (first.ts < load.ts) enter('unformed', first);
    // Where the end of init() was not seen, nobody can tell when it became live.
    enter(initDone === undefined && state === 'live' ? 'live' : 'coming', load);
    if (initDone !== undefined) enter('live', initDone);
  }
  if (unload !== undefined) enter('going', unload.start);
  else if (state === 'going') enter('going', incarnation.last);
  if (free !== undefined) enter('freed', free);
  const { comm, pid } = unload?.start ?? {};
  return {
    nth,
    states,
    initFailed,
    ...(comm === undefined || pid === undefined ? {} : { unloadedBy: { comm, pid } }),
  };
}

function taskRows(track: Track | undefined): TaskRow[] {
  const rows: TaskRow[] = [];
  for (const [comm, contexts] of track?.tasks ?? []) {
    for (const [context, { pid, gets, puts }] of contexts)
      rows.push({ comm, ...(pid === undefined ? {} : { pid }), context, gets, puts });
  }
  return rows.sort((a, b) => b.gets + b.puts - (a.gets + a.puts));
}
