/**
 * Bytes of a source that does not end, as they come, to the engine that `analyze` uses. It knows no file and no
 * timer: whoever reads the source pushes what there is and asks when to come back.
 */
import type { Change } from '../lifetime/changes.ts';
import type { Bad, Collector, Parser, Sink } from '../model/collector.ts';
import type { Event, FaultEvent } from '../model/event.ts';
import type { InputSummary, Report } from '../model/report.ts';
import type { GapLine, TailLine } from '../model/tail-lines.ts';
import { toReport } from '../pipeline/analyze.ts';
import { createEngine, type Engine } from '../pipeline/engine.ts';
import { createIntake, type Intake } from '../pipeline/intake.ts';
import type { LiveKeeper } from '../pipeline/keep-live.ts';
import { createLineSplitter, type LineSplitter } from '../pipeline/lines.ts';
import type { Item } from '../pipeline/settle.ts';
import { createHead } from './head.ts';
import { createLogReader, type LogReader } from './log-reader.ts';
import { createStateWatch, placeOf, type StateWatch } from './states.ts';
import { createSuspicions } from './suspicions.ts';

export interface ReaderOptions {
  /** As it is named in what is told; `-` is stdin. */
  readonly path: string;
  readonly format?: string | undefined;
  /** Tell each reference taken and given back, too. */
  readonly references?: boolean | undefined;
  /** Judge only what comes after `skipUntilHere`. */
  readonly onlyNew?: boolean | undefined;
  /** Keeps what is read, and knows what an earlier run read. */
  readonly keeper?: LiveKeeper | undefined;
  readonly tell: (line: TailLine) => void;
}

export interface TailReader {
  /** @param now milliseconds @throws UserError when it is no capture that can be followed */
  push(chunk: Buffer, now: number): void;
  /** What the kernel's log told meanwhile. Its clock may be another, so what counts is when it came. */
  pushLog(text: Buffer): void;
  /** Gives the engine what has been held back for long enough, and tells in how many milliseconds to call again;
   *  undefined when nothing is held back. */
  tick(now: number): number | undefined;
  /** The source begins anew: what comes now is another file, and between the two something may be missing. */
  restart(reason: 'truncated' | 'replaced'): void;
  /** With `onlyNew`: what was pushed until now is read for what it tells about the rest, and not judged. */
  skipUntilHere(): void;
  /** Nothing more is judged, not even what was pushed with what led to this. */
  halt(): void;
  /** What the engine was given by now is to last, where a store is kept. */
  commit(): void;
  /** @param stopped by whoever watches, who may do so before anything came
   *  @throws UserError when it is no capture that can be followed */
  end(stopped: boolean): Report;
  readonly engine: Engine;
  readonly modules: StateWatch['modules'];
  /** The source as it is read now. */
  readonly source: InputSummary | undefined;
  /** Times that it began anew. */
  readonly restarts: number;
  /** Lines of it before its first event; 0 until that is known. */
  readonly headLines: number;
  readonly inputs: readonly InputSummary[];
  /** Per input, the first few lines that could not be read. */
  readonly bad: readonly (readonly Bad[])[];
}

/**
 * An event is complete when nothing more can belong to it. A stack follows its event at once, but perhaps in
 * another packet; a source that prints none, as its first events show, is not waited for.
 */
const STACK_MS = 50;
const PROMPT_MS = 1;
const TELLING_EVENTS = 16;
/** Even then the newest few wait for what comes next: somebody may have asked for stacks of some events only. */
const NEWEST = 4;

/** Faults that a log tells later than the trace, at most. */
const TRACED = 64;

const NEWLINE = 10;

export function createTailReader(options: ReaderOptions): TailReader {
  const { path, keeper } = options;
  /** What an earlier run kept, it told. */
  let replaying = false;
  const tell: ReaderOptions['tell'] = (line) => {
    if (!replaying) options.tell(line);
  };
  const engine = createEngine({ onFinding: (finding) => tell({ type: 'finding', finding }), onChange });
  const states = createStateWatch(engine.ledger, tell);
  const suspicions = createSuspicions(tell);
  const continuation = keeper?.continuation ?? { type: 'new' };
  /** Inputs of earlier runs, but for the one that goes on. */
  const earlier = keeper?.inputs.slice(0, continuation.type === 'same' ? -1 : undefined) ?? [];
  const head = createHead(path, options.format ?? keeper?.inputs.at(-1)?.format);
  const intakes: Intake[] = [];
  let source: { readonly intake: Intake; readonly input: number } | undefined;
  let restarts = 0;
  let log: LogReader | undefined;
  /** Faults that the source told and the log may tell, too. */
  const traced: string[] = [];
  let parser: Parser | undefined;
  let splitter: LineSplitter | undefined;
  let skipping = options.onlyNew === true;
  /** Of `head`, when that is not read yet. */
  let skipBytes = 0;
  /** What has been pushed to the settler by when. */
  let pushed = 0;
  let linesBefore = 0;
  const marks: { readonly at: number; readonly pushed: number }[] = [];
  let fed = 0;
  let stacks = false;
  let halted = false;
  /** Of the current input, the last line that gave an event or a loss. */
  let line = continuation.type === 'same' ? continuation.line : 0;
  let last: Event | undefined;
  let headLines: number | undefined;
  /** Nothing of it is stored yet. */
  let dirty = false;
  const isStored = continuation.type === 'same' ? storedUntil(continuation) : () => false;

  const current = () => source!.intake;
  const sink: Sink = {
    event(event) {
      if (skipping) return;
      pushed++;
      current().sink.event(event);
    },
    lost(lost) {
      if (skipping) return;
      pushed++;
      current().sink.lost(lost);
    },
    bad(bad) {
      if (!skipping) current().sink.bad(bad);
    },
    facts: (facts) => current().sink.facts(facts),
  };

  function onChange(change: Change): void {
    keeper?.change(change);
    states.change(change);
    suspicions.change(change);
    if (change.type === 'fault') tellFault(change.fault);
    if (options.references !== true || (change.type !== 'taken' && change.type !== 'given-back')) return;
    const { incarnation, reference } = change;
    tell({
      type: 'reference',
      change: change.type,
      module: incarnation.module,
      incarnation: incarnation.nth,
      site: reference.taker.text,
      users: Math.max(0, incarnation.count.users),
      ...placeOf(reference.put ?? reference.get),
    });
  }

  /** Once, though the console is traced and the log is read. */
  function tellFault(fault: FaultEvent): void {
    const { what, message, pid } = fault;
    const key = `${pid} ${message}`;
    if (fault.input === source?.input) traced.push(key);
    else if (traced.includes(key)) {
      traced.splice(traced.indexOf(key), 1);
      return;
    }
    if (traced.length > TRACED) traced.shift();
    tell({ type: 'fault', what, message, ...placeOf(fault) });
  }

  function feed(items: readonly Item[]): void {
    const { input } = source!;
    const events: Event[] = [];
    for (const item of items) {
      if (halted) break;
      const at = item.kind === 'lost' ? item.lost.line : item.line;
      headLines ??= at - 1;
      if (restarts === 0 && isStored(item.kind, at)) continue;
      line = Math.max(line, at);
      dirty = true;
      if (item.kind === 'lost') {
        tellGap('lost', item.lost.count ?? null, at);
        engine.feed(item, input);
        continue;
      }
      fed++;
      if (item.stack !== undefined) stacks = true;
      engine.feed(item, input);
      last = item;
      states.after(item);
      if (keeper !== undefined) events.push(item);
    }
    keeper?.events(events);
  }

  function feedLog(items: readonly Item[]): void {
    if (halted || items.length === 0) return;
    dirty = true;
    for (const item of items) engine.feed(item, earlier.length + intakes.indexOf(log!.intake));
    keeper?.events(items.filter((item) => item.kind !== 'lost'));
  }

  function addInput(intake: (input: number) => Intake): { intake: Intake; input: number } {
    const input = earlier.length + intakes.length;
    const added = { intake: intake(input), input };
    intakes.push(added.intake);
    return added;
  }

  function tellGap(reason: GapLine['reason'], lost: number | null, line: number): void {
    tell({ type: 'gap', reason, lost, input: source!.input, line });
  }

  function takeAll(): void {
    current().release();
    feed(current().take(splitter!.lines));
  }

  function split(): void {
    splitter = createLineSplitter(
      (bytes, start, end, line) => parser!.line(bytes, start, end, line),
      parser!.sieve,
    );
  }

  function begin(collector: Collector, now: number): void {
    source = addInput((input) => createIntake(path, collector.name, input));
    parser = collector.createParser(sink);
    split();
    if (continuation.type === 'gap') loseBetween(continuation.reason);
    // It was stored with what went before.
    else if (earlier.length > 0) current().summary.lost++;
    const bytes = head.take();
    if (skipBytes > 0) {
      splitter!.push(bytes.subarray(0, skipBytes));
      skipping = false;
    }
    splitter!.push(bytes.subarray(skipBytes));
    settle(now);
  }

  function tryToBegin(now: number): boolean {
    const collector = head.tryToTell(now);
    if (collector !== undefined) begin(collector, now);
    return collector !== undefined;
  }

  function loseBetween(reason: GapLine['reason']): void {
    tellGap(reason, null, 1);
    current().sink.lost({ where: 'before', line: 1 });
    pushed++;
    current().release();
    for (const item of current().take(0)) engine.feed(item, source!.input);
    dirty = true;
  }

  /** Are events complete as they come? */
  function isPrompt(): boolean {
    return !stacks && fed >= TELLING_EVENTS && current().facts.ordered !== false;
  }

  function settle(now: number): void {
    const { lines } = splitter!;
    if (isPrompt()) current().release(NEWEST);
    feed(current().take(lines));
    if (lines === linesBefore) return;
    linesBefore = lines;
    marks.push({ at: now, pushed });
  }

  function inputs(): InputSummary[] {
    return [...earlier, ...intakes.map(({ summary }) => summary)];
  }

  function commit(report: Report): void {
    if (keeper === undefined || splitter === undefined) return;
    const bad = intakes.map(({ bad }) => bad);
    keeper.commit(engine, report, bad, earlier.length, {
      line,
      held: current().held().map(keyOf),
      last,
    });
    dirty = false;
  }

  if (keeper !== undefined) {
    replaying = true;
    keeper.replay(engine, (item, input) => {
      engine.feed(item, input);
      if (item.kind !== 'lost') states.after(item);
    });
    replaying = false;
  }

  return {
    engine,
    modules: states.modules,
    get source() {
      return source?.intake.summary;
    },
    get restarts() {
      return earlier.length + restarts;
    },
    get headLines() {
      return headLines ?? 0;
    },
    get inputs() {
      return inputs();
    },
    get bad() {
      return intakes.map(({ bad }) => bad);
    },

    push(chunk, now) {
      keeper?.read(chunk);
      if (splitter !== undefined) {
        splitter.push(chunk);
        settle(now);
        return;
      }
      head.push(chunk);
      if (chunk.includes(NEWLINE)) tryToBegin(now);
    },

    pushLog(text) {
      if (log === undefined) {
        addInput((input) => {
          log = createLogReader(input);
          return log.intake;
        });
      }
      feedLog(log!.push(text));
    },

    tick(now) {
      if (splitter === undefined) {
        if (head.isWaiting(now)) return STACK_MS;
        // More will be tried when more has come.
        if (head.size === 0 || !tryToBegin(now)) return undefined;
      }
      const patience = isPrompt() ? PROMPT_MS : STACK_MS;
      let complete: number | undefined;
      while (marks.length > 0 && marks[0]!.at <= now - patience) complete = marks.shift()!.pushed;
      if (complete !== undefined) {
        if (marks.length === 0) {
          parser!.idle?.();
          complete = pushed;
        }
        current().release(isPrompt() ? Math.min(NEWEST, pushed - complete) : pushed - complete);
        feed(current().take(splitter!.lines));
      }
      return marks.length === 0 ? undefined : Math.max(1, marks[0]!.at + patience - now);
    },

    restart(reason) {
      if (splitter === undefined) {
        head.take();
        keeper?.restart();
        return;
      }
      splitter.end();
      takeAll();
      const { summary, facts } = current();
      source = addInput((input) => createIntake(path, summary.format, input));
      restarts++;
      const { end: _end, ...lasting } = facts;
      current().sink.facts(lasting);
      split();
      linesBefore = 0;
      line = 0;
      headLines = undefined;
      keeper?.restart();
      loseBetween(reason);
    },

    skipUntilHere() {
      if (splitter === undefined && head.size > 0) skipBytes = head.size;
      else skipping = false;
    },

    halt() {
      halted = true;
    },

    commit() {
      if (dirty) commit(toReport(engine, inputs()));
    },

    end(stopped) {
      if (splitter === undefined) {
        if (stopped && head.size === 0) return toReport(engine, inputs());
        begin(head.tell(), 0);
      }
      // Half a line is left to the run that goes on.
      if (!stopped || keeper === undefined) splitter!.end();
      parser!.end();
      takeAll();
      if (log !== undefined) feedLog(log.end());
      engine.end(Math.max(0, ...inputs().map(({ end }) => end ?? 0)));
      states.end();
      suspicions.end(engine.findings);
      const report = toReport(engine, inputs());
      commit(report);
      return report;
    },
  };
}

/** Of the input that goes on: had an earlier run stored this? */
function storedUntil({ line, held }: { readonly line: number; readonly held: readonly string[] }) {
  const left = new Map<string, number>();
  for (const key of held) left.set(key, (left.get(key) ?? 0) + 1);
  return (kind: Item['kind'], at: number) => {
    if (at > line) return false;
    const key = `${at} ${kind}`;
    const count = left.get(key) ?? 0;
    if (count > 0) left.set(key, count - 1);
    return count === 0;
  };
}

function keyOf(item: Item): string {
  return `${item.kind === 'lost' ? item.lost.line : item.line} ${item.kind}`;
}
