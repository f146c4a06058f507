/** An unload as evidence, and what else happened around it, in the order of time. */
import type { Unload } from '../lifetime/changes.ts';
import type { Evidence } from '../model/report.ts';
import type { Freed } from './in-flight.ts';
import { callName, evidence } from './make-finding.ts';

/** Nothing where the free is all that was seen of it, and after a failed init, which no unload precedes. */
export function unloadBegins({ start, free }: Unload): Evidence[] {
  return start === free ? [] : [evidence('the unload begins', start)];
}

/** How the unload went, as evidence: what every story here shares. */
export function unloadStory({ unload }: Pick<Freed, 'unload'>): Evidence[] {
  return [
    ...unloadBegins(unload),
    ...(unload.exit === undefined ? [] : [evidence(`${callName(unload.exit)} enters`, unload.exit.entry)]),
    ...(unload.exit?.returned === undefined
      ? []
      : [evidence(`${callName(unload.exit)} returns`, unload.exit.returned)]),
    evidence('the text is freed', unload.free!),
  ];
}

export function inOrder(...parts: Evidence[][]): Evidence[] {
  const seen = new Set<string>();
  return parts
    .flat()
    .filter(({ input, line }) => !seen.has(`${input}:${line}`) && seen.add(`${input}:${line}`))
    .sort((a, b) => a.ns - b.ns || a.line - b.line);
}
