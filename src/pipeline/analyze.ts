/** Captures in, one Report out. */
import type { Change } from '../lifetime/changes.ts';
import type { Bad } from '../model/collector.ts';
import { UserError } from '../model/errors.ts';
import type { Event } from '../model/event.ts';
import type { Past } from '../model/past.ts';
import type { Finding, InputSummary, Report } from '../model/report.ts';
import { SCHEMA } from '../model/schema-id.ts';
import { version } from '../package-root.ts';
import { isStore } from '../store/is-store.ts';
import { alignCaptures } from './align.ts';
import { type Capture, openCapture } from './capture.ts';
import { type Member, openInputs } from './capture-directory.ts';
import { createEngine, type Engine } from './engine.ts';
import { createKeeper, type Keeper } from './keep.ts';
import { mergeCaptures } from './merge.ts';
import type { Progress } from './source.ts';

export interface AnalyzeOptions {
  /** Read every capture as this format. */
  readonly format?: string | undefined;
  /** Keep a store here. */
  readonly db?: string | undefined;
  /** Stop before the first event later than this: the ledger as it stood then. */
  readonly until?: number | undefined;
  /** Called for every change of the ledger, as it happens. */
  readonly onChange?: ((change: Change) => void) | undefined;
  readonly onProgress?: ((progress: readonly Progress[], events: number) => void) | undefined;
}

export interface Analysis {
  readonly report: Report;
  readonly engine: Engine;
  /** Per input, the first few lines that could not be read. */
  readonly bad: readonly (readonly Bad[])[];
}

/**
 * Captures of one boot, or one store, which gives the answers that its captures gave.
 * @throws UserError for what the user can mend
 */
export async function analyze(paths: readonly string[], options: AnalyzeOptions = {}): Promise<Analysis> {
  const stores = paths.filter((path) => path !== '-' && isStore(path));
  if (stores.length > 0 && paths.length > 1) {
    throw new UserError(
      'usage',
      `${stores[0]} is a store; a store is read by itself`,
      'give the captures instead',
    );
  }
  const keeper = options.db === undefined ? undefined : await createKeeper(options.db);
  try {
    const engine = createEngine({
      onChange(change) {
        keeper?.change(change);
        options.onChange?.(change);
      },
    });
    const { inputs, bad } =
      stores.length > 0
        ? await replay(stores[0]!, engine, options, keeper)
        : await read(paths, engine, options, keeper);
    // Asked for a moment within the capture, it ends there.
    engine.end(options.until === undefined ? Math.max(0, ...inputs.map(({ end }) => end ?? 0)) : undefined);
    const now = toReport(engine, inputs);
    // Of a store that let go of events, who had them all knew better, but of its end only.
    const report =
      engine.past === undefined || options.until !== undefined
        ? now
        : { ...engine.past.report, let_go: now.let_go, findings: now.findings, summary: now.summary };
    keeper?.finish(engine, report, bad);
    return { report, engine, bad };
  } finally {
    keeper?.close();
  }
}

interface Read {
  readonly inputs: readonly InputSummary[];
  readonly bad: readonly (readonly Bad[])[];
}

async function read(
  paths: readonly string[],
  engine: Engine,
  options: AnalyzeOptions,
  keeper: Keeper | undefined,
): Promise<Read> {
  const opened = await openInputs(paths, options.format);
  try {
    return await readAll(opened.members, engine, options, keeper);
  } finally {
    opened.close();
  }
}

async function readAll(
  members: readonly Member[],
  engine: Engine,
  options: AnalyzeOptions,
  keeper: Keeper | undefined,
): Promise<Read> {
  const placements = await alignCaptures(members);
  const captures: Capture[] = [];
  try {
    for (const [input, member] of members.entries())
      captures.push(await openCapture(member, input, placements[input]?.shift));
    let total = 0;
    merging: for await (const { input, items } of mergeCaptures(captures)) {
      for (const item of items) {
        if (options.until !== undefined && item.kind !== 'lost' && item.ts > options.until) break merging;
        engine.feed(item, input);
      }
      total += items.length;
      keeper?.events(items.filter((item) => item.kind !== 'lost'));
      options.onProgress?.(
        captures.map(({ progress }) => progress),
        total,
      );
    }
    for (const [input, { summary }] of captures.entries()) {
      if (placements[input]?.checked === true) continue;
      summary.reading = { ...summary.reading, unchecked: true };
    }
    return { inputs: captures.map(({ summary }) => summary), bad: captures.map((capture) => capture.bad) };
  } finally {
    for (const capture of captures) await capture.close();
  }
}

/** Events per transaction of the store that is kept of a replayed one. */
const BATCH = 10_000;

async function replay(
  path: string,
  engine: Engine,
  options: AnalyzeOptions,
  keeper: Keeper | undefined,
): Promise<Read> {
  const [{ openStore }, { replayStore }] = await Promise.all([
    import('../store/open-store.ts'),
    import('./replay.ts'),
  ]);
  const store = openStore(path);
  try {
    const past = store.past();
    if (past !== undefined) goOnFrom(past, path, engine, options);
    let batch: Event[] = [];
    replayStore(
      store,
      (item, input) => {
        engine.feed(item, input);
        if (item.kind === 'lost') return;
        batch.push(item);
        if (batch.length < BATCH) return;
        keeper?.events(batch);
        batch = [];
      },
      past?.seq,
      options.until,
    );
    keeper?.events(batch);
    return { inputs: store.inputs(), bad: store.bad() };
  } finally {
    store.close();
  }
}

function goOnFrom(past: Past, path: string, engine: Engine, { db, until }: AnalyzeOptions): void {
  if (until !== undefined && until < past.ns)
    throw new UserError(
      'usage',
      `${path} has let go of what was before ${past.ns / 1e9} s`,
      'ask for a later moment',
    );
  if (db !== undefined)
    throw new UserError(
      'usage',
      `${path} has let go of its oldest events, which a new store would not tell`,
      'copy the file',
    );
  engine.goOnFrom(past, true);
}

export function toReport(engine: Engine, inputs: readonly InputSummary[]): Report {
  const findings = [...engine.findings].sort(byWeight);
  const count = (severity: Finding['severity']) =>
    findings.filter((finding) => finding.severity === severity).length;
  return {
    schema: SCHEMA,
    tool: { name: 'modlife', version: version() },
    inputs: [...inputs],
    modules: engine.modules(),
    unloads: engine.unloads(),
    ...(engine.unloadsOmitted === 0 ? {} : { unloads_omitted: engine.unloadsOmitted }),
    ...(engine.past === undefined
      ? {}
      : { let_go: { events: engine.past.events, until_ns: engine.past.ns } }),
    passes: engine.passes(),
    findings,
    summary: { error: count('error'), warning: count('warning'), note: count('note') },
  };
}

const WEIGHT = { error: 0, warning: 1, note: 2 } as const;

function byWeight(a: Finding, b: Finding): number {
  return WEIGHT[a.severity] - WEIGHT[b.severity] || a.at.ns - b.at.ns;
}
