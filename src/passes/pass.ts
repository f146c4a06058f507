import type { Change } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { EventKind } from '../model/event.ts';
import type { Finding, RuleId } from '../model/report.ts';

/** One question asked of the ledger. The same object serves `analyze` and `tail`. */
export interface Pass {
  readonly rule: RuleId;
  /** With none of these in the capture the pass is reported as *not run*, never as clean. */
  readonly needs: readonly EventKind[];
  /** They must also tell where they ran, in a task or in an interrupt. */
  readonly needsContext?: true;
  /** What to record so that it can run, in words. */
  readonly record: string;
  start(ledger: Ledger, report: (finding: Finding) => void): RunningPass;
}

export interface RunningPass {
  /** The changes that it looks at, by their type. */
  readonly on: ChangeHandlers;
  /** The capture ended, or the user pressed ^C: what is still open? */
  end?(): void;
}

type ChangeHandlers = {
  readonly [Type in Change['type']]?: (change: Extract<Change, { type: Type }>) => void;
};
