/**
 * Puts several captures of one boot on one clock. Tracers have clocks of their own (ftrace's local, perf's, mono), but
 * what more than one of them saw tells how far they are apart.
 */
import { stat } from 'node:fs/promises';
import { UserError } from '../model/errors.ts';
import type { Event, Nanoseconds } from '../model/event.ts';
import type { InputSummary, Offset } from '../model/report.ts';
import { openCapture } from './capture.ts';
import type { Member } from './capture-directory.ts';

/** Where an input's times go. */
export interface Shift extends Offset {
  readonly clock: InputSummary['clock'];
}

interface Placement {
  /** Absent for an input whose times stay. */
  readonly shift?: Shift | undefined;
  /** Whether some event shows that they may: another input has it, too. */
  readonly checked: boolean;
}

interface Survey {
  readonly path: string;
  readonly input: number;
  readonly clock: InputSummary['clock'];
  readonly kernel: string | undefined;
  /** A kernel log, whose clock may be off in any case. */
  readonly log: boolean;
  readonly lossy: boolean;
  /** When the events happened that another capture may have, too: by kind, task and module, in order. */
  readonly times: ReadonlyMap<string, Times>;
  /** Also of probed functions, and by CPU: another capture on the same clock has them unless it left out this kind of
   *  event, task, module, function or CPU. */
  readonly places: ReadonlyMap<string, Times>;
  readonly tasks: ReadonlySet<string>;
}

interface Times {
  /** All of them. */
  count: number;
  /** Of the first `MOST_TIMES`. */
  readonly first: Nanoseconds[];
}

/** Two tracers record one event one after the other; an interrupt, or an emulator's host, may come between. */
export const TWINS = 20e6;
/** Offsets agree within this; more is another event, or a clock that runs at another speed. */
const AGREE = 2e6;
/** Printed times are rounded to this. */
const ROUNDED = 1e3;
const MOST_KEYS = 1 << 14;
const MOST_TIMES = 64;
/** Of so many events that another capture should have, one is there by chance. */
const BY_CHANCE = 4;
/** Fewer events than this that another capture should have prove nothing. */
const ENOUGH = 8;

/**
 * By input. Reads files twice, and what cannot be read twice not at all.
 * @throws UserError 'unmergeable' when clocks differ and it is not certain by how much, or for captures of two boots
 */
export async function alignCaptures(members: readonly Member[]): Promise<readonly Placement[]> {
  // The files of a capture directory are on one clock already: the first stands for all.
  const first = members.map(({ known }, input) =>
    known === undefined ? input : members.findIndex((other) => other.known?.folder === known.folder),
  );
  const placements = await placeEach(
    members.map((member, input) => (first[input] === input ? member : undefined)),
  );
  return first.map((input) => placements[input]!);
}

async function placeEach(members: readonly (Member | undefined)[]): Promise<readonly Placement[]> {
  const placements: Placement[] = members.map(() => ({ checked: true }));
  if (members.filter((member) => member !== undefined).length < 2) return placements;
  const all: Survey[] = [];
  const beside: number[] = [];
  for (const [input, member] of members.entries()) {
    if (member === undefined) continue;
    const survey = (await isFile(member)) ? await surveyOf(member, input) : 'unread';
    if (survey === undefined) continue;
    if (survey === 'unread' || !survey.log) beside.push(input);
    if (survey !== 'unread') all.push(survey);
  }
  refuseTwoKernels(all);
  if (beside.length > 1) for (const input of beside) placements[input] = { checked: false };
  for (const log of all.filter((survey) => survey.log)) {
    const others = all.filter((survey) => survey !== log);
    const checked = others.length === 0 || others.some(({ tasks }) => haveCommon(tasks, log.tasks));
    placements[log.input] = { checked };
  }
  const surveys = all.filter((survey) => !survey.log);
  const reference = surveys.find(({ clock }) => clock === 'time') ?? surveys[0];
  if (reference === undefined) return placements;
  const placed = [reference];
  let open = surveys.filter((survey) => survey !== reference);
  for (let before = -1; before !== open.length; ) {
    before = open.length;
    open = open.filter((survey) => {
      for (const other of placed) {
        const placement = placeBeside(other, survey, placements[other.input]!.shift, reference.clock);
        if (placement === undefined) continue;
        placements[survey.input] = placement;
        placements[other.input] = { ...placements[other.input], checked: true };
        placed.push(survey);
        return false;
      }
      return true;
    });
  }
  const unmoved = surveys.filter(({ input }) => placements[input]!.shift === undefined);
  for (const survey of open) for (const other of unmoved) refuseTwoBoots(other, survey);
  return placements;
}

async function isFile({ path, file = path }: Member): Promise<boolean> {
  return (
    path !== '-' &&
    (await stat(file)
      .then((info) => info.isFile())
      .catch(() => false))
  );
}

/** @returns undefined for what tells of no moment */
async function surveyOf(member: Member, input: number): Promise<Survey | undefined> {
  const capture = await openCapture(member, input);
  const times = new Map<string, Times>();
  const places = new Map<string, Times>();
  const tasks = new Set<string>();
  for await (const items of capture.items) {
    for (const item of items) {
      if (item.kind === 'lost') continue;
      if (item.pid > 0 && tasks.size < MOST_KEYS) tasks.add(`${item.pid} ${item.comm}`);
      const key = keyOf(item);
      if (key !== undefined) note(times, key, item.ts);
      const what = key ?? functionOf(item);
      if (what !== undefined && item.cpu >= 0) note(places, `${item.cpu} ${what}`, item.ts);
    }
  }
  const { facts, summary } = capture;
  if (facts.preamble === true) return undefined;
  const { clock, kernel } = summary;
  const [log, lossy] = [facts.aside === true, summary.lost > 0];
  return { path: member.path, input, clock, kernel, log, lossy, times, places, tasks };
}

function note(times: Map<string, Times>, key: string, ts: Nanoseconds): void {
  const known = times.get(key);
  if (known === undefined) {
    if (times.size < MOST_KEYS) times.set(key, { count: 1, first: [ts] });
  } else if (known.count++ < MOST_TIMES) known.first.push(ts);
}

function functionOf(event: Event): string | undefined {
  if (event.kind !== 'function_entry' || event.fn.symbol === undefined || event.pid < 0) return undefined;
  return `${event.kind} ${event.pid} ${event.fn.symbol}`;
}

function haveCommon(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  for (const value of a) if (b.has(value)) return true;
  return false;
}

/** @throws UserError */
function refuseTwoKernels(surveys: readonly Survey[]): void {
  const a = surveys.find(({ kernel }) => kernel !== undefined);
  const b = surveys.find(({ kernel }) => kernel !== undefined && kernel !== a?.kernel);
  if (a === undefined || b === undefined) return;
  throw new UserError(
    'unmergeable',
    `cannot order ${a.path} (Linux ${a.kernel}) with ${b.path} (Linux ${b.kernel}): two kernels are two boots`,
    'give them one by one',
  );
}

/** What both record, where each has more of it before and after, both should have.
 *  @throws UserError when they have not */
function refuseTwoBoots(a: Survey, b: Survey): void {
  const [ofA, ofB] = [expectedIn(b, a), expectedIn(a, b)];
  // One may have recorded only while the other paused.
  if (ofA.times.length === 0 || ofB.times.length === 0) return;
  const times = [...ofA.times, ...ofB.times].sort((x, y) => x - y);
  if (times.length < ENOUGH) return;
  // With so many events some are at one time by chance; where some were lost, it is no chance that others are.
  const by = a.lossy || b.lossy ? Number.POSITIVE_INFINITY : BY_CHANCE;
  if ([ofA, ofB].some(({ shared, times }) => shared > 0 && shared * by > times.length)) return;
  const [from, to] = [times[0]!, times.at(-1)!].map((ns) => (ns / 1e9).toFixed(1));
  throw new UserError(
    'unmergeable',
    `${a.path} and ${b.path} have no events in common, although both cover ${from} to ${to} s: two boots, or two clocks?`,
    'give them one by one',
  );
}

/** Times of events of `survey` that `other` should have, too, and how many of them it has. */
function expectedIn(
  other: Survey,
  survey: Survey,
): { readonly times: Nanoseconds[]; readonly shared: number } {
  const times: Nanoseconds[] = [];
  let shared = 0;
  for (const [key, { first }] of survey.places) {
    const theirs = other.places.get(key)?.first;
    if (theirs === undefined) continue;
    for (const ts of first) {
      if (ts < theirs[0]! || ts > theirs.at(-1)!) continue;
      times.push(ts);
      if (theirs.some((their) => Math.abs(their - ts) <= TWINS)) shared++;
    }
  }
  return { times, shared };
}

function keyOf(event: Event): string | undefined {
  if (event.pid < 0) return undefined;
  switch (event.kind) {
    case 'module_load':
    case 'module_free':
    case 'module_get':
    case 'module_put':
      return `${event.kind} ${event.pid} ${event.module}`;
    case 'syscall_enter':
    case 'syscall_exit':
      return `${event.kind} ${event.pid} ${event.syscall}`;
    default:
      return undefined;
  }
}

interface Difference {
  readonly ns: Nanoseconds;
  readonly pid: string;
  /** A shell or a daemon does the same again and again; a task loads or frees a module once. */
  readonly once: boolean;
}

/** How much later each event is in `a` than in `b`, by size; of those only that both have equally often. */
function differences(a: Survey, b: Survey): Difference[] {
  const found: Difference[] = [];
  for (const [key, times] of b.times) {
    const others = a.times.get(key);
    if (others?.count !== times.count) continue;
    const [kind, pid] = key.split(' ', 2) as [string, string];
    const once = kind !== 'module_get' && kind !== 'module_put';
    for (const [index, ts] of times.first.entries()) found.push({ ns: others.first[index]! - ts, pid, once });
  }
  return found.sort((x, y) => x.ns - y.ns);
}

/** @param moved where `other` itself went
 *  @returns undefined when what they share shows nothing */
function placeBeside(
  other: Survey,
  survey: Survey,
  moved: Shift | undefined,
  clock: InputSummary['clock'],
): Placement | undefined {
  const all = differences(other, survey);
  if (all.length === 0 || survey.clock === 'ticks' || survey.clock === 'none') return undefined;
  const together = all.filter(({ ns }) => Math.abs(ns) <= TWINS);
  if (together.length * 2 > all.length) {
    return { shift: moved === undefined ? undefined : { ...moved, to: other.input }, checked: true };
  }
  const agreeing = largestCluster(all);
  if (tasks(agreeing) < 2 || agreeing.length * 2 <= all.length) {
    if (!all.some(({ once }) => once)) return undefined;
    throw disagreement(`${survey.path} with ${other.path}`, all);
  }
  const median = agreeing[agreeing.length >> 1]!.ns;
  const spread = Math.max(median - agreeing[0]!.ns, agreeing.at(-1)!.ns - median);
  const shift = {
    ns: (moved?.ns ?? 0) + median,
    uncertainty_ns: (moved?.uncertainty_ns ?? 0) + spread + ROUNDED,
    anchors: agreeing.length,
    to: other.input,
    clock,
  };
  return { shift, checked: true };
}

function disagreement(names: string, all: readonly Difference[]): UserError {
  if (tasks(all) < 2) {
    return new UserError(
      'unmergeable',
      `cannot order ${names}: their clocks differ, and no two tasks with events that both have show how much`,
      'analyze them one by one, or record both with trace_clock mono',
    );
  }
  const [first, last] = [all[0]!, all.at(-1)!].map(({ ns }) => `${(ns / 1e9).toFixed(6)} s`);
  return new UserError(
    'unmergeable',
    `cannot order ${names}: events that both have put their clocks ${first} to ${last} apart`,
    'analyze them one by one; the clocks run at different speeds, or it is not one boot',
  );
}

function largestCluster(sorted: readonly Difference[]): readonly Difference[] {
  let best: readonly Difference[] = [];
  for (let start = 0, end = 0; start < sorted.length; start++) {
    while (end < sorted.length && sorted[end]!.ns - sorted[start]!.ns <= AGREE) end++;
    if (end - start > best.length) best = sorted.slice(start, end);
  }
  return best;
}

function tasks(differences: readonly Difference[]): number {
  return new Set(differences.map(({ pid }) => pid)).size;
}
