/** A capture as tracks over time: plain data, told piece by piece while it is read. */
import type { ExecContext, Nanoseconds } from './event.ts';
import type { Finding, InputSummary, ModuleSummary, Report } from './report.ts';

export type TimelineItem =
  /** A reference taken or given back; what it is for module and task stands in both. */
  | {
      readonly type: 'reference';
      readonly what: 'get' | 'put';
      readonly module: string;
      readonly incarnation: number;
      readonly ns: Nanoseconds;
      readonly task: { readonly comm: string; readonly pid: number };
      readonly cpu: number;
      readonly context: ExecContext;
      readonly site: string;
      readonly refcnt: number;
      /** The same in a get and in the put that gave back what it took, and in no other. */
      readonly pair: number | undefined;
      readonly input: number;
      readonly line: number;
    }
  /** References out from here on, by our own count. */
  | { readonly type: 'count'; readonly module: string; readonly ns: Nanoseconds; readonly count: number }
  | {
      readonly type: 'state';
      readonly module: string;
      readonly incarnation: number;
      readonly state: Exclude<ModuleSummary['state'], 'freed'>;
      readonly from: Nanoseconds;
      readonly to: Nanoseconds;
    }
  | { readonly type: 'finding'; readonly finding: Finding }
  /** The last one. */
  | { readonly type: 'end'; readonly tool: Report['tool']; readonly inputs: readonly InputSummary[] };
