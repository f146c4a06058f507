/** The lines of the captures that findings point to, as they stand there. */
import { statSync } from 'node:fs';
import { collectors } from '../../collectors/index.ts';
import type { SourceLine } from '../model/dossier.ts';
import type { InputSummary, Report } from '../model/report.ts';
import { createLineSplitter } from '../pipeline/lines.ts';
import { openSource } from '../pipeline/source.ts';

/** Kept of one line: a record of a trace is shorter, what a damaged one holds need not be. */
const LONGEST = 1000;

/**
 * Reads the captures once more, up to the last line that is needed. What cannot be read twice, a pipe say, or has no
 * lines gives none; nor does a store, whose captures may have gone or changed since.
 * @param paths what was analyzed
 */
export async function sourceLines(
  paths: readonly string[],
  { inputs, findings }: Report,
  most: number,
): Promise<SourceLine[]> {
  const found: SourceLine[] = [];
  for (const [index, input] of inputs.entries()) {
    const { path, capture = path } = input;
    if (!paths.includes(capture) || !hasLines(input) || !canBeReadAgain(path)) continue;
    const wanted = new Set<number>();
    for (const { evidence } of findings.slice(0, most))
      for (const item of evidence) if (item.input === index) wanted.add(item.line);
    if (wanted.size > 0) found.push(...(await read(path, index, wanted)));
  }
  return found;
}

function hasLines({ format }: InputSummary): boolean {
  const collector = collectors.find(({ name }) => name === format);
  return collector !== undefined && 'createParser' in collector;
}

function canBeReadAgain(path: string): boolean {
  return path !== '-' && statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

async function read(path: string, input: number, wanted: ReadonlySet<number>): Promise<SourceLine[]> {
  const found: SourceLine[] = [];
  const last = Math.max(...wanted);
  const splitter = createLineSplitter((bytes, start, end, line) => {
    if (!wanted.has(line)) return;
    const text = bytes.toString('utf8', start, Math.min(end, start + LONGEST)).trimEnd();
    found.push({ input, line, text });
  });
  const { chunks } = await openSource(path);
  for await (const chunk of chunks) {
    splitter.push(chunk);
    if (splitter.lines >= last) return found;
  }
  splitter.end();
  return found;
}
