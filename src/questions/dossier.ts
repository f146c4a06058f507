/** All that the HTML report tells: the findings document and, for each module, its life, count and holders. */
import type { Change, Incarnation } from '../lifetime/changes.ts';
import type { Dossier, Life, ModuleLife, TaskRow } from '../model/dossier.ts';
import type { Event, ExecContext, ModuleRefEvent } from '../model/event.ts';
import type { Finding, InputSummary, ModuleSummary, Report } from '../model/report.ts';
import type { Analysis } from '../pipeline/analyze.ts';
import { latest, standingOf } from '../pipeline/standings.ts';
import { balanceBySite } from './balance.ts';
import { type CountRecorder, createCountRecorder, MOST_POINTS } from './count-series.ts';
import { explainRule } from './explain.ts';
import { held, placeOf } from './held.ts';
import { sourceLines } from './source-lines.ts';

/** Collects while a capture is read what the ledger does not keep. */
export interface DossierKeeper {
  change(change: Change): void;
  /** @param paths of the captures; they are read again for the lines that are quoted */
  dossier(analysis: Analysis, paths: readonly string[]): Promise<Dossier>;
}

/** What one page can show and a person can take in; what is left out is counted. */
const MODULES = 200;
const UNREADABLE = 5;
/** Findings whose lines are quoted. */
const QUOTED = 150;
/** Points of all charts together: 1 MB or so of the page. */
const ALL_POINTS = 40_000;
/** Comms told apart while reading, in each module. */
const COMMS = 40;

/** Rows for each module: those that matter most are told at length, the others in brief. */
interface Room {
  readonly lives: number;
  readonly holders: number;
  readonly sites: number;
  readonly partners: number;
  readonly tasks: number;
}

const AT_LENGTH = 12;
const LENGTHY: Room = { lives: 50, holders: 40, sites: 60, partners: 8, tasks: COMMS };
const BRIEF: Room = { lives: 10, holders: 5, sites: 8, partners: 3, tasks: 6 };

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

    async dossier(analysis, paths) {
      const { report, engine, bad } = analysis;
      const names = inOrder(report);
      const shown = names.slice(0, MODULES);
      const series = shareOut(shown.map(({ module }) => tracks.get(module)?.counts ?? createCountRecorder()));
      const balance = balanceBySite(analysis, undefined);
      const sites = byModule(balance.rows);
      const unpaired = new Map(balance.unpaired.map(({ module, puts }) => [module, puts]));
      const loads = byModule(engine.ledger.incarnations);
      const current = latest(engine.ledger);
      const [from, to] = extent(report.inputs, engine.ledger.now);

      function lifeOfModule(summary: ModuleSummary, index: number): ModuleLife {
        const { module } = summary;
        const room = index < AT_LENGTH ? LENGTHY : BRIEF;
        const all = loads.get(module)!;
        const standing = standingOf(engine.ledger, current.get(module)!, room.holders);
        const rows = sites.get(module) ?? [];
        const tasks = taskRows(tracks.get(module));
        return {
          ...summary,
          lives: all.slice(-room.lives).map((life) => lifeOf(life, report.inputs)),
          livesBefore: summary.incarnations - Math.min(all.length, room.lives),
          series: series[index]!,
          atEnd: held(standing, to, report.inputs),
          holdersLeftOut: standing.out - standing.open.length,
          sites: rows
            .slice(0, room.sites)
            .map((row) => ({ ...row, partners: row.partners.slice(0, room.partners) })),
          sitesLeftOut: Math.max(0, rows.length - room.sites),
          unpaired: unpaired.get(module) ?? 0,
          tasks: tasks.slice(0, room.tasks),
          tasksLeftOut: Math.max(0, tasks.length - room.tasks),
        };
      }

      return {
        report,
        from,
        to,
        modules: shown.map(lifeOfModule),
        modulesLeftOut: names.length - shown.length,
        rules: [...new Set(report.findings.map(({ rule }) => rule))].map(explainRule),
        lines: await sourceLines(paths, report, QUOTED),
        unreadable: bad
          .flatMap((lines, input) => lines.map((line) => ({ input, ...line })))
          .slice(0, UNREADABLE)
          .map(({ message, text, ...at }) => ({ at: placeOf(report.inputs, at), message, text })),
      };
    },
  };
}

function byModule<T extends { readonly module: string }>(items: Iterable<T>): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(item.module);
    if (group === undefined) groups.set(item.module, [item]);
    else group.push(item);
  }
  return groups;
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

export function extent(inputs: readonly InputSummary[], now: number): readonly [number, number] {
  const firsts = inputs.flatMap(({ first }) => (first === null ? [] : [first]));
  const lasts = inputs.flatMap(({ last, end }) => [last, end]).filter((ns) => typeof ns === 'number');
  const to = Math.max(now, ...lasts);
  return [Math.min(to, ...firsts), to];
}

function lifeOf(incarnation: Incarnation, inputs: readonly InputSummary[]): Life {
  const { nth, unload, initFailed } = incarnation;
  const { comm, pid } = unload?.start ?? {};
  return {
    nth,
    states: statesOf(incarnation).map(({ state, event }) => ({
      state,
      since: event.ts,
      at: placeOf(inputs, event),
    })),
    initFailed,
    ...(comm === undefined || pid === undefined ? {} : { unloadedBy: { comm, pid } }),
  };
}

/** Its states as they followed each other, each from the event that shows it. */
export function statesOf(incarnation: Incarnation): { state: ModuleSummary['state']; event: Event }[] {
  const { first, load, initDone, initFailed, unload, free, state, last } = incarnation;
  const states: { state: ModuleSummary['state']; event: Event }[] = [];
  const enter = (name: ModuleSummary['state'], event: Event) => states.push({ state: name, event });
  if (load === undefined) enter(state === 'unformed' || state === 'coming' ? state : 'live', first);
  else {
    if (first.ts < load.ts) enter('unformed', first);
    // Where the end of init() was not seen, nobody can tell when it became live.
    enter(initDone === undefined && state === 'live' ? 'live' : 'coming', load);
    if (initDone !== undefined && !initFailed) enter('live', initDone);
  }
  // After a failed init() the kernel sets going, never live, before it gives back its own reference.
  const going =
    (initFailed ? initDone : undefined) ?? unload?.start ?? (state === 'going' ? last : undefined);
  if (going !== undefined) enter('going', going);
  if (free !== undefined) enter('freed', free);
  return states;
}

function taskRows(track: Track | undefined): TaskRow[] {
  const rows: TaskRow[] = [];
  for (const [comm, contexts] of track?.tasks ?? []) {
    for (const [context, { pid, gets, puts }] of contexts)
      rows.push({ comm, ...(pid === undefined ? {} : { pid }), context, gets, puts });
  }
  return rows.sort((a, b) => b.gets + b.puts - (a.gets + a.puts));
}
