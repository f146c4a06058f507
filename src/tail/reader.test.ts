/** Fed in any way, `tail` ends with what `analyze` says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UserError } from '../model/errors.ts';
import type { Report } from '../model/report.ts';
import { type TailLine, tailLineSchema } from '../model/tail-lines.ts';
import { analyze } from '../pipeline/analyze.ts';
import { createTailReader, type TailReader } from './reader.ts';

const folder = 'samples';
const samples = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(txt|json)$/.test(name) && !name.endsWith('.expected.txt'))
  .sort();

type Feed = (reader: TailReader, bytes: Buffer) => void;

/** Milliseconds between two lines: nobody waits for them here. */
const feeds: Readonly<Record<string, Feed>> = {
  whole: (reader, bytes) => reader.push(bytes, 0),
  'line by line': (reader, bytes) => {
    let start = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      reader.push(bytes.subarray(start, end + 1), 0);
      start = end + 1;
    }
    reader.push(bytes.subarray(start), 0);
  },
  'in 7-byte chunks': (reader, bytes) => {
    for (let at = 0; at < bytes.length; at += 7) reader.push(bytes.subarray(at, at + 7), 0);
  },
  // A stack is written with its event: what comes a second later is another record.
  'a record a second': (reader, bytes) => {
    let now = 0;
    for (const record of bytes.toString('latin1').split(/(?<=\n)(?! =>|\t|\n| {4}\S|[^\n]*<stack trace>)/)) {
      reader.push(Buffer.from(record, 'latin1'), now);
      now += 1000;
      while (reader.tick(now) !== undefined) now += 100;
    }
  },
};

function told(path: string, feed: Feed, format?: string): { report: Report; lines: TailLine[] } {
  const lines: TailLine[] = [];
  const reader = createTailReader({ path, format, tell: (line) => lines.push(line) });
  feed(reader, readFileSync(path));
  return { report: reader.end(false), lines };
}

/** What a report says, or why there is none. */
async function orRefusal<T>(work: () => T | Promise<T>): Promise<T | string> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message;
  }
}

describe.each(samples)('%s', (name) => {
  const path = join(folder, name);

  test('ends with the same report, however it comes', async () => {
    const whole = await orRefusal(async () => (await analyze([path])).report);
    for (const [how, feed] of Object.entries(feeds)) {
      expect(await orRefusal(() => told(path, feed).report), how).toEqual(whole);
    }
  });
});

test('every line is of the schema, and every finding of the report is told once', () => {
  for (const name of samples) {
    let lines: TailLine[];
    let report: Report;
    try {
      ({ lines, report } = told(join(folder, name), feeds['line by line']!));
    } catch {
      continue;
    }
    for (const line of lines) expect(tailLineSchema.parse(line)).toEqual(line);
    const findings = lines.flatMap((line) =>
      line.type === 'finding' && line.provisional !== true ? [line.finding] : [],
    );
    expect(findings).toHaveLength(report.findings.length);
    expect(new Set(findings)).toEqual(new Set(report.findings));
  }
});
