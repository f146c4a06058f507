/** Captures read for a command, with talk on stderr: progress while it lasts, and lines that could not be read. */
import type { Analysis, AnalyzeOptions } from '../pipeline/analyze.ts';
import type { Io } from './io.ts';

export async function read(paths: readonly string[], options: AnalyzeOptions, io: Io): Promise<Analysis> {
  const [{ analyze }, { createProgress }, { badLines }, { readingNotes }] = await Promise.all([
    import('../pipeline/analyze.ts'),
    import('./progress.ts'),
    import('../report/bad-lines.ts'),
    import('../report/reading-notes.ts'),
  ]);
  const progress = createProgress(io);
  let analysis: Analysis;
  try {
    analysis = await analyze(paths, { ...options, onProgress: progress.show });
  } finally {
    progress.erase();
  }
  const width = io.stderr.isTTY === true ? Math.min(120, io.stderr.columns || 80) : 80;
  io.stderr.write(readingNotes(analysis.report.inputs));
  io.stderr.write(badLines(analysis.report.inputs, analysis.bad, width));
  return analysis;
}
