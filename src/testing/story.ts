import { tracefs } from '../../collectors/tracefs/collector.ts';
import { createEngine } from '../pipeline/engine.ts';
import type { Item } from '../pipeline/settle.ts';

/**
 * Feeds tracefs records line by line and returns them with `-> finding` under the line that made it certain.
 * A line is `TASK-PID [CPU] FLAGS SECONDS: EVENT…`, indented as the reader likes; CPU and flags may be left out.
 */
export function story(records: string): string {
  const told: string[] = [];
  const engine = createEngine({
    onFinding: ({ severity, certainty, rule, module, title }) =>
      told.push(`  -> ${severity} ${certainty} ${rule} ${module}: ${title}`),
  });
  let items: Item[] = [];
  const parser = tracefs.createParser({
    event: (event) => items.push(event),
    lost: (lost) => items.push({ kind: 'lost', lost }),
    bad: ({ message, text }) => told.push(`  -> unreadable: ${message}: ${text}`),
    facts: () => {},
  });
  for (const [index, record] of records.trim().split('\n').entries()) {
    const line = record.trim();
    told.push(line);
    const bytes = Buffer.from(asPrinted(line));
    parser.line(bytes, 0, bytes.length, index + 1);
    for (const item of items) engine.feed(item, 0);
    items = [];
  }
  parser.end();
  told.push('the capture ends');
  engine.end();
  return told.join('\n');
}

/** The findings of that story alone. */
export function findingsOf(records: string): string[] {
  return story(records)
    .split('\n')
    .filter((line) => line.startsWith('  -> '));
}

/** Puts the dash where the kernel does, and fills in CPU 0 and task context. */
function asPrinted(line: string): string {
  const [, comm, pid, cpu = '[000]', flags = '.....', rest] =
    /^(.+?)-(\d+) +(?:(\[\d+\]) +)?(?:([.dDbXnNpsShHzZ\d]{4,5}) +)?(\d+\.\d+: .*)$/.exec(line) ?? [];
  if (comm === undefined) return line;
  const [seconds, fraction] = rest!.split(/[.:]/, 2) as [string, string];
  const time = `${seconds}.${fraction.padEnd(6, '0')}`;
  return `${comm.padStart(16)}-${pid!.padEnd(7)} ${cpu} ${flags} ${time}${rest!.slice(seconds.length + fraction.length + 1)}`;
}
