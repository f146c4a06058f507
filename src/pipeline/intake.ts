/** Where a parser puts what it reads of one capture: counted, settled, and handed on in batches. */
import type { Bad, CaptureFacts, Lost, Sink } from '../model/collector.ts';
import type { Event } from '../model/event.ts';
import type { InputSummary } from '../model/report.ts';
import type { Shift } from './align.ts';
import { implausible, isTime } from './plausible.ts';
import { createSettler, type Item } from './settle.ts';

export interface Intake {
  readonly sink: Sink;
  readonly summary: InputSummary;
  readonly facts: CaptureFacts;
  /** The first few lines that could not be read. */
  readonly bad: readonly Bad[];
  readonly losses: readonly Lost[];
  /** What is complete and in order by now, after so many lines. */
  take(lines: number): Item[];
  /** All but the newest `keep` items count as complete: the capture ended, or its source has been idle. */
  release(keep?: number): void;
  /** What is not complete yet, or was not taken. */
  held(): readonly Item[];
}

/** Bad lines kept to be quoted; all are counted. */
const QUOTED = 20;

/** @param shift onto the clock of another capture */
export function createIntake(path: string, format: string, input: number, shift?: Shift): Intake {
  const facts: CaptureFacts = {};
  const bad: Bad[] = [];
  const losses: Lost[] = [];
  const summary: InputSummary = {
    path,
    format,
    clock: 'none',
    lines: 0,
    events: 0,
    skipped: 0,
    bad: 0,
    lost: 0,
    first: null,
    last: null,
  };
  if (shift !== undefined) {
    const { clock: _clock, ...offset } = shift;
    summary.reading = { offset };
  }
  let batch: Item[] = [];
  const settler = createSettler(
    () => facts.ordered !== false,
    (item) => batch.push(item),
  );

  function count(event: Event): void {
    summary.events++;
    if (facts.preamble === true) return;
    if (summary.first === null || event.ts < summary.first) summary.first = event.ts;
    if (summary.last === null || event.ts > summary.last) summary.last = event.ts;
  }

  function quote(line: Bad): void {
    summary.bad++;
    if (bad.length < QUOTED) bad.push(line);
  }

  return {
    summary,
    facts,
    bad,
    losses,
    sink: {
      event(event) {
        const expected = implausible(event);
        if (expected !== undefined) {
          quote({ line: event.line, column: 1, message: `expected ${expected}`, text: event.kind });
          return;
        }
        event.input = input;
        if (shift !== undefined) event.ts += shift.ns;
        count(event);
        settler.push(event);
      },
      lost(told) {
        const lost = Number.isSafeInteger(told.count ?? 0) ? told : { ...told, count: 1 };
        // Of what was cut off nobody knows how much it was, nor that it was anything.
        if (lost.where !== 'end') summary.lost += lost.count ?? 1;
        losses.push(lost);
        settler.push({ kind: 'lost', lost });
      },
      bad: quote,
      facts(more) {
        Object.assign(facts, more);
        if (!Number.isSafeInteger(facts.cpus ?? 0)) delete facts.cpus;
        if (!isTime(facts.end ?? 0)) delete facts.end;
        if (facts.kernel !== undefined) summary.kernel = facts.kernel;
        if (facts.cpus !== undefined) summary.cpus = facts.cpus;
        if (facts.end !== undefined) summary.end = facts.end + (shift?.ns ?? 0);
        if (facts.reading !== undefined) summary.reading = { ...summary.reading, ...facts.reading };
        summary.clock = shift?.clock ?? facts.clock ?? 'none';
      },
    },
    take(lines) {
      const taken = batch;
      batch = [];
      summary.lines = lines;
      summary.skipped = Math.max(0, lines - summary.events - summary.bad);
      return taken;
    },
    release: (keep) => settler.release(keep),
    held: () => [...batch, ...settler.held()],
  };
}
