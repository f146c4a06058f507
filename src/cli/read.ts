/** Captures read for a command, with talk on stderr: progress while it lasts, and lines that could not be read. */
import type { Bad } from '../model/collector.ts';
import type { InputSummary } from '../model/report.ts';
import type { Analysis, AnalyzeOptions } from '../pipeline/analyze.ts';
import type { Io } from './io.ts';

interface ReadOptions extends AnalyzeOptions {
  /** Whether --strict was given, where there is such an option. */
  readonly strict?: boolean;
}

export async function read(
  paths: readonly string[],
  { strict, ...options }: ReadOptions,
  io: Io,
): Promise<Analysis> {
  const [{ analyze }, { createProgress }] = await Promise.all([
    import('../pipeline/analyze.ts'),
    import('./progress.ts'),
  ]);
  const progress = createProgress(io);
  let analysis: Analysis;
  try {
    analysis = await analyze(paths, { ...options, onProgress: progress.show });
  } finally {
    progress.erase();
  }
  await tellReading(analysis.report.inputs, analysis.bad, io, strict);
  return analysis;
}

/** What there is to say of captures that were read, on stderr. */
export async function tellReading(
  inputs: readonly InputSummary[],
  bad: readonly (readonly Bad[])[],
  io: Io,
  strict?: boolean,
): Promise<void> {
  const [{ badLines }, { readingNotes }] = await Promise.all([
    import('../report/bad-lines.ts'),
    import('../report/reading-notes.ts'),
  ]);
  const width = io.stderr.isTTY === true ? Math.min(120, io.stderr.columns || 80) : 80;
  io.stderr.write(readingNotes(inputs));
  io.stderr.write(badLines(inputs, bad, width, strict));
}
