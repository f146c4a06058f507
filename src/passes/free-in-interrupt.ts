import type { Call } from '../lifetime/calls.ts';
import type { Change, Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Event } from '../model/event.ts';
import { callName, doubt, evidence, makeFinding, who } from './make-finding.ts';
import type { Pass } from './pass.ts';
import { releaseSign } from './release-method.ts';

export const freeInInterrupt: Pass = {
  rule: 'free-in-interrupt',
  needs: ['function_entry', 'function_return'],
  needsContext: true,
  record: 'entry and return probes on the release methods, with trace_options irq-info',
  start(ledger, report) {
    /** Destruction in interrupts, by function, until it is known whose it was. */
    const suspects = new Map<string, { call: Call; times: number }>();
    /** Told more than once: at entry, when it frees, and at its return, each time with more to go by. */
    const counted = new WeakSet<Call>();

    function suspect(call: Call): void {
      const key = `${call.entry.fn.module ?? ''} ${call.name} ${call.entry.context}`;
      const known = suspects.get(key);
      const isNew = !counted.has(call);
      counted.add(call);
      if (known === undefined) suspects.set(key, { call, times: 1 });
      else if (isNew) {
        known.times++;
        // A frame or a caller that names the kobject core tells more than a name.
        if ((known.call.frees?.length ?? 0) < (call.frees?.length ?? 0)) known.call = call;
      }
    }

    function judge(of: (call: Call) => Incarnation | undefined): void {
      for (const [key, { call, times }] of suspects) {
        const incarnation = of(call);
        if (incarnation === undefined) continue;
        suspects.delete(key);
        report(toFinding(ledger, incarnation, call, times));
      }
    }

    return {
      change(change: Change) {
        if (change.type === 'entered' || change.type === 'call-returned') {
          if (destroys(change.call, ledger)) suspect(change.call);
        } else if (change.type === 'freeing' && change.within !== undefined && isInterrupt(change.event)) {
          if (destroys(change.within, ledger)) suspect(change.within);
        } else if (change.type === 'freed') {
          judge((call) => (ledger.inTextOf(call, change.incarnation) ? change.incarnation : undefined));
        }
      },
      end() {
        judge((call) => ledger.incarnations.find((incarnation) => ledger.inTextOf(call, incarnation)));
      },
    };
  },
};

function isInterrupt(event: Event): boolean {
  return event.context === 'softirq' || event.context === 'hardirq' || event.context === 'nmi';
}

/** Does this call, in an interrupt, end an object of the module? */
function destroys(call: Call, ledger: Ledger): boolean {
  if (!isInterrupt(call.entry)) return false;
  const sign = releaseSign(call, ledger.files);
  if (sign === 'kobject core' || sign === 'argument') return true;
  // By name alone `foo_free` may be a callback that may free there; `foo_release`, or one that reaches vfree, is not.
  return sign === 'name' && (/_release$/.test(call.name) || (call.frees?.length ?? 0) > 0);
}

function toFinding(ledger: Ledger, incarnation: Incarnation, call: Call, times: number) {
  const { entry, frees, returned } = call;
  const sign = releaseSign(call, ledger.files);
  const unsure = doubt(ledger, incarnation, entry, entry);
  const where = entry.context === 'nmi' ? 'an NMI' : entry.context;
  return makeFinding({
    rule: 'free-in-interrupt',
    severity: unsure === undefined ? 'error' : 'note',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    incarnation,
    title: `${callName(call)} ran in ${where}${times === 1 ? '' : `, ${times} times`}`,
    detail: `The last reference was dropped in ${where} context on CPU ${entry.cpu}, on top of ${who(entry)}${frees === undefined ? '' : `, and reached ${[...new Set(frees.map(({ probe, fn }) => fn.symbol ?? probe))].join(', ')}`}. What destroys may sleep, and must not run there.${sign === 'name' ? ' That it is a release method is inferred from its name.' : ''}`,
    culprit: { symbol: call.name, code: call.late ? undefined : entry.fn, event: entry },
    evidence: [
      ...(call.parent === undefined ? [] : [evidence(`${callName(call.parent)} enters`, call.parent.entry)]),
      evidence(`${callName(call)} enters in ${where}`, entry),
      ...(frees ?? []).slice(0, 3).map((free) => evidence('frees memory', free)),
      ...(returned === undefined ? [] : [evidence(`${callName(call)} returns`, returned, returned.caller)]),
    ],
  });
}
