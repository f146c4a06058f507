/**
 * The kernel's own log: dmesg, journalctl -k, a serial console, pstore. One event for each report of an oops, a BUG,
 * a WARN or a hung task, and the records of the ring buffer that a crash dumped; everything else is passed over.
 *
 * Written by arch/x86/kernel/{dumpstack,traps}.c, arch/x86/mm/fault.c, arch/arm64/kernel/traps.c, kernel/panic.c,
 * kernel/hung_task.c, lib/bug.c and mm/kasan/report.c of Linux. Seen on 6.1 (x86-64); other spellings are from the sources.
 */
import type { Collector, Parser, Sink, Sniffed } from '../../src/model/collector.ts';
import type { Code, Event, ExecContext } from '../../src/model/event.ts';
import { createCodeTable } from '../code.ts';
import { createDumpReader, type Dump } from './dump.ts';
import { readMessage, type Stamp } from './prefix.ts';

/** What kills the task it happens in. */
const OOPS =
  /^(?:BUG: (?:unable to handle |kernel NULL pointer |.*stack guard page was hit)|kernel BUG at |general protection fault\b|Unable to handle kernel |Internal error: |Oops\b|Kernel panic - not syncing: (?!Fatal exception|.*panic_on_warn))/;
/** `invalid opcode: 0000 [#1] PREEMPT SMP`: what die() prints of any trap. */
const DIES = /^[A-Za-z][\w ,-]*: (?:0x)?[0-9a-f]{4,16} \[#\d+\]/;
/** What is reported and survived. */
const SPLAT =
  /^(?:WARNING: (?:CPU: \d+ PID: -?\d+ at |at |.* at \S+\+0x[0-9a-f]+\/0x[0-9a-f]+.*, CPU#\d+: |(?:possible|inconsistent|suspicious|bad|nested|lock held) )|(?:(?:NMI )?watchdog: )?BUG: )/;

//                 +- cpu                +- pid        +- comm
const TASK =
  /^CPU: (\d+) (?:UID: \d+ )?PID: (-?\d+) Comm: (.{0,15}) (?:Kdump: loaded )?(?:Not tainted|Tainted: [A-Z ]+) (\d\S*)/;
//                                                                                                        +- kernel
//                            +- cpu   +- pid             +- where
const WARNED = /^WARNING: CPU: (\d+) PID: (-?\d+) at (?:\S+:\d+ )?(\S.*)$/;
/** Since 6.19. */
//                               +- where                                                       +- cpu   +- comm  +- pid
const WARNED_SINCE = / at (\S+\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[[^\]]+\])?), CPU#(\d+): (.{0,15})\/(\d+)$/;
const LOCKUP = /^(?:.*: )?BUG: soft lockup - CPU#(\d+) stuck for .*\[(.{0,15}):(\d+)\]$/;
const ATOMIC = /^BUG: scheduling while atomic: (.{0,15})\/(\d+)\/0x/;
const SANITIZED = /^BUG: K\w+: \S+ in (\S+(?: \[[^\]]+\])?)/;
const ACCESS =
  /^(?:Read|Write|Free|Invalid \w+|Use-after-free \w+) .*\bat (?:addr )?(?:0x)?([0-9a-f]{8,16})\b(?: by task (.{0,15})\/(\d+))?/;
const ADDRESS = /(?:address:?|request at|dereference at) (?:0x)?([0-9a-f]{8,16})\b/;
/** x86, arm64, riscv, arm. 0033 and 0023 are user space. */
const INSTRUCTION =
  /^(?:RIP: (?:0010|e030):|EIP: |pc : |epc : |PC is at )(?:\[<[0-9a-f]+>\] +(?:\[<[0-9a-f]+>\] +)?)?(\S.*)$/;
//                                                 +- only found on the stack
const FRAME =
  /^ *(?:\[<[0-9a-f]*>\] )?(\? )?(\S+\+0x[0-9a-f]+\/0x[0-9a-f]+(?: \[[^\]]+\])?|0x[0-9a-f]{8,16})(?: \([A-Z]+\))?$/;
const MARK = /^ *<(\/?)(TASK|IRQ|SOFTIRQ|NMI|#DF|#DB|#MC|#VC2?|ENTRY_TRAMPOLINE)>$/;
/** Registers are printed among the frames where an exception came between. */
const REGISTERS =
  /^ *(?:RIP|EIP|Code|[RE]?(?:SP|AX|BX|CX|DX|SI|DI|BP)|R\d\d|EFLAGS|[CDEFG]S|CR2|DR\d|PKRU|ORIG_RAX): ?/;
const OVER = /^(?:Modules linked in:|---\[ |note: |Kernel panic - )/;
const END = '---[ end ';
const DUMPS = /^Dumping ftrace /;
const MODULES = /^Modules linked in:(.*) \[last unloaded: ([\w-]+)/;
/** ` [mod 0123…]`: CONFIG_STACKTRACE_BUILD_ID. */
const BUILD_ID = / \[(\S+) [0-9a-f]{40}\]/;

const SOFTIRQ_FRAME = /^(?:__do_softirq|handle_softirqs|do_softirq)\b/;
const HARDIRQ_FRAME = /^(?:__handle_irq_event|handle_irq_event|__sysvec_|hrtimer_interrupt|do_IRQ)/;

/** More than printk's longest line with its prefix; what is longer is no message of the kernel's. */
const LONGEST = 4096;
/** Tasks and CPUs whose reports are read side by side. */
const MOST_OPEN = 64;
/** Between the report of a crash and the dump that it causes stand a few lines, of other CPUs perhaps; its end is behind it. */
const DUMP_DISTANCE = 64;

const HUNG = /^INFO: task (.{0,15}):(\d+) blocked for more than (\d+) seconds\./;

export const kernelLog: Collector = {
  name: 'kernel-log',
  title: 'the kernel log: dmesg, journalctl -k, serial console, pstore',
  sniff,
  createParser,
};

function sniff(head: string): Sniffed {
  const lines = head.split('\n');
  // The last one is cut off.
  if (lines.length > 1) lines.pop();
  let written = 0;
  let stamped = 0;
  let fromKernel = 0;
  let reports = 0;
  let traces = 0;
  for (const line of lines) {
    if (line.trim() === '' || line === '\r') continue;
    written++;
    const { text, stamp, kernel } = readMessage(line);
    if (stamp !== undefined) {
      stamped++;
      if (kernel) fromKernel++;
    } else if (OOPS.test(text) || DIES.test(text) || SPLAT.test(text) || HUNG.test(text)) reports++;
    else if (TASK.test(text) || /^Call [Tt]race:$/.test(text)) traces++;
  }
  if (fromKernel > 0 && stamped * 2 >= written) return true;
  // `dmesg -t`, or what somebody cut out of a log.
  return stamped === 0 && reports > 0 && traces > 0;
}

interface Report {
  readonly line: number;
  readonly ts: number;
  readonly what: 'oops' | 'warn' | 'hung';
  message: string;
  /** A hung task, for so long. */
  seconds: number;
  cpu: number;
  pid: number;
  comm: string;
  address: string | undefined;
  at: string | undefined;
  /** The line with CPU, PID and Comm was read. */
  placed: boolean;
  /** `before`, in and after the call trace. */
  tracing: boolean;
  /** Between `<TASK>` and `</TASK>`, or another pair. */
  marked: boolean;
  /** Behind the last of them. */
  traced: boolean;
  firstMark: string | undefined;
  lastUnloaded: string | undefined;
  /** Innermost first, only those the unwinder is sure of. */
  readonly frames: string[];
}

function createParser(sink: Sink): Parser {
  const code = createCodeTable();
  /** By who prints it: on a crash several CPUs may print at once. */
  const open = new Map<string, Report>();
  let clock: 'time' | 'relative' | 'none' | undefined;
  let origin = 0;
  let now = 0;
  let stamped = false;
  let kernelKnown = false;
  /** Of a crash, whose dump may follow, which tells what was before it. */
  let crashes: { readonly event: Event; readonly line: number }[] = [];
  /** From a dump's clock to the log's. */
  let fromDump: number | undefined;
  /** How much later than it prints the log is told: a dump reaches back to before its first message. */
  let later = 0;
  let dumped = 0;
  let lines = 0;
  const dump = createDumpReader(sink, place);

  /**
   * A dump does not say when its clock began. It was printed after the crash that caused it, which comes after all that
   * the dump holds but for what other CPUs did while it was reported: so its last record is taken to be as late as
   * the crash.
   */
  function place({ records, last }: Dump): void {
    if (clock === undefined || clock === 'none') {
      clock = 'relative';
      sink.facts({ clock, aside: true });
    }
    const crashed = crashes[0]?.event.ts ?? now + later;
    if (fromDump === undefined) {
      fromDump = Math.max(0, crashed - last);
      later += Math.max(0, last - crashed);
    }
    dumped += records.filter((record) => 'kind' in record).length;
    sink.facts({ reading: { dumped } });
    for (const record of records) {
      if ('kind' in record) sink.event({ ...record, ts: record.ts + fromDump });
      else sink.lost(record);
    }
    const held = crashes;
    crashes = [];
    for (const { event } of held) sink.event({ ...event, ts: Math.max(event.ts, last + fromDump) });
  }

  function tellCrashes(): void {
    const held = crashes;
    crashes = [];
    for (const { event } of held) sink.event(event);
  }

  /** One clock for a whole log: the kernel's if there is any, else the time since the first message. */
  function advance(stamp: Stamp): void {
    stamped = true;
    if (clock === undefined) {
      clock = stamp.kind === 'kernel' ? 'time' : 'relative';
      if (stamp.kind === 'wall') origin = stamp.ns;
      sink.facts({ clock, aside: true });
    }
    if (clock === 'time') {
      if (stamp.kind === 'kernel') now = stamp.ns;
    } else if (stamp.kind === 'step') now += stamp.ns;
    // A coarse time of day, or one whose year is not printed, may seem to go back.
    else if (stamp.kind === 'wall') now = Math.max(now, stamp.ns - origin);
  }

  function close(caller: string, report: Report): void {
    open.delete(caller);
    if (clock === undefined) {
      clock = 'none';
      sink.facts({ clock, aside: true });
    }
    const at = report.at === undefined ? undefined : code(report.at);
    const address = report.address ?? (report.what === 'oops' ? at?.address : undefined);
    const base = {
      seq: 0,
      input: 0,
      line: report.line,
      ts: report.ts,
      cpu: report.cpu,
      pid: report.pid,
      // As ftrace prints a name that it does not know; the line that tells it was cut off.
      comm: report.comm === '' ? '<...>' : report.comm,
      context: contextOf(report),
      ...(report.frames.length === 0 ? {} : { stack: report.frames }),
    };
    if (report.what === 'hung') {
      sink.event({ kind: 'hung_task', ...base, seconds: report.seconds });
      return;
    }
    const event: Event = {
      kind: 'kernel_fault',
      ...base,
      what: report.what,
      message: report.message,
      ...(address === undefined ? {} : { address }),
      ...(at === undefined ? {} : { at }),
      ...(report.lastUnloaded === undefined ? {} : { lastUnloaded: report.lastUnloaded }),
    };
    // A warning does not dump, but one that comes after a crash is told after it.
    if (crashes.length >= MOST_OPEN) tellCrashes();
    if (report.what === 'oops' || crashes.length > 0) crashes.push({ event, line: lines });
    else sink.event(event);
  }

  function begin(caller: string, what: Report['what'], text: string, line: number): void {
    const before = open.get(caller);
    if (before !== undefined) {
      // `kernel BUG at …` and `BUG: unable to handle …` come before `Oops: …` in one report.
      if (!before.placed && before.what === what) return;
      close(caller, before);
    }
    if (open.size >= MOST_OPEN) {
      const [oldest] = open;
      if (oldest !== undefined) close(...oldest);
    }
    const report: Report = {
      line,
      ts: now + later,
      what,
      message: utf8(text),
      seconds: 0,
      // CONFIG_PRINTK_CALLER
      cpu: caller.startsWith('C') ? Number(caller.slice(1)) : -1,
      pid: caller.startsWith('T') ? Number(caller.slice(1)) : -1,
      comm: '',
      address: hex(ADDRESS.exec(text)?.[1]),
      at: SANITIZED.exec(text)?.[1],
      placed: false,
      tracing: false,
      marked: false,
      traced: false,
      lastUnloaded: undefined,
      firstMark: undefined,
      frames: [],
    };
    const warned = WARNED.exec(text);
    if (warned !== null) {
      report.cpu = Number(warned[1]);
      report.pid = Number(warned[2]);
      report.at = warned[3];
    }
    const since = WARNED_SINCE.exec(text);
    if (since !== null) {
      report.at = since[1]!.replace(BUILD_ID, ' [$1]');
      report.cpu = Number(since[2]);
      report.comm = utf8(since[3]!);
      report.pid = Number(since[4]);
    }
    const lockup = LOCKUP.exec(text);
    if (lockup !== null) {
      report.cpu = Number(lockup[1]);
      report.comm = utf8(lockup[2]!);
      report.pid = Number(lockup[3]);
    }
    const atomic = ATOMIC.exec(text);
    if (atomic !== null) {
      report.comm = utf8(atomic[1]!);
      report.pid = Number(atomic[2]);
    }
    const hung = HUNG.exec(text);
    if (hung !== null) {
      // `task:rmmod state:D …` follows, which names no CPU: it runs on none.
      report.comm = utf8(hung[1]!);
      report.pid = Number(hung[2]);
      report.seconds = Number(hung[3]);
      report.cpu = -1;
      report.placed = true;
    }
    open.set(caller, report);
  }

  /** A line of a report that has begun. */
  function go(caller: string, report: Report, text: string): void {
    report.lastUnloaded ??= lastUnloaded(text);
    if (report.tracing) {
      trace(caller, report, text);
      return;
    }
    if (/^Call [Tt]race:/.test(text)) {
      report.tracing = true;
      return;
    }
    const task = report.placed ? null : TASK.exec(text);
    if (task !== null) {
      const [, cpu, pid, comm, kernel] = task;
      report.placed = true;
      report.cpu = Number(cpu);
      report.pid = Number(pid);
      report.comm = utf8(comm!);
      tellKernel(kernel!);
      return;
    }
    const instruction = INSTRUCTION.exec(text)?.[1];
    if (instruction !== undefined) {
      report.at = instruction.replace(BUILD_ID, ' [$1]');
      return;
    }
    const access = ACCESS.exec(text);
    if (access !== null) {
      report.address ??= hex(access[1]);
      if (access[3] !== undefined) {
        report.comm = utf8(access[2]!);
        report.pid = Number(access[3]);
      }
      return;
    }
    if (text.startsWith(END)) close(caller, report);
  }

  function trace(caller: string, report: Report, text: string): void {
    if (report.traced) {
      close(caller, report);
      return;
    }
    const frame = FRAME.exec(text);
    if (frame !== null) {
      if (frame[1] === undefined && report.frames.length < MOST_FRAMES) {
        report.frames.push(frame[2]!.replace(BUILD_ID, ' [$1]'));
      }
      return;
    }
    const mark = MARK.exec(text);
    if (mark !== null) {
      report.marked = mark[1] === '';
      report.firstMark ??= mark[2];
      // What follows tells the modules.
      if (!report.marked && mark[2] === 'TASK') report.traced = true;
      return;
    }
    if (OVER.test(text) || !(report.marked || REGISTERS.test(text))) close(caller, report);
  }

  function closeAll(): void {
    for (const [caller, report] of [...open]) close(caller, report);
  }

  function tellKernel(kernel: string): void {
    if (kernelKnown) return;
    kernelKnown = true;
    sink.facts({ kernel });
  }

  return {
    line(bytes, start, end, line) {
      const whole = bytes.toString('latin1', start, Math.min(end, start + LONGEST));
      const { text, stamp, caller, kernel } = readMessage(whole);
      lines = line;
      if (stamp !== undefined) advance(stamp);
      const isLogged = kernel && (stamp !== undefined || !stamped);
      if (isLogged && DUMPS.test(text)) closeAll();
      if ((isLogged || dump.reading) && dump.line(text, line)) return;
      if (crashes.length > 0 && !dump.reading && line - crashes[0]!.line > DUMP_DISTANCE) tellCrashes();
      if (stamp === undefined && stamped) {
        // What user space wrote to the same console, or the parts pstore cut the log into, last part first.
        if (/^(?:Oops|Panic)#\d+ Part\d+$/.test(text)) sink.facts({ ordered: false });
        return;
      }
      if (!kernel) return;
      const by = caller ?? '';
      if (OOPS.test(text) || DIES.test(text)) begin(by, 'oops', text, line);
      else if (SPLAT.test(text)) begin(by, 'warn', text, line);
      else if (HUNG.test(text)) begin(by, 'hung', text, line);
      else {
        const report = open.get(by);
        if (report !== undefined) go(by, report, text);
        else if (text.startsWith('Linux version ')) tellKernel(text.split(' ', 3)[2]!);
      }
      if (text.startsWith(END) && !dump.reading) tellCrashes();
    },
    end() {
      closeAll();
      dump.end(lines);
      tellCrashes();
    },
  };
}

/** No kernel stack is deeper; a hostile log may be. */
const MOST_FRAMES = 256;

/** The module that went last, unless it has come again. */
function lastUnloaded(text: string): string | undefined {
  const [, linked = '', name] = MODULES.exec(text) ?? [];
  const isBack = linked.split(' ').some((module) => module.replace(/\(.*/, '') === name);
  return isBack ? undefined : name;
}

function contextOf({ firstMark, frames }: Report): ExecContext {
  switch (firstMark) {
    case 'TASK':
      return 'task';
    case 'NMI':
      return 'nmi';
    case 'SOFTIRQ':
      return 'softirq';
    case 'IRQ': {
      // One stack serves both, so the innermost frame that can belong to only one of them tells.
      const telling = frames.find((frame) => SOFTIRQ_FRAME.test(frame) || HARDIRQ_FRAME.test(frame));
      if (telling === undefined) return 'unknown';
      return SOFTIRQ_FRAME.test(telling) ? 'softirq' : 'hardirq';
    }
    default:
      return 'unknown';
  }
}

function hex(digits: string | undefined): Code['address'] {
  return digits === undefined ? undefined : `0x${digits}`;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}
