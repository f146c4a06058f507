/** References that should have been given back by now: told at once, and taken back when the put comes after all. */
import type { Change, Incarnation } from '../lifetime/changes.ts';
import type { Reference } from '../lifetime/references.ts';
import type { Finding } from '../model/report.ts';
import type { TailLine } from '../model/tail-lines.ts';
import { suspectedLeak } from '../passes/ref-leak.ts';

export interface Suspicions {
  change(change: Change): void;
  /** Takes back what did not come true. */
  end(findings: readonly Finding[]): void;
}

interface Suspicion {
  readonly incarnation: Incarnation;
  readonly references: Set<Reference>;
}

export function createSuspicions(tell: (line: TailLine) => void): Suspicions {
  const standing = new Map<string, Suspicion>();

  function suspect(incarnation: Incarnation, reference: Reference): void {
    const finding = suspectedLeak(incarnation, reference);
    if (finding === undefined) return;
    const known = standing.get(finding.fingerprint);
    if (known?.incarnation === incarnation) {
      known.references.add(reference);
      return;
    }
    standing.set(finding.fingerprint, { incarnation, references: new Set([reference]) });
    if (known === undefined) tell({ type: 'finding', provisional: true, finding });
  }

  function withdraw(fingerprint: string, { module }: Incarnation): void {
    standing.delete(fingerprint);
    tell({ type: 'withdrawn', fingerprint, module });
  }

  return {
    change(change) {
      if (change.type === 'missed-put') suspect(change.incarnation, change.reference);
      else if (change.type === 'given-back' && change.reference.missedBy !== undefined) {
        for (const [fingerprint, { incarnation, references }] of standing) {
          if (references.delete(change.reference) && references.size === 0)
            withdraw(fingerprint, incarnation);
        }
      } else if (change.type === 'freed') {
        // What an unload leaves behind is not kept from unloading: another rule speaks of it.
        for (const [fingerprint, { incarnation }] of standing)
          if (incarnation === change.incarnation) withdraw(fingerprint, incarnation);
      }
    },
    end(findings) {
      const confirmed = new Set(findings.map(({ fingerprint }) => fingerprint));
      for (const [fingerprint, { incarnation }] of standing)
        if (!confirmed.has(fingerprint)) withdraw(fingerprint, incarnation);
    },
  };
}
