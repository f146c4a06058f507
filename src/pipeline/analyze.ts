/** Captures in, one Report out. */
import type { Event } from '../model/event.ts';
import type { Finding, Report } from '../model/report.ts';
import { SCHEMA } from '../model/schema-id.ts';
import { type Capture, openCapture } from './capture.ts';
import { createEngine, type Engine } from './engine.ts';
import { mergeCaptures } from './merge.ts';
import { version } from './package-root.ts';

export interface AnalyzeOptions {
  readonly format?: string | undefined;
  /** Sees each event once, numbered, in the order the ledger does: where a store is filled. */
  readonly onEvents?: ((events: readonly Event[]) => void) | undefined;
  readonly onProgress?: ((captures: readonly Capture[]) => void) | undefined;
}

export interface Analysis {
  readonly report: Report;
  readonly engine: Engine;
  readonly captures: readonly Capture[];
}

export async function analyze(paths: readonly string[], options: AnalyzeOptions = {}): Promise<Analysis> {
  const captures: Capture[] = [];
  for (const [input, path] of paths.entries()) captures.push(await openCapture(path, input, options.format));
  const engine = createEngine();
  for await (const { input, items } of mergeCaptures(captures)) {
    const events: Event[] = [];
    for (const item of items) {
      const event = engine.feed(item, input);
      if (event !== undefined) events.push(event);
    }
    if (events.length > 0) options.onEvents?.(events);
    options.onProgress?.(captures);
  }
  engine.end();
  return { report: toReport(engine, captures), engine, captures };
}

export function toReport(engine: Engine, captures: readonly Capture[]): Report {
  const findings = [...engine.findings].sort(byWeight);
  return {
    schema: SCHEMA,
    tool: { name: 'modlife', version: version() },
    inputs: captures.map(({ summary }) => summary),
    modules: engine.modules(),
    passes: engine.passes(),
    findings,
    summary: {
      error: findings.filter(({ severity }) => severity === 'error').length,
      warning: findings.filter(({ severity }) => severity === 'warning').length,
      note: findings.filter(({ severity }) => severity === 'note').length,
    },
  };
}

const WEIGHT = { error: 0, warning: 1, note: 2 } as const;

function byWeight(a: Finding, b: Finding): number {
  return WEIGHT[a.severity] - WEIGHT[b.severity] || a.at.ns - b.at.ns;
}
