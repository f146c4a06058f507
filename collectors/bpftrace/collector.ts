/**
 * Reads what modlife.bt and modlife-0.17.bt print, as text and with `-f json`.
 *
 *     modlife1 54639906020 1 589 80000002 get refcnt=2 ip=0xffffffffc040d031 sym=foo_open name=foo comm="cat"
 *            │ │           │ │   │        │   └ fields: `name` may hold spaces, `comm` anything
 *            │ │           │ │   │        └ what happened
 *            │ │           │ │   └ preemption count, hex; 0 where record.sh could not find it
 *            │ │           │ └ pid
 *            │ │           └ cpu
 *            │ └ nanoseconds since boot
 *            └ version of this protocol
 *     <tab>ffffffff81148175 try_module_get+133
 *     <tab>ffffffffc040d031 foo_open+17
 *     <blank line>
 *
 * and at the end, per cpu, how many there should have been:
 *
 *     @records[1]: 27
 *
 * Each record is one printf, so two never mix. With `-f json` the same text is the `data` of a `printf` object.
 *
 * Seen on: Linux 6.1 with bpftrace 0.17.0, 6.12 with 0.23.2, 7.2 with 0.27.1.
 */
import type { Collector, Parser, Sink, Sniffed } from '../../src/model/collector.ts';
import { createReader, type RawRecord } from './record.ts';

const RECORD = /modlife1 \d/;
const ANY_VERSION = /^(?:\{"type": ?"printf", ?"data": ?")?modlife(\d+) \d+ \d/m;
const FRAME = /^\t[0-9a-f]{8,16}(?: |$)/;
/** Printed on stdout before attaching up to 0.23, on stderr after it since. */
const BANNER = /^(?:Attach(?:ing|ed) \d+ probes?\b.*|\{"type": ?"attached_probes".*)$/m;

/** Its source, or a complaint that quotes it, from the first line on. */
const PROGRAM =
  /^(?:\s|\/\/.*\n|#!.*\n|\/\*(?:[^*]|\*(?!\/))*\*\/)*(?:(?:BEGIN|(?:tracepoint|k(?:ret)?(?:probe|func)|fentry|fexit|rawtracepoint):\S+)\s.*\{|\S+:\d+:\d+(?:-\d+)?: (?:WARNING|ERROR): )/;

export const bpftrace: Collector = {
  name: 'bpftrace',
  title: "bpftrace running modlife's own program, as text or -f json",
  sniff,
  createParser,
};

function sniff(head: string): Sniffed {
  const version = ANY_VERSION.exec(head)?.[1];
  if (version === '1') return true;
  if (version !== undefined)
    return { declined: `bpftrace output in protocol modlife${version}: this modlife reads modlife1` };
  const banner = BANNER.exec(head);
  if (!banner) {
    return PROGRAM.test(head)
      ? { declined: 'a bpftrace program or its warnings, without events: give what it prints when it runs' }
      : false;
  }
  // A live capture is only this until the probes are in place.
  if (head.slice(banner.index + banner[0].length).trim() === '') return true;
  return {
    declined: "bpftrace output, but not of modlife's program: record with collectors/bpftrace/modlife.bt",
  };
}

function createParser(sink: Sink): Parser {
  let events = 0;
  const read = createReader({
    ...sink,
    event(event) {
      events++;
      sink.event(event);
    },
  });
  let open: RawRecord | undefined;
  let lostSoFar = 0;
  /** What the program counted itself, printed when it ends. */
  let recorded = { count: 0, line: 0 };

  sink.facts({ clock: 'time', ordered: false });

  /** `column`: of `text` in its line, `source`. */
  const start = (text: string, line: number, column: number, source: string) => {
    // Not at the first column when a program run by `bpftrace -c` left its own line unfinished.
    const at = text.search(RECORD);
    if (at >= 0) {
      open = { text: text.slice(at), line, column: column + at, source, frames: [] };
    } else if (text.startsWith('modlife1 ')) {
      sink.bad({ line, column: column + 'modlife1 '.length, message: 'expected nanoseconds', text: source });
    }
  };

  /** The rest of the open record: a frame, or more of a comm with a newline in it. */
  const belongs = (text: string): boolean => {
    if (!open) return false;
    if (FRAME.test(text)) open.frames.push(text.slice(1));
    else if (isCommOpen(open.text)) open.text += `\n${text}`;
    else return false;
    return true;
  };

  const finish = () => {
    if (open) read(open);
    open = undefined;
  };

  const lose = (count: number, line: number) => {
    if (count <= 0) return;
    lostSoFar += count;
    sink.lost({ count, where: 'anywhere', line });
  };

  const text = (text: string, line: number) => {
    if (!text.startsWith('modlife1 ') && belongs(text)) return;
    finish();
    start(text, line, 1, text);
    if (open) return;
    const lost = /^Lost (\d+) events$/.exec(text);
    if (lost) lose(Number(lost[1]), line);
    const total = /^WARNING: Total lost event count: (\d+)$/.exec(text);
    if (total) lose(Number(total[1]) - lostSoFar, line);
    const counted = /^@records\[\d+\]: (\d+)$/.exec(text);
    if (counted) recorded = { count: recorded.count + Number(counted[1]), line };
  };

  const json = (text: string, line: number) => {
    finish();
    const type = /^\{"type": ?"(\w+)"/.exec(text)?.[1];
    if (type === 'lost_events') lose(Number(/"events": ?(\d+)/.exec(text)?.[1] ?? 0), line);
    const records = type === 'map' && /"@records": ?\{([^}]*)\}/.exec(text)?.[1];
    for (const [, count] of (records || '').matchAll(/"\d+": ?(\d+)/g)) {
      recorded = { count: recorded.count + Number(count), line };
    }
    if (type !== 'printf') return;
    const printed = dataOf(text);
    if (printed === undefined) {
      sink.bad({ line, column: text.length + 1, message: 'expected the rest of a JSON object', text });
      return;
    }
    const [first = '', ...rest] = printed.split('\n');
    start(first, line, text.indexOf('"data"') + '"data": "'.length + 1, text);
    rest.every(belongs);
    finish();
  };

  return {
    line(bytes, start, end, line) {
      const stop = end > start && bytes[end - 1] === 0x0d ? end - 1 : end;
      const source = bytes.toString('latin1', start, stop);
      if (source.startsWith('{"type":')) json(source, line);
      else text(source, line);
    },
    idle() {
      if (open && !isCommOpen(open.text)) finish();
    },
    end() {
      finish();
      // bpftrace does not tell when it is stopped with its buffers full.
      lose(recorded.count - events - lostSoFar, recorded.line);
    },
  };
}

/** No closing quote yet, and room for one: a comm has at most 15 bytes. */
function isCommOpen(text: string): boolean {
  const at = text.indexOf(' comm="');
  if (at < 0) return false;
  const comm = text.slice(at + ' comm="'.length);
  return comm.length < 15 && !comm.endsWith('"');
}

/** What was printed, a byte per character. bpftrace writes a byte above 127 as `\uffffffe9`. */
function dataOf(source: string): string | undefined {
  const json = source.replace(/\\(?:uffffff([0-9a-f]{2})|.)/g, (escaped, byte) =>
    byte ? `\\u00${byte}` : escaped,
  );
  try {
    const { data } = JSON.parse(json);
    return typeof data === 'string' ? data : undefined;
  } catch {
    return undefined;
  }
}
