/** A collector for a trace inside something else: its lines as they were before somebody packed them up. */
import type { Collector, Parser, Sink } from '../model/collector.ts';
import type { Event } from '../model/event.ts';
import { createLineJoiner } from './join-lines.ts';
import { resemblesRecord, type Wrapping } from './wrapping.ts';

/** `[...]`, `[snip]`, `<snip>`: somebody left records out. */
const LEFT_OUT =
  /^\s*(?:\[?(?:\.{3,}|\xe2\x80\xa6)\]?|[[<(-]{1,8}\s*(?:snip|cut|trimmed|removed)\b.{0,40})\s*$/i;
/** Events of earlier excerpts kept, to know those that a later one shows again. */
const MOST_KNOWN = 1 << 18;

interface Place {
  readonly excerpts: number;
  readonly voices: number;
}

export function unwrapped(collector: Collector, wrapping: Wrapping): Collector {
  return { ...collector, createParser: (sink) => createUnwrapper(collector, wrapping, sink) };
}

function createUnwrapper(collector: Collector, wrapping: Wrapping, sink: Sink): Parser {
  const stripper = wrapping.create();
  const known = new Set<string>();
  /** Where each of the last two lines came from, since what is bad may be told one line late. */
  let sources: { readonly line: number; readonly text: string; readonly shift: number }[] = [];
  /** Where lines stand that the joiner holds. */
  const places = new Map<number, Place>();
  /** Where the last record stood; undefined before the first. */
  let last: Place | undefined;
  let latest = Number.NEGATIVE_INFINITY;
  let latestBefore = Number.NEGATIVE_INFINITY;
  let repeated = 0;
  let joined = 0;
  let leftOut = false;
  /** Where something may be missing, unless what comes next was told before. */
  let gap: number | undefined;

  const inner = collector.createParser({
    ...sink,
    event(event) {
      if (isAgain(event)) {
        gap = undefined;
        return;
      }
      if (gap !== undefined) sink.lost({ where: 'before', line: gap });
      gap = undefined;
      latest = Math.max(latest, event.ts);
      sink.event(event);
    },
    bad(bad) {
      if (!resemblesRecord(bad.text)) return;
      const source = sources.find(({ line }) => line === bad.line);
      sink.bad(source === undefined ? bad : { ...bad, column: bad.column + source.shift, text: source.text });
    },
  });

  /** What is quoted may be quoted twice; what begins earlier and was never told is another recording. */
  function isAgain(event: Event): boolean {
    const key = identity(event);
    if (event.ts > latestBefore) {
      if (known.size < MOST_KNOWN) known.add(key);
      return false;
    }
    if (known.has(key)) repeated++;
    else if (event.ts === latestBefore) return false;
    else {
      sink.bad({
        line: event.line,
        column: 1,
        message: 'expected a later time than above: another recording needs a file of its own',
        text: sources.find(({ line }) => line === event.line)?.text ?? event.kind,
      });
    }
    return true;
  }

  function arrive(line: number, place: Place): void {
    if (last !== undefined) {
      if (last.excerpts !== place.excerpts || last.voices !== place.voices) latestBefore = latest;
      if (leftOut || last.excerpts !== place.excerpts) gap ??= line;
    }
    leftOut = false;
    last = place;
  }

  const joiner = createLineJoiner(wrapping.pasted ? collector : undefined, {
    line(text, line, source, lines) {
      const place = places.get(line);
      if (place !== undefined) arrive(line, place);
      places.delete(line);
      joined += lines - 1;
      sources = [
        ...sources.slice(-1),
        { line, text: source, shift: source.endsWith(text) ? source.length - text.length : 0 },
      ];
      const bytes = Buffer.from(text, 'latin1');
      inner.line(bytes, 0, bytes.length, line);
    },
  });

  sink.facts({ reading: { inside: wrapping.what } });

  return {
    line(bytes, start, end, line) {
      const source = bytes.toString('latin1', start, bytes[end - 1] === 0x0d ? end - 1 : end);
      const text = stripper.strip(source);
      if (text === undefined) {
        joiner.flush();
        return;
      }
      if (LEFT_OUT.test(text)) {
        joiner.flush();
        leftOut = true;
        return;
      }
      if (resemblesRecord(text)) {
        places.set(line, { excerpts: stripper.excerpts ?? 0, voices: stripper.voices ?? 0 });
      }
      joiner.line(text, line, source);
    },
    idle: () => inner.idle?.(),
    end() {
      joiner.flush();
      inner.end();
      sink.facts({
        reading: {
          inside: wrapping.what,
          ...(joined === 0 ? {} : { joined }),
          ...(repeated === 0 ? {} : { repeated }),
        },
      });
    },
  };
}

function identity(event: Event): string {
  const { ts, cpu, pid, kind } = event;
  const what =
    'refcnt' in event
      ? `${event.module} ${event.refcnt} ${event.callSite.text}`
      : 'fn' in event
        ? event.fn?.text
        : '';
  return `${ts} ${cpu} ${pid} ${kind} ${what}`;
}
