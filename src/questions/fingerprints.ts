/** Findings of one run found again in another: the same fingerprint twice is two findings. */
import type { Finding } from '../model/report.ts';

export interface Matcher {
  /** The finding most like it that is not taken yet, which is taken unless `leave` is given. */
  take(finding: Finding, leave?: 'leave'): Finding | undefined;
  /** Those not taken. */
  rest(): readonly Finding[];
}

export function createMatcher(findings: readonly Finding[]): Matcher {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const group = groups.get(finding.fingerprint);
    if (group === undefined) groups.set(finding.fingerprint, [finding]);
    else group.push(finding);
  }
  return {
    take({ fingerprint, severity, certainty }, leave) {
      const group = groups.get(fingerprint) ?? [];
      // The same bug may stand there once as seen and once as possible.
      const like = group.findIndex((other) => other.severity === severity && other.certainty === certainty);
      const at = Math.max(0, like);
      return leave === undefined ? group.splice(at, 1)[0] : group[at];
    },
    rest: () => [...groups.values()].flat(),
  };
}
