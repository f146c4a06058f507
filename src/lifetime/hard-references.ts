/** Gets and puts: what they do to the count, whose reference they take or give back, and gets that failed. */
import type {
  Code,
  DeferredEvent,
  Event,
  FunctionEntryEvent,
  FunctionReturnEvent,
  ModuleRefEvent,
} from '../model/event.ts';
import type { PastReference } from '../model/past.ts';
import type { Family } from '../model/standing.ts';
import { moduleArgument, returnValue } from './arguments.ts';
import { type Call, type CallTracker, isPrintedAs, placeOf } from './calls.ts';
import { createCarriers } from './carriers.ts';
import type { Change, FailedGet, Incarnation } from './changes.ts';
import type { Gap } from './count.ts';
import { createExtraPuts } from './extra-puts.ts';
import type { FileTracker } from './files.ts';
import { type Incarnations, identify } from './incarnations.ts';
import type { Reference } from './references.ts';
import { callsCallbacks, familyOf, isWrapper, placeName, readFrame } from './sites.ts';
import { nearestAbove, ownerNow } from './text-owner.ts';

export interface HardReferences {
  /** This reference was taken before anything else that is told, and is still out. */
  carried(reference: PastReference): void;
  event(event: ModuleRefEvent): void;
  /** A timer or work item that may give something back. */
  deferred(event: DeferredEvent): void;
  /** try_module_get was entered. */
  attempted(event: FunctionEntryEvent): void;
  /** try_module_get returned. */
  attemptReturned(event: FunctionReturnEvent): void;
  /** Anything else that happens in a task shows that its attempt is over. */
  observe(event: Event): void;
  /** A function in module text was entered: did what called it take something before? */
  callEntered(call: Call): void;
  /** A function in module text returned: should it have given something back? */
  callReturned(call: Call): void;
}

/** Tasks of which is remembered what they did last: a get that failed until a put asks for it, one that succeeded until
 *  its call goes on. */
const TASKS = 1 << 14;

export function createHardReferences(
  incarnations: Incarnations,
  calls: CallTracker,
  files: FileTracker,
  tell: (change: Change) => void,
): HardReferences {
  const { current } = incarnations;
  const attempts = new Map<string | number, FunctionEntryEvent>();
  const failed = new Map<string, FailedGet>();
  const places = new Map<string, Code>();
  /** Functions that gave references back, and whose. */
  const givers = new Map<string, Set<Incarnation>>();
  const carriers = createCarriers();
  /** The latest that a call took, by where it runs, until it is seen what that call does next. */
  const justTaken = new Map<string | number, { incarnation: Incarnation; reference: Reference }>();
  const extraPuts = createExtraPuts();

  /** What the kernel adds to the references out: the base, and the loader's hold while init() runs. */
  function baseOf(incarnation: Incarnation): number {
    if (incarnation.state === 'coming') return 2;
    return incarnation.state === 'going' ? 0 : 1;
  }

  /** The place that took or dropped, and its family. */
  function actor(event: ModuleRefEvent, within: Call | undefined): { code: Code; family: Family } {
    const shown = behind(event, within);
    if (within === undefined || !callsCallbacks(shown.code)) return shown;
    // The callback ended with a jump to module_put(), which returns to what called the callback.
    const code = placeOfCall(within);
    return { code, family: familyOf(code, event.module) };
  }

  /** The same by call site and stack, looking behind what hides it. */
  function behind(event: ModuleRefEvent, within: Call | undefined): { code: Code; family: Family } {
    const family = familyOf(event.callSite, event.module);
    if (family !== 'hidden' && !isWrapper(event.callSite)) return { code: event.callSite, family };
    const [frame, above] = callerFrames(event);
    const isInit = above !== undefined && readFrame(above)?.symbol === 'do_one_initcall';
    const framed = frame === undefined || isInit ? undefined : placeOfFrame(frame, within);
    const called = framed ?? (within === undefined ? undefined : placeOfCall(within));
    const code = called ?? (isInit || isWrapper(event.callSite) ? placeOfInit(event, frame) : undefined);
    if (code !== undefined) return { code, family: familyOf(code, event.module) };
    const address = event.callSite.address;
    const owner = address === undefined ? undefined : nearestAbove(BigInt(address), [...current.values()]);
    return { code: event.callSite, family: owner?.module === event.module ? 'own' : family };
  }

  /** The init function that this task is in. Its text is discarded when it is over, so a name that was looked up later
   *  is that of something else unless its module is the right one. */
  function placeOfInit(event: ModuleRefEvent, frame: string | undefined): Code | undefined {
    const loading = [...current.values()].find(
      ({ state, load }) => state === 'coming' && load?.pid === event.pid,
    );
    const read = frame === undefined ? undefined : readFrame(frame);
    if (loading === undefined) return read === undefined ? undefined : place(read.symbol, read.module);
    const { module } = loading;
    if (read?.module === module) return place(read.symbol, module);
    const text = `init of ${module}`;
    const code = places.get(text) ?? { text, module };
    places.set(text, code);
    return code;
  }

  function placeOfFrame(frame: string, within: Call | undefined): Code | undefined {
    const read = readFrame(frame);
    if (read === undefined) return undefined;
    // Without sym-offset a frame is printed without its module; the enclosing call may tell it.
    return within?.name === read.symbol ? placeOfCall(within) : place(read.symbol, read.module);
  }

  function placeOfCall(call: Call): Code {
    const owner = ownerNow(call, current.values());
    return place(call.name, owner?.module, owner === undefined ? call.entry.fn.address : undefined);
  }

  /** @param address of text whose owner is not known, or not yet */
  function place(symbol: string, module: string | undefined, address?: string): Code {
    const text = module === undefined ? symbol : `${symbol} [${module}]`;
    const key = address === undefined ? text : `${text} ${address}`;
    let code = places.get(key);
    if (code === undefined) {
      code = {
        text,
        symbol,
        ...(module === undefined ? {} : { module }),
        ...(address === undefined ? {} : { address }),
      };
      places.set(key, code);
    }
    return code;
  }

  function reference(told: ModuleRefEvent): void {
    const within = calls.current(told);
    const event =
      within !== undefined && isPrintedAs(within, told.callSite)
        ? { ...told, callSite: placeOfCall(within) }
        : told;
    const incarnation = incarnations.of(event.module, event, event.kind === 'module_get');
    if (incarnation.maxRefcnt === undefined || event.refcnt > incarnation.maxRefcnt)
      incarnation.maxRefcnt = event.refcnt;
    for (let call = within; call !== undefined; call = call.parent) {
      call.net ??= new Map();
      call.net.set(event.module, (call.net.get(event.module) ?? 0) + (event.kind === 'module_get' ? 1 : -1));
    }
    if (event.kind === 'module_get') taken(event, incarnation, within);
    else dropped(event, incarnation, within);
  }

  function taken(event: ModuleRefEvent, incarnation: Incarnation, within: Call | undefined): void {
    const attempt = attempts.get(placeOf(event));
    attempts.delete(placeOf(event));
    // It may be the first that is told of this load.
    if (attempt !== undefined && moduleArgument(attempt, current) === event.module)
      identify(incarnation, attempt);
    incarnation.gets++;
    const usersBefore = incarnation.count.users;
    counted(event, incarnation, 1);
    const { code, family } = actor(event, within);
    if (code.symbol !== undefined && family !== 'file') files.tookIn(event.pid, code.symbol);
    const reference = incarnation.references.take(event, code, family, within);
    if (within !== undefined) {
      // A call whose return goes unseen leaves one behind.
      if (justTaken.size >= TASKS) justTaken.clear();
      justTaken.set(placeOf(event), { incarnation, reference });
    }
    tell({ type: 'taken', incarnation, reference, usersBefore });
  }

  function carried({ get, family, taker }: PastReference): void {
    const incarnation = incarnations.of(get.module, get, true);
    incarnation.gets++;
    const usersBefore = incarnation.count.users;
    incarnation.count.carried();
    const code = taker?.symbol === undefined ? actor(get, undefined).code : place(taker.symbol, taker.module);
    const reference = incarnation.references.take(
      get,
      code,
      family === 'gone' ? 'foreign' : family,
      undefined,
    );
    tell({ type: 'taken', incarnation, reference, usersBefore });
  }

  function dropped(event: ModuleRefEvent, incarnation: Incarnation, within: Call | undefined): void {
    incarnation.puts++;
    const { code, family } = actor(event, within);
    if (family === 'init' || (incarnation.state === 'coming' && isLoadersOwn(event, incarnation, family))) {
      // Where the load went unseen, its hold was taken for somebody's reference.
      const wasCounted = incarnation.state !== 'coming' && incarnation.count.unseen > 0;
      incarnation.initDone = event;
      incarnation.state = 'live';
      counted(event, incarnation, wasCounted ? -1 : 0);
      if (wasCounted) incarnation.count.unseenGivenBack();
      return;
    }
    const usersBefore = incarnation.count.users;
    const failedGet = failedBefore(event);
    const told = {
      type: 'unmatched-put',
      incarnation,
      put: event,
      dropper: code,
      family,
      within,
      failedGet,
      usersBefore,
    } as const;
    const carried = carriers.at(event);
    const back =
      failedGet !== undefined && family !== 'file' && incarnation.references.newestOf(event.pid) === undefined
        ? undefined
        : incarnation.references.giveBack(event, code, family, carried);
    if (back !== undefined) {
      counted(event, incarnation, -1);
      if (back !== carried) extraPuts.gaveBack(back, told);
      if (code.symbol !== undefined && family !== 'file') noteGiver(code.symbol, incarnation);
      tell({ type: 'given-back', incarnation, reference: back, usersAfter: incarnation.count.users, within });
      return;
    }
    const robbing = failedGet === undefined ? extraPuts.robbing(told) : undefined;
    if (
      failedGet === undefined &&
      robbing === undefined &&
      (!incarnation.count.known || incarnation.count.unseen > 0)
    ) {
      counted(event, incarnation, -1);
      incarnation.count.unseenGivenBack();
      return;
    }
    if (incarnation.count.gaveBackCounted(event, baseOf(incarnation))) {
      // The count was as high before the put as ours is after it: the get is what is missing.
      const gap: Gap = { delta: 1, after: incarnation.count.agreed, before: event };
      incarnation.gap ??= gap;
      tell({ type: 'gap', incarnation, gap });
      return;
    }
    // The kernel does not decrement past zero: such a put warns and changes nothing.
    counted(event, incarnation, event.refcnt === 0 && usersBefore <= 0 ? 0 : -1);
    tell(robbing ?? { ...told, robbed: undefined });
  }

  /** What the calls that this task is in took last, and gave nobody to give back. */
  function takenWithin(event: Event): Reference | undefined {
    const around = new Set<Call>();
    for (let call = calls.current(event); call !== undefined; call = call.parent) around.add(call);
    if (around.size === 0) return undefined;
    let newest: Reference | undefined;
    for (const { references } of current.values()) {
      const taken = references.newestOf(
        event.pid,
        ({ within, carrier }) => carrier === undefined && within !== undefined && around.has(within),
      );
      if (taken !== undefined && taken.get.seq > (newest?.get.seq ?? 0)) newest = taken;
    }
    return newest;
  }

  function noteGiver(symbol: string, incarnation: Incarnation): void {
    const known = givers.get(symbol);
    if (known === undefined) givers.set(symbol, new Set([incarnation]));
    else known.add(incarnation);
  }

  /** On kernels and builds that print another symbol, the loader's put is known by who does it and when. */
  function isLoadersOwn(event: ModuleRefEvent, incarnation: Incarnation, family: Family): boolean {
    return (
      (family === 'hidden' || family === 'core') &&
      event.pid === incarnation.load?.pid &&
      incarnation.references.newestOf(event.pid) === undefined
    );
  }

  function counted(event: ModuleRefEvent, incarnation: Incarnation, step: 1 | -1 | 0): void {
    const gap = incarnation.count.apply(event, step, baseOf(incarnation));
    if (gap === undefined) return;
    incarnation.gap ??= gap;
    tell({ type: 'gap', incarnation, gap });
  }

  /** A call of a function that gives references back elsewhere in this capture returned and gave none. */
  function missedPut(call: Call): void {
    const candidates = givers.get(call.name);
    for (const incarnation of candidates ?? []) {
      if (incarnation.state === 'freed') {
        candidates!.delete(incarnation);
        continue;
      }
      if ((call.net?.get(incarnation.module) ?? 0) !== 0) continue;
      const held = incarnation.references.newestOf(
        call.entry.pid,
        ({ get, missedBy, taker }) =>
          get.seq < call.entry.seq && missedBy === undefined && gaveBack(incarnation, taker, call.name),
      );
      if (held === undefined) continue;
      held.missedBy = call;
      tell({ type: 'missed-put', incarnation, reference: held });
    }
  }

  /** The call `within`, which took something, calls a function named `next` or returns: ''. */
  function wentOn(within: Call | undefined, place: string | number, next: string): void {
    const taken = justTaken.get(place);
    if (taken === undefined || taken.reference.within !== within) return;
    justTaken.delete(place);
    taken.incarnation.references.wentOn(taken.reference, next);
  }

  function gaveBack(incarnation: Incarnation, taker: Code, giver: string): boolean {
    const site = incarnation.references.sites.get(placeName(taker));
    return site !== undefined && [...site.partners.keys()].some(({ symbol }) => symbol === giver);
  }

  /** The get that failed where `put` happens, asked for once. */
  function failedBefore(put: ModuleRefEvent): FailedGet | undefined {
    if (failed.size === 0) return undefined;
    const key = `${placeOf(put)} ${put.module}`;
    const get = failed.get(key);
    failed.delete(key);
    return get;
  }

  function failGet(attempt: FunctionEntryEvent): void {
    attempts.delete(placeOf(attempt));
    const module = moduleArgument(attempt, current);
    if (module === undefined) return;
    // Most failures are dealt with properly, and no put ever asks for them.
    if (failed.size >= TASKS) failed.clear();
    failed.set(`${placeOf(attempt)} ${module}`, { attempt });
  }

  return {
    event: reference,
    carried,
    deferred: (event) => carriers.event(event, takenWithin),
    attempted: (event) => attempts.set(placeOf(event), event),
    attemptReturned(event) {
      const attempt = attempts.get(placeOf(event));
      if (attempt !== undefined && returnValue(event) === 0n) failGet(attempt);
    },
    observe(event) {
      if (attempts.size === 0) return;
      // try_module_get reports success before anything else can happen in its task.
      const attempt = attempts.get(placeOf(event));
      if (attempt === undefined) return;
      const succeeded = event.kind === 'module_get' && event.module === moduleArgument(attempt, current);
      const returned = event.kind === 'function_return' && event.fn.symbol === 'try_module_get';
      if (!succeeded && !returned) failGet(attempt);
    },
    callEntered: (call) => wentOn(call.parent, placeOf(call.entry), call.name),
    callReturned(call) {
      wentOn(call, placeOf(call.entry), '');
      missedPut(call);
    },
  };
}

/** From the frame that called try_module_get or module_put, or what does so for others; it may be a bare address. */
function callerFrames(event: ModuleRefEvent): readonly string[] {
  const stack = event.stack ?? [];
  const at = stack.findIndex((frame) =>
    /^(__)?(try_)?module_(get|put)$/.test(readFrame(frame)?.symbol ?? ''),
  );
  const outside = stack.slice(at + 1);
  const first = outside.findIndex((frame) => {
    const code = readFrame(frame);
    return !/trampoline|return_to_handler/.test(frame) && !(code !== undefined && isWrapper(code));
  });
  return first < 0 ? [] : outside.slice(first);
}
