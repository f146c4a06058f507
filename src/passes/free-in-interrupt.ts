import { type Call, functionName } from '../lifetime/calls.ts';
import type { Change, Incarnation } from '../lifetime/changes.ts';
import { deedOf, isInterrupt } from '../lifetime/interrupts.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import { bareSymbol, readFrame, runsRcuCallbacks } from '../lifetime/sites.ts';
import type { Code, Event, FaultEvent } from '../model/event.ts';
import { callName, doubt, evidence, makeFinding, taskOf } from './make-finding.ts';
import type { Pass } from './pass.ts';
import { framesOf, type ReleaseSign, releaseSign } from './release-method.ts';

/** What the kernel says of code that sleeps, or frees, where it must not. */
const COMPLAINT =
  /sleeping function called from invalid context|scheduling while atomic|kernel BUG at \S*mm\/vmalloc/;
/** In a stack, the frame below which lies what was interrupted. */
const BELOW_IS_INTERRUPTED =
  /^(asm_\w+|sysvec_\w+|(__)?irq_exit(_rcu)?|(__|___)?do_softirq(_own_stack)?|handle_softirqs|run_ksoftirqd|(asm_)?common_interrupt|exc_nmi|asm_exc_nmi|el1h?_\w+)$/;
/** Reports of the kernel that are kept, and deeds of one call. */
const COMPLAINTS = 64;
const HARMS = 16;
const UNSEEN =
  'nothing was seen in it that may sleep or must not run there; to free at once with kfree(), or to leave the rest to a work item, is right';

type Did = Extract<Change, { type: 'in-interrupt' }>;

/** Calls of one function in one kind of interrupt, until it is known whose it was. */
interface Suspect {
  readonly call: Call;
  /** What was done in it that must not be done there; empty for a release in which nothing was seen. */
  readonly harm: readonly Did['event'][];
  times: number;
}

/** A function that no probe told of: what it called, or a stack, did. */
interface Unprobed extends Pick<Did, 'event'> {
  readonly site: Code;
}

export const freeInInterrupt: Pass = {
  rule: 'free-in-interrupt',
  needs: ['function_entry', 'function_return', 'kernel_fault'],
  needsContext: true,
  record: 'entry and return probes on the release methods, with trace_options irq-info',
  start(ledger, report) {
    const suspects = new Map<string, Suspect>();
    const unprobed = new Map<string, Unprobed>();
    /** Calls that may turn out to be suspect, until they return or are replaced. */
    const open = new Map<string, Call>();
    const harms = new WeakMap<Call, Did['event'][]>();
    /** Calls that need no word: they left the rest to somebody else, or are told as what they called. */
    const explained = new WeakSet<Call>();
    const complaints: FaultEvent[] = [];
    /** Those that a call explains. */
    const told = new Set<FaultEvent>();

    function over(call: Call): void {
      const key = keyOf(call);
      if (open.get(key) === call) open.delete(key);
      const harm = harms.get(call) ?? [];
      const sign = releaseSign(call, ledger.files);
      const isSuspect =
        harm.length === 0
          ? !explained.has(call) && isRelease(call, sign)
          : sign !== undefined || (harm.some(isFree) && !isRcus(call));
      if (!isSuspect) return;
      const known = suspects.get(key);
      if (known === undefined || (known.harm.length === 0 && harm.length > 0))
        suspects.set(key, { call, harm, times: 1 });
      else if (known.harm.length === 0 || harm.length > 0) known.times++;
    }

    function did({ deed, event, within }: Did): void {
      const calls = [...outwards(within)];
      if (deed === 'fit') {
        for (const call of calls) explained.add(call);
        return;
      }
      const call = calls.find((call) => releaseSign(call, ledger.files) !== undefined) ?? within;
      if (call === undefined) {
        const site = deed === 'frees' ? callerOf(event) : undefined;
        if (site !== undefined)
          unprobed.set(`${site.module} ${site.symbol} ${event.context}`, { site, event });
      } else if (event.kind === 'function_entry') {
        harms.set(call, [...(harms.get(call) ?? []), event].slice(0, HARMS));
        if (!open.has(keyOf(call))) open.set(keyOf(call), call);
        for (const outer of calls) if (outer !== call) explained.add(outer);
      }
    }

    function judge(incarnation: Incarnation): void {
      const isOurs = (call: Call) => ledger.inTextOf(call, incarnation);
      for (const call of [...open.values()]) if (isOurs(call)) over(call);
      for (const [key, suspect] of suspects) {
        if (!isOurs(suspect.call)) continue;
        suspects.delete(key);
        const complaint = complaints.find((fault) => isAbout(fault, suspect.call));
        if (complaint !== undefined) told.add(complaint);
        report(toFinding(ledger, incarnation, suspect, complaint));
      }
      for (const [key, found] of unprobed) {
        const { site, event } = found;
        if (site.module !== incarnation.module || event.seq < incarnation.first.seq) continue;
        unprobed.delete(key);
        // Its stack comes behind it.
        if (callerOf(event) !== undefined) report(byCaller(ledger, incarnation, found));
      }
    }

    return {
      on: {
        entered({ call }) {
          if (!isInterrupt(call.entry) || releaseSign(call, ledger.files) === undefined) return;
          // No interrupt of its kind is nested on its CPU: the one before is over.
          const before = open.get(keyOf(call));
          if (before !== undefined) over(before);
          open.set(keyOf(call), call);
        },
        'call-returned'({ call }) {
          if (isInterrupt(call.entry)) over(call);
        },
        'in-interrupt': did,
        fault({ fault }) {
          if (complaints.length < COMPLAINTS && COMPLAINT.test(fault.message)) complaints.push(fault);
        },
        freed: ({ incarnation }) => judge(incarnation),
      },
      end() {
        for (const incarnation of ledger.incarnations) judge(incarnation);
        const stopped = new Map<string, { site: Code; fault: FaultEvent }>();
        for (const fault of complaints) {
          const site = isStoppedFree(fault) && !told.has(fault) ? callerOf(fault) : undefined;
          // Two files may hold the same report.
          if (site !== undefined) stopped.set(`${site.module} ${site.symbol}`, { site, fault });
        }
        for (const { site, fault } of stopped.values()) report(byComplaint(ledger, site, fault));
      },
    };
  },
};

function keyOf({ entry, name }: Call): string {
  return `${entry.fn.module ?? ''} ${name} ${entry.context}`;
}

/** By name alone `foo_free` may be a callback that may free there. */
function isRelease(call: Call, sign: ReleaseSign | undefined): boolean {
  return sign === 'kobject core' || sign === 'argument' || (sign === 'name' && /_release$/.test(call.name));
}

function isFree(event: Did['event']): boolean {
  return event.kind === 'function_entry' && deedOf(functionName(event), event.context) === 'frees';
}

/** RCU calls it, or what called it: memory is freed in such callbacks by design. */
function isRcus(call: Call): boolean {
  return [...outwards(call)].some(
    (outer) =>
      outer.isRcuCallback ||
      [outer.returned?.caller?.symbol ?? '', ...framesOf(outer)].some(runsRcuCallbacks),
  );
}

/** The call, its caller, its caller's caller … as far as they are probed. */
function* outwards(call: Call | undefined): Iterable<Call> {
  for (let at = call; at !== undefined; at = at.parent) yield at;
}

/** The function of a module that called what `event` tells of, unless RCU called that function. */
function callerOf(event: Event): Code | undefined {
  let site = event.kind === 'function_return' ? event.caller : undefined;
  for (const text of event.stack ?? []) {
    const frame = readFrame(text);
    if (frame === undefined) continue;
    if (runsRcuCallbacks(frame.symbol)) return undefined;
    if (BELOW_IS_INTERRUPTED.test(bareSymbol(frame.symbol))) break;
    if (frame.module !== undefined) site ??= { text, ...frame };
  }
  return site?.module === undefined || site.symbol === undefined ? undefined : site;
}

/** Does the kernel complain of this function, in an interrupt? */
function isAbout({ stack = [] }: FaultEvent, call: Call): boolean {
  const frames = stack.map((frame) => bareSymbol(readFrame(frame)?.symbol ?? ''));
  const at = frames.indexOf(call.name);
  return at >= 0 && frames.slice(at).some((frame) => BELOW_IS_INTERRUPTED.test(frame));
}

/** Was it freeing in an interrupt? What merely slept there need not have destroyed anything. */
function isStoppedFree(fault: FaultEvent): boolean {
  return isInterrupt(fault) && deedOf(bareSymbol(fault.at?.symbol ?? ''), fault.context) === 'frees';
}

/** Why what is seen to be done after the entry of `call` need not have been done in it. */
function unbounded({ name, returned, fault }: Call, harm: Suspect['harm']): string | undefined {
  if (returned !== undefined || fault !== undefined) return undefined;
  const isInStack = ({ stack = [] }: Did['event']) =>
    stack.some((frame) => bareSymbol(readFrame(frame)?.symbol ?? '') === name);
  return harm.some(isInStack)
    ? undefined
    : `${name}() was not seen to return, so this may have been done after it by something else`;
}

function toFinding(
  ledger: Ledger,
  incarnation: Incarnation,
  suspect: Suspect,
  complaint: FaultEvent | undefined,
) {
  const { call, harm, times } = suspect;
  const { entry, returned } = call;
  const sign = releaseSign(call, ledger.files);
  const isSeen = harm.length > 0 || complaint !== undefined;
  const unsure =
    doubt(ledger, incarnation, entry, harm.at(-1) ?? entry) ??
    (complaint !== undefined ? undefined : harm.length > 0 ? unbounded(call, harm) : UNSEEN);
  // That an object of the kobject core came to its end there is enough to look at; a name is not.
  const isLikely = unsure === UNSEEN && sign !== 'name';
  const where = place(entry);
  const reached = harm.length === 0 ? '' : `, and reached ${[...new Set(harm.map(shownName))].join(', ')}`;
  const byName = sign === 'name' ? ' That it is a release method is inferred from its name.' : '';
  return makeFinding({
    rule: 'free-in-interrupt',
    // What frees need not destroy; vfree() itself puts off what may sleep.
    severity:
      unsure === undefined && sign !== undefined
        ? 'error'
        : unsure === undefined || isLikely
          ? 'warning'
          : 'note',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    overturnedBy: isSeen ? undefined : 1,
    incarnation,
    title: `${callName(call)} ${sign === undefined ? 'freed memory' : 'ran'} in ${where}${times === 1 ? '' : `, ${times} times`}`,
    detail: `${sign === undefined ? 'It ran' : 'The last reference was dropped'} in ${where} context on CPU ${entry.cpu}, on top of ${taskOf(entry)}${reached}. What destroys may sleep, and must not run there.${byName}`,
    culprit: { symbol: call.name, code: call.late ? undefined : entry.fn, event: entry },
    evidence: [
      ...(call.parent === undefined ? [] : [evidence(`${callName(call.parent)} enters`, call.parent.entry)]),
      evidence(`${callName(call)} enters in ${where}`, entry),
      ...harm.slice(0, 3).map((event) => evidence(isFree(event) ? 'frees memory' : 'may sleep', event)),
      ...(complaint === undefined ? [] : [evidence(`the kernel complains: ${complaint.message}`, complaint)]),
      ...(returned === undefined ? [] : [evidence(`${callName(call)} returns`, returned, returned.caller)]),
    ],
  });
}

function byCaller(ledger: Ledger, incarnation: Incarnation, { site, event }: Unprobed) {
  const where = place(event);
  const unsure =
    doubt(ledger, incarnation, event, event) ??
    (event.stack === undefined
      ? 'without a stack it may be an RCU callback, which may free there'
      : undefined);
  return makeFinding({
    rule: 'free-in-interrupt',
    severity: unsure === undefined ? 'warning' : 'note',
    certainty: unsure === undefined ? 'observed' : 'possible',
    because: unsure,
    incarnation,
    title: `${site.symbol}() freed memory in ${where}`,
    detail: `It called ${shownName(event)} in ${where} context on CPU ${event.cpu}, on top of ${taskOf(event)}. What destroys may sleep, and must not run there.`,
    culprit: { code: site, event },
    evidence: [evidence('frees memory', event)],
  });
}

/** The kernel itself found it, and its stack says who had called what must not run there. */
function byComplaint(ledger: Ledger, site: Code, fault: FaultEvent) {
  const module = site.module!;
  const incarnation = ledger.incarnations.findLast(
    (each) => each.module === module && each.first.seq < fault.seq,
  );
  return makeFinding({
    rule: 'free-in-interrupt',
    severity: 'error',
    certainty: 'observed',
    incarnation: incarnation ?? { module, nth: 1 },
    title: `the kernel complains of ${site.symbol}() in ${place(fault)}, which called ${fault.at!.symbol}()`,
    detail: `It reports: ${fault.message}, on CPU ${fault.cpu}, on top of ${taskOf(fault)}. What destroys may sleep, and must not run there.`,
    culprit: { code: site, event: fault },
    evidence: [evidence(`the kernel complains: ${fault.message}`, fault)],
  });
}

function place({ context }: Event): string {
  return context === 'nmi' ? 'an NMI' : context;
}

function shownName(event: Did['event']): string {
  if (event.kind === 'function_entry') return event.fn.symbol ?? event.probe;
  return event.kind === 'function_return' ? (event.fn.symbol ?? event.probe) : event.kind;
}
