/** Who holds a module, as the ledger stands. */
import type { Incarnation } from '../lifetime/changes.ts';
import type { Ledger } from '../lifetime/ledger.ts';
import type { Reference, TakingSite } from '../lifetime/references.ts';
import { type Family, placeName } from '../lifetime/sites.ts';
import type { Held, Holder, Moment, Place } from '../model/answers.ts';
import { UserError } from '../model/errors.ts';
import type { Event } from '../model/event.ts';
import type { InputSummary } from '../model/report.ts';
import { doubt } from '../passes/make-finding.ts';
import type { Analysis } from '../pipeline/analyze.ts';
import { nearest } from './nearest.ts';

const MEANS: Readonly<Record<Family, string>> = {
  file: 'an open file',
  dependency: 'a module that links to it',
  tracer: 'a tracer, while it attaches a probe',
  init: 'the loader, while init() runs',
  own: "the module's own code",
  foreign: 'another module',
  core: 'the core kernel',
  hidden: 'unknown, as the call site was hidden or is a bare address',
};

/** The load of `module` to speak of: the one that lives, or else the last that did.
 *  @throws UserError naming the modules that are in the capture */
export function findIncarnation(ledger: Ledger, module: string): Incarnation {
  const name = canonical(module);
  const all = ledger.incarnations.filter((incarnation) => canonical(incarnation.module) === name);
  const found = all.findLast(({ state }) => state !== 'freed') ?? all.at(-1);
  if (found !== undefined) return found;
  throw new UserError('usage', `no module ${module} in this capture`, modulesInWords(ledger, name));
}

/** `dm-mod` is how the file is called and dm_mod how the kernel calls it. */
function canonical(module: string): string {
  return module.replaceAll('-', '_').replace(/\.ko$/, '');
}

const NAMED = 8;

function modulesInWords(ledger: Ledger, wanted: string): string {
  const names = [...new Set(ledger.incarnations.map(({ module }) => module))];
  if (names.length === 0) return 'it mentions none';
  const near = nearest(wanted, names);
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
  const rest = names.length - NAMED;
  return `it mentions ${names.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function momentOf({ report }: Analysis, ns: number): Moment {
  return { ns, clock: report.inputs[0]?.clock ?? 'time' };
}

export function placeOf(
  inputs: readonly InputSummary[],
  { input, line }: { input: number; line: number },
): Place {
  return { input: inputs[input]?.path ?? '?', line };
}

/** @param most holders to tell one by one, oldest first */
export function heldAt(
  analysis: Analysis,
  incarnation: Incarnation,
  ns: number,
  most = Number.POSITIVE_INFINITY,
): Held {
  const { ledger } = analysis.engine;
  const { module, nth, state, count, references } = incarnation;
  const open = state === 'freed' ? [] : references.open();
  const users = state === 'freed' ? 0 : Math.max(0, count.users);
  const unseen = Math.max(0, users - open.length);
  return {
    module,
    incarnation: nth,
    state,
    moment: momentOf(analysis, ns),
    count: users,
    known: count.known,
    unseen,
    holders: open.slice(0, most).map((reference) => holderOf(analysis, incarnation, reference, ns)),
    doubts: doubtsOf(ledger, incarnation, users, open.length),
  };
}

function holderOf(analysis: Analysis, incarnation: Incarnation, reference: Reference, now: number): Holder {
  const { get, family, taker, within } = reference;
  const dependent =
    family === 'dependency' ? loadedNextBy(analysis.engine.ledger.incarnations, get) : undefined;
  const site = siteOf(incarnation, reference);
  return {
    site: placeName(taker),
    family,
    means: MEANS[family],
    ...(dependent === undefined ? {} : { dependent }),
    task: { comm: get.comm, pid: get.pid },
    cpu: get.cpu,
    context: get.context,
    since: get.ts,
    age: Math.max(0, now - get.ts),
    at: placeOf(analysis.report.inputs, get),
    ...(get.stack === undefined || get.stack.length === 0 ? {} : { stack: [...get.stack] }),
    ...(within === undefined || within.name === taker.symbol ? {} : { within: within.name }),
    sure: site === undefined || site.sameTask === site.puts,
  };
}

export function siteOf(incarnation: Incarnation, reference: Reference): TakingSite | undefined {
  for (const site of incarnation.references.sites.values()) if (site.open.has(reference)) return site;
  return undefined;
}

/** A dependency is taken while its dependent's symbols are resolved, by the task that then loads it. */
function loadedNextBy(incarnations: readonly Incarnation[], get: Event): string | undefined {
  let next: Incarnation | undefined;
  for (const incarnation of incarnations) {
    const { load } = incarnation;
    if (load === undefined || load.pid !== get.pid || load.seq < get.seq) continue;
    if (next === undefined || load.seq < next.load!.seq) next = incarnation;
  }
  return next?.module;
}

function doubtsOf(ledger: Ledger, incarnation: Incarnation, users: number, open: number): string[] {
  const doubts: string[] = [];
  const lost = doubt(ledger, incarnation, incarnation.first, undefined);
  if (lost !== undefined) doubts.push(lost);
  if (open > users)
    doubts.push(`by refcnt only ${users} of these ${open} are still out; the other puts went unseen`);
  return doubts;
}
