/** The parts every finding is made of. */
import { type Call, functionName } from '../lifetime/calls.ts';
import type { Incarnation } from '../lifetime/changes.ts';
import { isInterrupt } from '../lifetime/interrupts.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Loss } from '../lifetime/losses.ts';
import { bareSymbol, placeName } from '../lifetime/sites.ts';
import type { Lost } from '../model/collector.ts';
import type { Code, Event } from '../model/event.ts';
import { fingerprint } from '../model/fingerprint.ts';
import { plural } from '../model/grouped.ts';
import type { Evidence, Finding, RuleId } from '../model/report.ts';
import { rules } from './rules.ts';

export interface Draft {
  readonly rule: RuleId;
  readonly severity: Finding['severity'];
  readonly certainty: Finding['certainty'];
  /** What it is about; a loss of events is about no module in particular, `*`. */
  readonly incarnation: Pick<Incarnation, 'module' | 'nth'>;
  readonly title: string;
  readonly detail: string;
  /** Why the certainty is not higher. */
  readonly because?: string | undefined;
  /** So many unrecorded events would overturn it; undefined: no number of them could. */
  readonly overturnedBy?: number | undefined;
  readonly culprit: {
    readonly code?: Code | undefined;
    readonly symbol?: string | undefined;
    readonly event: Event;
  };
  readonly evidence: readonly Evidence[];
  readonly race?: Finding['race'];
  readonly candidates?: Finding['candidates'];
  /** Where the rule's own is not to the point. */
  readonly fix?: Finding['fix'] | undefined;
}

export function makeFinding(draft: Draft): Finding {
  const { rule, incarnation, culprit } = draft;
  const symbol =
    culprit.symbol ?? (culprit.code === undefined ? undefined : (culprit.code.symbol ?? culprit.code.text));
  const last = draft.evidence.at(-1)!;
  const { fix = rules[rule].fix } = draft;
  return {
    rule,
    severity: draft.severity,
    certainty: draft.certainty,
    fingerprint: fingerprint([rule, incarnation.module, stable(symbol ?? culprit.event.comm)]),
    module: incarnation.module,
    incarnation: incarnation.nth,
    title: draft.title,
    detail: draft.detail,
    ...(draft.overturnedBy === undefined ? {} : { overturned_by: draft.overturnedBy }),
    ...(draft.because === undefined ? {} : { because: draft.because }),
    at: { ns: last.ns, input: last.input, line: last.line },
    culprit: {
      ...(symbol === undefined ? {} : { symbol }),
      ...(culprit.code?.module === undefined ? {} : { module: culprit.code.module }),
      task: { comm: culprit.event.comm, pid: culprit.event.pid },
      context: culprit.event.context,
    },
    evidence: [...draft.evidence],
    ...(draft.candidates === undefined ? {} : { candidates: draft.candidates }),
    ...(draft.race === undefined ? {} : { race: draft.race }),
    fix,
  };
}

/** Fingerprints outlive builds: no compiler suffix, no address. */
function stable(symbol: string): string {
  return symbol.startsWith('0x') ? '?' : bareSymbol(symbol);
}

export function evidence(role: string, event: Event, code?: Code): Evidence {
  const symbol = code !== undefined ? placeName(code) : symbolOf(event);
  return {
    role,
    ns: event.ts,
    input: event.input,
    line: event.line,
    event: event.kind,
    task: { comm: event.comm, pid: event.pid },
    cpu: event.cpu,
    context: event.context,
    ...(symbol === undefined ? {} : { symbol }),
    ...(event.stack === undefined ? {} : { stack: [...event.stack] }),
  };
}

function symbolOf(event: Event): string | undefined {
  switch (event.kind) {
    case 'module_get':
    case 'module_put':
      return placeName(event.callSite);
    case 'function_entry':
      return functionName(event);
    case 'function_return':
      return event.fn.symbol;
    default:
      return undefined;
  }
}

/**
 * Why a verdict over the events from `from` to `to` may be overturned by what is missing: events the tracer lost
 * there, or a refcnt that shows some are missing. Undefined when nothing speaks against it.
 */
export function doubt(
  ledger: Ledger,
  incarnation: Incarnation,
  from: Event,
  to: Event | undefined,
): string | undefined {
  for (const loss of ledger.losses) {
    const { lost } = loss;
    if (lost.where === 'anywhere') return reason(lost);
    if (lost.where === 'head' || lost.where === 'let-go') {
      const became =
        lost.where === 'head' ? 'overwritten before the trace was read' : 'let go of by the store';
      if (incarnation.load === undefined) return `the oldest ${countOf(lost)} ${were(lost)} ${became}`;
      continue;
    }
    const isWithin =
      (loss.after?.seq ?? 0) >= from.seq && (to === undefined || (loss.from?.seq ?? 0) <= to.seq);
    if (isWithin) return reason(lost);
  }
  const { gap } = incarnation;
  // What is missing came after the last refcnt that agrees, so perhaps before `to`, though it shows only later.
  if (gap !== undefined && (to === undefined || (gap.after?.seq ?? 0) <= to.seq)) {
    const [missing, what] = gap.delta > 0 ? [gap.delta, 'get'] : [-gap.delta, 'put'];
    return `refcnt at line ${gap.before.line} shows that ${missing} ${what}${missing === 1 ? '' : 's'} of ${incarnation.module} went unseen`;
  }
  if (to === undefined && incarnation.count.suspected !== 0) {
    return `the last refcnt of ${incarnation.module} does not add up: events went unseen`;
  }
  return undefined;
}

/** A verdict that was given before `loss` was told, if that reaches back before its end: the same as `doubt` makes it. */
export function doubted(finding: Finding, { lost, from }: Loss): Finding | undefined {
  const reaches = lost.where === 'anywhere' || (lost.where === 'before' && (from?.ts ?? 0) <= finding.at.ns);
  return reaches ? { ...finding, severity: 'note', certainty: 'possible', because: reason(lost) } : undefined;
}

function reason(lost: Lost): string {
  if (lost.where === 'end') return `the file is cut off after line ${lost.line}`;
  return lost.where === 'anywhere'
    ? `the tracer lost ${countOf(lost)} and does not say where`
    : `${countOf(lost)} ${were(lost)} lost${onCpu(lost)} before line ${lost.line}`;
}

function countOf({ count }: Lost): string {
  return count === undefined ? 'events' : plural(count, 'event');
}

function were({ count }: Lost): string {
  return count === 1 ? 'was' : 'were';
}

/** A source that began anew lost what it lost on all of them. */
export function onCpu({ cpu }: Lost): string {
  return cpu === undefined ? '' : ` on CPU ${cpu}`;
}

/** Who did it: a task, or an interrupt, which only borrows one. */
export function who(event: Event): string {
  return isInterrupt(event) ? `${event.context} on CPU ${event.cpu}` : taskOf(event);
}

export function taskOf({ comm, pid }: Event): string {
  return `${comm}/${pid}`;
}

/** `0.62 ms`, `12 s`: three digits are enough to judge a margin by. */
export function duration(ns: number): string {
  const units: [number, string][] = [
    [1e9, 's'],
    [1e6, 'ms'],
    [1e3, 'µs'],
  ];
  const [size, unit] = units.find(([size]) => Math.abs(ns) >= size) ?? [1, 'ns'];
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}

export function callName(call: Call): string {
  return `${call.name}()`;
}
