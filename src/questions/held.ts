/** Who holds a module, as it stands. */
import type { Held, Holder, Moment, Place } from '../model/answers.ts';
import { UserError } from '../model/errors.ts';
import type { InputSummary, ModuleSummary } from '../model/report.ts';
import type { HolderKind, OpenReference, Standing } from '../model/standing.ts';
import { nearest } from './nearest.ts';

const MEANS: Readonly<Record<HolderKind, string>> = {
  file: 'an open file',
  dependency: 'a module that links to it',
  tracer: 'a tracer, while it attaches a probe',
  init: 'the loader, while init() runs',
  own: "the module's own code",
  foreign: 'another module',
  gone: 'a module that has been freed since',
  core: 'the core kernel',
  hidden: 'unknown, as the call site was hidden or is a bare address',
};

/** The name of `module` as the capture has it.
 *  @throws UserError naming the modules that are in the capture */
export function findModule(modules: readonly ModuleSummary[], module: string): string {
  const name = canonical(module);
  const all = modules.filter((candidate) => canonical(candidate.module) === name);
  const found = all.findLast(({ state }) => state !== 'freed') ?? all.at(-1);
  if (found !== undefined) return found.module;
  throw new UserError('usage', `no module ${module} in this capture`, inWords(modules, name));
}

/** `dm-mod` is how the file is called and dm_mod how the kernel calls it. */
function canonical(module: string): string {
  return module.replaceAll('-', '_').replace(/\.ko$/, '');
}

const NAMED = 8;

function inWords(modules: readonly ModuleSummary[], wanted: string): string {
  const names = modules.map(({ module }) => module);
  if (names.length === 0) return 'it mentions none';
  const near = nearest(wanted, names);
  if (near.length > 0) return `did you mean ${near.join(' or ')}?`;
  const rest = names.length - NAMED;
  return `it mentions ${names.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

export function placeOf(
  inputs: readonly InputSummary[],
  { input, line }: { input: number; line: number },
): Place {
  return { input: inputs[input]?.path ?? '?', line };
}

export function held(standing: Standing, ns: number, inputs: readonly InputSummary[]): Held {
  const { module, nth, state, count, known, out, open } = standing;
  const moment: Moment = { ns, clock: inputs[0]?.clock ?? 'time' };
  return {
    module,
    incarnation: nth,
    state,
    moment,
    count,
    known,
    unseen: Math.max(0, count - out),
    holders: open.map((reference) => holderOf(reference, ns, inputs)),
    doubts: doubtsOf(standing),
  };
}

function holderOf(reference: OpenReference, now: number, inputs: readonly InputSummary[]): Holder {
  const { get, family, place, dependent, within } = reference;
  return {
    site: place.name,
    family,
    means: MEANS[family],
    ...(dependent === undefined ? {} : { dependent }),
    task: { comm: get.comm, pid: get.pid },
    cpu: get.cpu,
    context: get.context,
    since: get.ts,
    age: Math.max(0, now - get.ts),
    at: placeOf(inputs, get),
    ...(get.stack === undefined || get.stack.length === 0 ? {} : { stack: [...get.stack] }),
    ...(within === undefined ? {} : { within }),
    sure: place.sameTask === place.puts,
  };
}

function doubtsOf({ doubt, count, out }: Standing): string[] {
  const doubts = doubt === undefined ? [] : [doubt];
  if (out > count)
    doubts.push(`by refcnt only ${count} of these ${out} are still out; the other puts went unseen`);
  return doubts;
}
