/** What the HTML report shows beside the findings document: plain data about each module, already reduced. */
import type { BalanceRow, Held, Place, RuleAnswer } from './answers.ts';
import type { ExecContext, Nanoseconds } from './event.ts';
import type { ModuleSummary, Report } from './report.ts';

/** References out over time, from one change of the count to the next. */
export interface CountSeries {
  /** How many changes of the count went into it. */
  readonly changes: number;
  /** 0: every change is a point. Otherwise a point stands for all changes within so many nanoseconds. */
  readonly bucket: Nanoseconds;
  readonly points: readonly CountPoint[];
}

export interface CountPoint {
  /** Of the first change it stands for. */
  readonly ns: Nanoseconds;
  readonly low: number;
  readonly high: number;
  readonly last: number;
}

export type LifeState = ModuleSummary['state'];

/** One load of a module, as its states followed each other. */
export interface Life {
  /** 1 for the first load seen of that name. */
  readonly nth: number;
  /** From the first mention on, in order; the last one lasts until the capture ends. */
  readonly states: readonly { readonly state: LifeState; readonly since: Nanoseconds; readonly at?: Place }[];
  readonly initFailed: boolean;
  readonly unloadedBy?: { readonly comm: string; readonly pid: number };
}

/** Gets and puts of one kind of task. */
export interface TaskRow {
  readonly comm: string;
  /** Absent when there were several. */
  readonly pid?: number;
  readonly context: ExecContext;
  readonly gets: number;
  readonly puts: number;
}

export interface ModuleLife extends ModuleSummary {
  /** The latest loads; `livesBefore` earlier ones are left out. */
  readonly lives: readonly Life[];
  readonly livesBefore: number;
  readonly series: CountSeries;
  /** Who holds it when the capture ends. Of its holders the oldest; `holdersLeftOut` more are not listed. */
  readonly atEnd: Held;
  readonly holdersLeftOut: number;
  /** Each with its most frequent partners only. */
  readonly sites: readonly BalanceRow[];
  readonly sitesLeftOut: number;
  /** Puts that no get in the capture explains. */
  readonly unpaired: number;
  /** Busiest first. */
  readonly tasks: readonly TaskRow[];
  readonly tasksLeftOut: number;
}

/** A line of a capture, as it stands there. */
export interface SourceLine {
  /** Index into inputs. */
  readonly input: number;
  readonly line: number;
  readonly text: string;
}

export interface Dossier {
  readonly report: Report;
  /** What the capture covers. */
  readonly from: Nanoseconds;
  readonly to: Nanoseconds;
  /** Those with findings first, then those held, then the busiest. */
  readonly modules: readonly ModuleLife[];
  /** Modules of the report that have no place among `modules`. */
  readonly modulesLeftOut: number;
  /** Rules that found something. */
  readonly rules: readonly RuleAnswer[];
  /** Those that evidence points to, as far as the captures can be read again. */
  readonly lines: readonly SourceLine[];
  /** A few of the lines that could not be read. */
  readonly unreadable: readonly { readonly at: Place; readonly message: string; readonly text: string }[];
}
