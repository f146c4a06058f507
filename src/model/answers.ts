/** What each question answers: plain data, the same object that `--json` prints and that report/ renders. */
import type { DiffAnswer } from './diff.ts';
import type { ExecContext, Nanoseconds } from './event.ts';
import type { Plan } from './manifest.ts';
import type { Finding, InputSummary, Report, RuleId } from './report.ts';

/** A moment of a capture, as its own clock tells it. */
export interface Moment {
  readonly ns: Nanoseconds;
  readonly clock: InputSummary['clock'];
}

/** Where in which capture something stands. */
export interface Place {
  readonly input: string;
  readonly line: number;
}

/** One hard reference that is out. */
export interface Holder {
  /** The function that took it. */
  readonly site: string;
  readonly family: string;
  /** The family in words. */
  readonly means: string;
  /** For a dependency: the module that was being loaded. */
  readonly dependent?: string;
  readonly task: { readonly comm: string; readonly pid: number };
  readonly cpu: number;
  readonly context: ExecContext;
  readonly since: Nanoseconds;
  readonly age: Nanoseconds;
  readonly at: Place;
  /** Innermost frame first. */
  readonly stack?: readonly string[];
  /** The probed function the task was in when it took it. */
  readonly within?: string;
  /** False where puts of other tasks make it a guess which reference of this site is the one still out. */
  readonly sure: boolean;
}

type ModuleState = 'unformed' | 'coming' | 'live' | 'going' | 'freed';

/** One load of a module at a moment. */
export interface Held {
  readonly module: string;
  /** 1 for the first load seen of that name. */
  readonly incarnation: number;
  readonly state: ModuleState;
  readonly moment: Moment;
  /** References out, by our own count; what lsmod shows. */
  readonly count: number;
  /** False until a load or a refcnt was seen. */
  readonly known: boolean;
  /** Of `count`, those whose taking is not in the capture. */
  readonly unseen: number;
  readonly holders: readonly Holder[];
  /** What may overturn this answer. */
  readonly doubts: readonly string[];
}

export interface HoldersAnswer extends Held {
  readonly type: 'holders';
  /** `moment` is the capture's end rather than a moment asked for. */
  readonly atEnd: boolean;
}

/** `transient`: goes by itself; `lasting`: until somebody lets go; `leaked`: nobody will. */
export type Patience = 'transient' | 'lasting' | 'leaked' | 'unknown';

export interface JudgedHolder extends Holder {
  readonly patience: Patience;
  readonly reason: string;
}

/** One rmmod that the capture shows. */
export interface UnloadAttempt {
  readonly outcome: 'refused' | 'stuck' | 'freed';
  readonly ns: Nanoseconds;
  readonly at: Place;
  readonly task?: { readonly comm: string; readonly pid: number };
  /** In one sentence, with who held it. */
  readonly text: string;
}

export interface WhyBusyAnswer extends Omit<Held, 'holders'> {
  readonly type: 'why-busy';
  readonly verdict: 'idle' | 'freed' | 'stuck' | Patience;
  readonly holders: readonly JudgedHolder[];
  readonly attempts: readonly UnloadAttempt[];
  /** What `analyze` says about the references and unloads of this module. */
  readonly findings: readonly Finding[];
  /** Steps, first things first. */
  readonly steps: readonly string[];
}

export type BalanceBy = 'site' | 'stack' | 'task';

export interface BalanceRow {
  readonly module: string;
  /** The call site, the stack (innermost first, joined by ` < `) or the task (`comm/pid`). */
  readonly taker: string;
  readonly gets: number;
  /** Of these, given back. */
  readonly puts: number;
  readonly held: number;
  readonly family?: string;
  /** Where they were given back, most frequent first. */
  readonly partners: readonly { readonly site: string; readonly times: number }[];
  /** Pairs in which the task that took it gave it back. */
  readonly sameTask?: number;
  readonly longest?: Nanoseconds;
}

export interface BalanceAnswer {
  readonly type: 'balance';
  readonly by: BalanceBy;
  /** Most still held first. */
  readonly rows: readonly BalanceRow[];
  /** Puts that no get in the capture explains, the loader's own left out. */
  readonly unpaired: readonly { readonly module: string; readonly puts: number }[];
  readonly doubts: readonly string[];
}

export interface QueryAnswer {
  readonly type: 'query';
  readonly name?: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

export interface QueriesAnswer {
  readonly type: 'queries';
  readonly queries: readonly {
    readonly name: string;
    readonly summary: string;
    readonly parameters: readonly {
      readonly name: string;
      readonly type: string;
      readonly optional: boolean;
      readonly help: string;
    }[];
    readonly columns: readonly { readonly name: string; readonly help: string }[];
  }[];
}

export interface RuleAnswer {
  readonly type: 'rule';
  readonly rule: RuleId;
  readonly flags: string;
  readonly from: string;
  readonly story: readonly string[];
  /** How it looks in a real trace. */
  readonly excerpt?: { readonly sample: string; readonly lines: readonly string[] };
  readonly fix: Finding['fix'];
}

export interface RulesAnswer {
  readonly type: 'rules';
  readonly rules: readonly { readonly rule: RuleId; readonly flags: string }[];
}

/** What `capture` would record on this kernel. */
export interface PlanAnswer {
  readonly type: 'plan';
  readonly kernel: string;
  readonly plan: Plan;
}

/** Advice is a command, or what to enable. */
interface Reason {
  readonly text: string;
  readonly advice?: string;
}

/** `partly`: it is asked, and sees less than it could. */
export interface RuleHealth {
  readonly rule: RuleId;
  readonly state: 'yes' | 'partly' | 'no';
  readonly reasons: readonly Reason[];
}

/** What a machine can show, or what captures can prove. */
export interface DoctorAnswer {
  readonly type: 'doctor';
  readonly subject: 'machine' | 'captures';
  readonly about: string;
  readonly rules: readonly RuleHealth[];
  readonly troubles: readonly Reason[];
}

/** A command was run while the kernel was recorded. */
export interface CiAnswer {
  readonly type: 'ci';
  readonly command: readonly string[];
  /** null: a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  readonly elapsed: Nanoseconds;
  /** Where the capture is, if it was kept. */
  readonly directory?: string;
  readonly report: Report;
}

export type Answer =
  | HoldersAnswer
  | WhyBusyAnswer
  | BalanceAnswer
  | DiffAnswer
  | QueryAnswer
  | QueriesAnswer
  | RuleAnswer
  | RulesAnswer
  | PlanAnswer
  | DoctorAnswer
  | CiAnswer;
