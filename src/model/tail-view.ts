/** What the screen of `tail` shows: plain data, made from the ledger and drawn by report/. */
import type { Holder } from './answers.ts';
import type { Finding, InputSummary, ModuleSummary, Severity } from './report.ts';

export interface ModuleRow {
  readonly module: string;
  readonly state: ModuleSummary['state'];
  readonly users: number;
  /** Per second. */
  readonly gets: number;
  readonly puts: number;
  readonly oldest?: { readonly age: number; readonly site: string; readonly task: Holder['task'] };
  /** The gravest of its findings. */
  readonly worst?: Severity;
}

export type ShownHolder = Pick<Holder, 'site' | 'task' | 'age' | 'stack' | 'within'>;

export interface ShownFinding {
  readonly finding: Finding;
  readonly provisional: boolean;
}

export interface TailView {
  readonly source: string;
  /** Undefined until its first lines told. */
  readonly format?: string | undefined;
  readonly clock: InputSummary['clock'];
  readonly events: number;
  /** Events per second. */
  readonly rate: number;
  readonly lost: number;
  readonly bad: number;
  /** Times that the source began anew. */
  readonly restarts: number;
  readonly modules: readonly ModuleRow[];
  /** The newest first. */
  readonly findings: readonly ShownFinding[];
  /** Findings so far, also those no longer listed. */
  readonly found: number;
  /** What was done last, other than reading. */
  readonly notice?: string | undefined;
  /** Of the selected module, when asked for. */
  readonly holders?: readonly ShownHolder[] | undefined;
}

/** What whoever watches has chosen. */
export interface TailChoice {
  readonly paused: boolean;
  /** Name of the selected module. */
  readonly selected: string | undefined;
  readonly holders: boolean;
  /** Only modules whose name holds this. */
  readonly filter: string;
  /** The filter is being typed. */
  readonly typing: boolean;
}
