/** Names that links go by, and how places in a capture are written. */
import { fingerprint } from '../../model/fingerprint.ts';
import type { Finding, InputSummary } from '../../model/report.ts';
import { clockTime } from '../layout.ts';

export function findingId({ fingerprint }: Finding): string {
  return `finding-${fingerprint}`;
}

/** Readable where the name is that of a real module; a damaged trace may say anything. */
export function moduleId(module: string): string {
  return `module-${/^[\w-]{1,64}$/.test(module) ? module : fingerprint([module])}`;
}

export function pathName(path: string): string {
  return path === '-' ? 'stdin' : path;
}

export function timeOf(ns: number, inputs: readonly InputSummary[], input = 0): string {
  return clockTime(ns, inputs[input]?.clock ?? 'time');
}

/** `351`, or with its file where there are several. */
export function lineOf({ input, line }: { input: number; line: number }, inputs: readonly InputSummary[]) {
  return inputs.length > 1 ? `${pathName(inputs[input]?.path ?? '?')}:${line}` : `line ${line}`;
}
