/**
 * The ring buffer on the console: `ftrace_dump_on_oops`, sysrq-z, kdb. Between two rules stands, behind printk's
 * prefix, what `trace` would print under latency-format (ftrace_dump() in kernel/trace/trace.c).
 */
import type { Lost, Sink } from '../../src/model/collector.ts';
import type { Event } from '../../src/model/event.ts';
import { createParser } from '../tracefs/collector.ts';

/** What a dump held, in order. Times are those of the dump: since its buffer was last cleared. */
export interface Dump {
  readonly records: readonly (Event | Lost)[];
  /** Time of the last record, of whatever kind. */
  readonly last: number;
}

export interface DumpReader {
  readonly reading: boolean;
  /** @returns whether the line is a dump's; other messages may come between its records */
  line(text: string, line: number): boolean;
  /** The log ended, perhaps within a dump. */
  end(line: number): void;
}

/** Held until the dump is over, which tells its times; of more, the newest are. */
const MOST_RECORDS = 1 << 17;

const BEGIN = /^Dumping ftrace (?:instance (\S+) )?buffer:$/;
const RULE = /^-{33}$/;
const EMPTY = /^ {3}\(ftrace buffer empty\)$/;
const RECORD = /^.{8}-\d+ +\d+[.dDbX][.\w]{3,4} +(\d+)(?:us)?[ +!#*@$]?: /;
const GOES_WITH_IT = /^(?: => |CPU:\d+ \[LOST )/;
/** Other output cut into it, or it was cut off. */
const TORN = /-\d+ +\d+[.dDbX][.\w]{3,4} +\d+us|^.{8}-\d+ +\d+[.dDbX][.\w]{3,4} /;
const DROPPED = /^\*\* (\d+) printk messages dropped \*\*/;

export function createDumpReader(sink: Sink, out: (dump: Dump) => void): DumpReader {
  let state: 'outside' | 'begun' | 'inside' = 'outside';
  /** Which buffer is read, the first that held something: another one has a time of its own. */
  let buffer: string | undefined;
  let name = '';
  let passedOver = 0;
  let dropped = 0;
  let records: (Event | Lost)[] = [];
  let last = 0;
  const parser = createParser(
    {
      event(event) {
        if (records.length >= MOST_RECORDS) {
          records = records.slice(MOST_RECORDS / 2);
          dropped += MOST_RECORDS / 2;
        }
        records.push(event);
      },
      lost: (lost) => records.push(lost),
      bad: (bad) => sink.bad(bad),
      // The clock is the log's.
      facts: () => {},
    },
    'latency',
  );

  function finish(line: number): void {
    state = 'outside';
    if (passedOver > 0) records.push({ count: passedOver, where: 'anywhere', line });
    if (dropped > 0) records.unshift({ count: dropped, where: 'head', line });
    passedOver = 0;
    dropped = 0;
    const held = records;
    records = [];
    if (held.length > 0) out({ records: held, last });
  }

  function record(text: string, line: number, time: string | undefined): void {
    if (time !== undefined) {
      buffer ??= name;
      if (name === buffer) last = Math.max(last, Number(time) * 1000);
      else passedOver++;
    }
    if (name !== buffer) return;
    const bytes = Buffer.from(text, 'latin1');
    parser.line(bytes, 0, bytes.length, line);
  }

  return {
    get reading() {
      return state !== 'outside';
    },

    line(text, line) {
      const begin = BEGIN.exec(text);
      if (begin !== null) {
        if (state === 'inside') records.push({ where: 'before', line });
        if (state !== 'outside') finish(line);
        state = 'begun';
        name = begin[1] ?? '';
        return true;
      }
      if (state === 'outside') return false;
      if (RULE.test(text)) {
        if (state === 'inside') finish(line);
        else state = 'inside';
        return true;
      }
      if (EMPTY.test(text)) {
        finish(line);
        return true;
      }
      const found = RECORD.exec(text);
      if (found !== null || GOES_WITH_IT.test(text)) {
        state = 'inside';
        record(text, line, found?.[1]);
        return true;
      }
      const unprinted = DROPPED.exec(text);
      if (unprinted !== null) {
        records.push({ count: Number(unprinted[1]), where: 'before', line });
        return true;
      }
      if (!TORN.test(text)) return false;
      sink.bad({ line, column: 1, message: 'expected a record of the dump', text });
      return true;
    },

    end(line) {
      if (state === 'outside') return;
      records.push({ where: 'before', line });
      finish(line);
    },
  };
}
