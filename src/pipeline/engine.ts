/** The ledger with every pass on it: one engine for offline and live, fed item by item. */
import type { Change } from '../lifetime/changes.ts';
import { createLedger, type Ledger } from '../lifetime/ledger.ts';
import { createTotals, type ModuleTotals } from '../lifetime/totals.ts';
import { createUnloadAccounts } from '../lifetime/unloads.ts';
import type { EventKind, Nanoseconds } from '../model/event.ts';
import type { Past } from '../model/past.ts';
import type { Finding, ModuleSummary, Report, UnloadSummary } from '../model/report.ts';
import { passes } from '../passes/index.ts';
import { doubted } from '../passes/make-finding.ts';
import type { RunningPass } from '../passes/pass.ts';
import type { Item } from './settle.ts';

export interface Engine {
  readonly ledger: Ledger;
  /** Before anything is fed: what is fed goes on where events were let go of.
   *  @param ended what is fed is all there was, so that even what held only at its end does */
  goOnFrom(past: Past, ended: boolean): void;
  readonly past: Past | undefined;
  /** Numbers the event. */
  feed(item: Item, input: number): void;
  /** @param ts time of the last record, ours or not */
  end(ts?: Nanoseconds): void;
  /** In the order they became certain; of those, what a loss told later put in doubt is as it would be with it. */
  readonly findings: readonly Finding[];
  /** Of them, what holds because the capture ended. */
  readonly atEnd: ReadonlySet<Finding>;
  /** Which rules could be asked, and of those that could not, why. */
  passes(): Report['passes'];
  modules(): ModuleSummary[];
  /** Of all loads, remembered or not. */
  totals(): ModuleTotals[];
  unloads(): UnloadSummary[];
  /** Older unloads that `unloads` leaves out. */
  readonly unloadsOmitted: number;
}

export interface EngineOptions {
  /** Called as findings become certain. */
  readonly onFinding?: (finding: Finding) => void;
  readonly onChange?: (change: Change) => void;
}

export function createEngine({ onFinding, onChange }: EngineOptions = {}): Engine {
  const findings: Finding[] = [];
  /** Of them, what unrecorded events could overturn, and when it was told: the latest last. */
  let firm: { readonly index: number; readonly ts: Nanoseconds }[] = [];
  let atEnd: ReadonlySet<Finding> = new Set();
  let past: Past | undefined;
  /** Fingerprints of what was found with the events that are gone. */
  const found = new Set<string>();
  /** Whether some of a kind told where they ran. */
  const seen = new Map<EventKind, boolean>();
  const running: RunningPass[] = [];
  /** Of all passes, by the type of change. */
  const handlers = new Map<string, ((change: Change) => void)[]>();
  const accounts = createUnloadAccounts();
  const totals = createTotals();
  let seq = 0;
  const ledger = createLedger((change) => {
    for (const handle of handlers.get(change.type) ?? []) handle(change);
    accounts.change(change);
    if (change.type === 'forgotten') totals.forget(change.incarnation);
    onChange?.(change);
  });
  function report(finding: Finding): void {
    // It was known better then.
    if (past !== undefined && seq <= past.judged && found.has(finding.fingerprint)) return;
    if (finding.overturned_by !== undefined && finding.severity !== 'note')
      firm.push({ index: findings.length, ts: ledger.now });
    findings.push(finding);
    onFinding?.(finding);
  }
  /** A loss is told where the CPU that lost goes on, which may be after verdicts over the time when it lost. */
  function doubtLatest(): void {
    const loss = ledger.losses.at(-1)!;
    const first =
      loss.lost.where === 'anywhere' ? 0 : 1 + firm.findLastIndex(({ ts }) => ts < (loss.from?.ts ?? 0));
    if (first === firm.length) return;
    const reached = firm.slice(first);
    firm = firm.slice(0, first);
    for (const verdict of reached) {
      const weaker = doubted(findings[verdict.index]!, loss);
      if (weaker === undefined) firm.push(verdict);
      else findings[verdict.index] = weaker;
    }
  }
  for (const pass of passes) {
    const started = pass.start(ledger, report);
    running.push(started);
    for (const [type, handle] of Object.entries(started.on))
      handlers.set(type, [...(handlers.get(type) ?? []), handle as (change: Change) => void]);
  }

  return {
    ledger,
    findings,
    get atEnd() {
      return atEnd;
    },
    get past() {
      return past;
    },
    goOnFrom(before, ended) {
      past = before;
      seq = before.seq;
      for (const finding of before.report.findings) {
        if (before.atEnd.has(finding) && !ended) continue;
        findings.push(finding);
        found.add(finding.fingerprint);
      }
      ledger.goOnFrom(before);
      totals.goOnFrom(before, ledger.incarnations);
    },
    feed(item, input) {
      if (item.kind === 'lost') {
        ledger.lost(item.lost, input);
        doubtLatest();
        return;
      }
      item.seq = ++seq;
      if (seen.get(item.kind) !== true) seen.set(item.kind, item.context !== 'unknown');
      ledger.event(item);
    },
    end(ts) {
      const before = findings.length;
      ledger.end(ts);
      for (const pass of running) pass.end?.();
      atEnd = new Set(findings.slice(before));
    },
    passes: () =>
      passes.map(({ rule, needs, needsContext, record }) => {
        if (past?.report.passes.some((own) => own.rule === rule && own.ran)) return { rule, ran: true };
        if (needs.some((kind) => (needsContext ? seen.get(kind) : seen.has(kind))))
          return { rule, ran: true };
        const untold = needs.some((kind) => seen.has(kind));
        const lacks = untold ? ' that tells whether it ran in an interrupt' : '';
        return {
          rule,
          ran: false,
          because: `no ${needs.join(', ')}${lacks} in this capture; record ${record}`,
        };
      }),
    unloads: () =>
      accounts.accounts(ledger).map(({ unload, claims, lastEnd, couldEnd }) => ({
        module: unload.incarnation!.module,
        incarnation: unload.incarnation!.nth,
        task: { comm: unload.start.comm, pid: unload.pid },
        begin_ns: unload.start.ts,
        free_ns: unload.free?.ts ?? null,
        init_failed: unload.incarnation!.initFailed,
        claims,
        outlive_ns: lastEnd === undefined || unload.free === undefined ? null : lastEnd - unload.free.ts,
        could_end: couldEnd ?? null,
      })),
    get unloadsOmitted() {
      return accounts.omitted + (past === undefined ? 0 : unloadsBefore(past));
    },
    totals: () => totals.of(ledger.incarnations),
    modules: () =>
      totals.of(ledger.incarnations).map(({ module, incarnations, gets, puts, maxRefcnt, last }) => ({
        module,
        incarnations,
        gets,
        puts,
        held: last.state === 'freed' ? 0 : Math.max(0, last.count.users),
        maxRefcnt: maxRefcnt ?? null,
        state: last.state,
      })),
  };
}

/** Unloads that nothing tells of any more. */
function unloadsBefore({ ns, report: { unloads, unloads_omitted: omitted = 0 } }: Past): number {
  return omitted + unloads.filter(({ free_ns }) => free_ns !== null && free_ns <= ns).length;
}
