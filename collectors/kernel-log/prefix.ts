/**
 * What stands before a kernel message: the kernel's own timestamp and whatever dmesg, journald, syslog, /dev/kmsg or
 * a serial line put around it.
 *
 * Sources: kernel/printk/printk.c, sys-utils/dmesg.c of util-linux, fs/pstore/platform.c.
 */

export interface Message {
  readonly text: string;
  readonly stamp: Stamp | undefined;
  /** Who printed it, under CONFIG_PRINTK_CALLER: `T123` a task, `C0` a CPU in an interrupt. */
  readonly caller: string | undefined;
  /** False for what user space wrote into the same log. */
  readonly kernel: boolean;
}

/** `kernel`: since boot. `wall`: since the epoch or, where no year is printed, since some year's beginning.
 *  `step`: since the message before, as `dmesg -e` prints it. */
export interface Stamp {
  readonly kind: 'kernel' | 'wall' | 'step';
  readonly ns: number;
}

const ANSI = /\x1b(?:\[[0-9;?]*[ -/]*[@-~]|[@-_a-z])/g;
//                 +- priority  +- µs          +- caller
const KMSG = /^(\d+),\d+,(\d+),[^,;]*(?:,caller=([TC]\d+))?[^;]*;/;
const PRIORITY = /^<(\d{1,3})>/;
/** `dmesg -x` */
const DECODED = /^([a-z]+\d?) *:[a-z]+ *: /;
//              +- Mon DD HH:MM:SS                                   +- RFC 3339                                           +- epoch               +- tag
const LOGGED =
  /^(?:([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?)|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?)|(\d{9,10}\.\d{6})) \S+ ([^\s:[]+)(?:\[\d+\])?: ?/;
/** `dmesg --time-format iso` prints a comma before the fraction and no host. */
const ISO = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d),(\d{6})([+-]\d\d:\d\d) /;
//                      +- s    +- µs    +- dmesg -d            +- caller        +- CONFIG_PRINTK_EXECUTION_CTX
const STAMPED = /^\[ *(\d+)\.(\d{6})(?: <[ \d.]+>)?\](?:\[ *([TC]\d+)\](?:\[ *CPU\d+\]\[[^\]]{0,20}\])?)? ?/;
/** A line that user space began and the kernel went on. */
const STAMPED_LATER = /\[ {0,4}\d{1,10}\.\d{6}\]/;
/** `dmesg -T` */
const DATED = /^\[[A-Z][a-z]{2} ([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) (\d{4})\] ?/;
/** `dmesg -e`: the time of day when the minute changes, else the time since the message before. */
const MINUTE = /^\[([A-Z][a-z]{2})([ \d]\d) (\d\d:\d\d)\] ?/;
const STEP = /^\[ *\+(\d+)\.(\d{6})\] ?/;
/** `journalctl -o short-monotonic` goes on with the host behind the kernel's timestamp. */
const TAGGED = /^\S+ ([^\s:[]+)(?:\[\d+\])?: /;

export function readMessage(line: string): Message {
  let text = line.includes('\x1b') ? line.replace(ANSI, '') : line;
  if (text.endsWith('\r')) text = text.slice(0, -1);

  let stamp: Stamp | undefined;
  let caller: string | undefined;
  let kernel = true;

  const kmsg = KMSG.exec(text);
  if (kmsg !== null) {
    return {
      text: text.slice(kmsg[0].length),
      stamp: { kind: 'kernel', ns: Number(kmsg[2]) * 1000 },
      caller: kmsg[3],
      kernel: isKernelPriority(kmsg[1]!),
    };
  }
  const priority = PRIORITY.exec(text);
  if (priority !== null) {
    text = text.slice(priority[0].length);
    kernel = isKernelPriority(priority[1]!);
  }
  const decoded = DECODED.exec(text);
  if (decoded !== null && text.charCodeAt(decoded[0].length) === OPEN_BRACKET) {
    text = text.slice(decoded[0].length);
    kernel = decoded[1] === 'kern';
  }
  const logged = LOGGED.exec(text);
  const iso = logged === null ? ISO.exec(text) : null;
  if (logged !== null) {
    const [whole, syslog, rfc, epoch, tag] = logged;
    text = text.slice(whole.length);
    kernel &&= tag === 'kernel';
    stamp = { kind: 'wall', ns: epoch !== undefined ? Number(epoch) * 1e9 : wall(syslog ?? rfc!) };
  } else if (iso !== null) {
    text = text.slice(iso[0].length);
    stamp = { kind: 'wall', ns: wall(`${iso[1]}.${iso[2]}${iso[3]}`) };
  }

  if (text.charCodeAt(0) !== OPEN_BRACKET && stamp === undefined && priority === null) {
    const later = STAMPED_LATER.exec(text);
    if (later !== null) text = text.slice(later.index);
  }
  const stamped = STAMPED.exec(text);
  if (stamped !== null) {
    const [whole, seconds, micros, by] = stamped;
    text = text.slice(whole.length);
    stamp = { kind: 'kernel', ns: Number(seconds) * 1e9 + Number(micros) * 1000 };
    caller = by;
    const tagged = logged === null ? TAGGED.exec(text) : null;
    // Else `host kernel: ` would have to be told from a message that begins with two words.
    if (tagged?.[1] === 'kernel') text = text.slice(tagged[0].length);
    return { text, stamp, caller, kernel };
  }
  const dated = DATED.exec(text);
  if (dated !== null) {
    return {
      text: text.slice(dated[0].length),
      stamp: { kind: 'wall', ns: wall(dated[1]!, dated[2]) },
      caller,
      kernel,
    };
  }
  const minute = MINUTE.exec(text);
  if (minute !== null) {
    const [whole, month, day, time] = minute;
    return {
      text: text.slice(whole.length),
      stamp: { kind: 'wall', ns: wall(`${month} ${day} ${time}:00`) },
      caller,
      kernel,
    };
  }
  const step = STEP.exec(text);
  if (step !== null) {
    const [whole, seconds, micros] = step;
    return {
      text: text.slice(whole.length),
      stamp: { kind: 'step', ns: Number(seconds) * 1e9 + Number(micros) * 1000 },
      caller,
      kernel,
    };
  }
  return { text, stamp, caller, kernel };
}

const OPEN_BRACKET = 0x5b;

/** A priority is facility * 8 + severity, and facility 0 is the kernel. */
function isKernelPriority(priority: string): boolean {
  return Number(priority) < 8;
}

/** `Nov 20 08:59:41` or RFC 3339 as nanoseconds since the epoch. Syslog prints no year: any leap year will do. */
function wall(date: string, year = '2000'): number {
  const syslog = SYSLOG_DATE.exec(date);
  if (syslog === null) return (Date.parse(date.replace(/([+-]\d\d)(\d\d)$/, '$1:$2')) || 0) * 1e6;
  const [, month, day, hours, minutes, seconds] = syslog;
  const at = Date.UTC(Number(year), MONTHS.indexOf(month!), Number(day), Number(hours), Number(minutes));
  return at * 1e6 + Math.round(Number(seconds) * 1e9);
}

const SYSLOG_DATE = /^([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d(?:\.\d+)?)$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
