/** Names that links go by, and how places in a capture are written. */
import { fingerprint } from '../../model/fingerprint.ts';
import type { Finding, InputSummary } from '../../model/report.ts';
import { clockTime } from '../layout.ts';

/** What links to a finding, and lists, go by. */
export type IdOf = (finding: Finding) => string;

/** A fingerprint tells kinds of findings apart; of several of a kind the first has the plain link. */
export function findingIds(findings: readonly Finding[]): IdOf {
  const times = new Map<string, number>();
  const ids = new Map<Finding, string>();
  for (const finding of findings) {
    const nth = (times.get(finding.fingerprint) ?? 0) + 1;
    times.set(finding.fingerprint, nth);
    ids.set(finding, `finding-${finding.fingerprint}${nth === 1 ? '' : `-${nth}`}`);
  }
  return (finding) => ids.get(finding)!;
}

/** Readable where the name is that of a real module; a damaged trace may say anything. */
export function moduleId(module: string): string {
  return `module-${/^[\w-]{1,64}$/.test(module) ? module : fingerprint([module])}`;
}

export function pathName(path: string): string {
  return path === '-' ? 'stdin' : path;
}

function baseName(path: string): string {
  return pathName(path).replace(/^.*\//, '');
}

export function timeOf(ns: number, inputs: readonly InputSummary[], input = 0): string {
  return clockTime(ns, inputs[input]?.clock ?? 'time');
}

/** `line 351`; where there are several captures, the name of its file instead of the word. */
export function lineOf({ input, line }: { input: number; line: number }, inputs: readonly InputSummary[]) {
  return inputs.length > 1 ? `${baseName(inputs[input]?.path ?? '?')}:${line}` : `line ${line}`;
}
