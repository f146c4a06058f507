/**
 * Where modules lie, and which functions are where: /proc/kallsyms and /proc/modules, read by root.
 *
 *     ffffffffc0416000 t foo_open	[foo]
 *     foo 16384 1 bar, Live 0xffffffffc0416000 (OE)
 *
 * A snapshot that begins with a line of ours is of one moment; any other is taken to be of the first load of each
 * module that the trace shows:
 *
 *     # modlife kallsyms; module=foo; since=123.456789; taken=123.460112
 *
 * `since` is the time of the module_load it belongs to, on the trace's clock; `taken` when it was read.
 *
 * Sources: kernel/kallsyms.c (s_show) and kernel/module/procfs.c (m_show) of Linux 5.10 to 7.2.
 */
import type { Collector, Parser, Sink, Sniffed } from '../../src/model/collector.ts';
import type { ModuleTextEvent } from '../../src/model/event.ts';
import { goneFunctions, type Listed, LONGEST_FUNCTION } from '../init-functions.ts';

//                   +- address        +- type   +- name              +- module
const SYMBOL = /^([0-9a-f]{8,16}) ([A-Za-z?]) ([^\t\n]+?)(?:\t\[([^\]\s]+)\])?$/;
//               +- name +- size                +- state                 +- address
const MODULE =
  /^(\S+) (\d+) -?\d+ (?:-|\S+,) (?:Live|Loading|Unloading) 0x([0-9a-f]{8,16})(?: \([A-Z+-]+\))?$/;
const ADDRESS = /^[0-9a-f]{16}\b/;
const OURS = /^# modlife kallsyms\b/;
const STAMP = /; (since|taken)=(\d+)\.(\d{1,9})\b/g;
const HEADING = /^(?:==.*|#.*|\s*)$/;
const HIDDEN = /^0+$/;
const TEXT = 'tTwW';
/** Mapping symbols of the compiler, and code that is no module's, though kallsyms says so in brackets. */
const NAMELESS = /^\$|^__pfx_/;
const NO_MODULE = /^(?:bpf|__builtin__.*)$/;
/** What lies behind the last symbol of a module is not known to be its own beyond this page. */
const PAGE = 1n << 12n;

export const kallsyms: Collector = {
  name: 'kallsyms',
  title: '/proc/kallsyms or /proc/modules, which say where modules lie',
  sniff,
  createParser,
};

function sniff(head: string): Sniffed {
  if (OURS.test(head)) return true;
  // A script may have put headings, and other files of /proc, between them; the last line may be cut.
  const lines = head.split(/\r?\n/, 64).slice(0, -1);
  const addresses = lines.map((line) => SYMBOL.exec(line)?.[1] ?? MODULE.exec(line)?.[3]);
  const first = lines.findIndex((line) => !HEADING.test(line));
  if (first < 0 || addresses[first] === undefined) return false;
  if (addresses.some((address) => address !== undefined && !HIDDEN.test(address))) return true;
  return { declined: 'its addresses are hidden: read it as root, with kernel.kptr_restrict at most 1' };
}

interface Symbol extends Listed {
  readonly address: bigint;
  readonly symbol: string;
}

function createParser(sink: Sink): Parser {
  const symbols = new Map<string, Symbol[]>();
  const places = new Map<string, { start: string; end: string }>();
  const lines = new Map<string, number>();
  let ts: number | undefined;

  function tell(module: string): void {
    const place = places.get(module);
    const event: ModuleTextEvent = {
      kind: 'module_text',
      seq: 0,
      input: 0,
      line: lines.get(module)!,
      ts: ts ?? 0,
      cpu: -1,
      pid: -1,
      comm: '',
      context: 'unknown',
      module,
      ...(place === undefined ? {} : { place }),
      functions: functionsOf(symbols.get(module) ?? []),
    };
    sink.event(event);
  }

  sink.facts({ preamble: true });
  return {
    line(bytes, start, end, line) {
      const text = bytes.toString('latin1', start, end).trimEnd();
      if (OURS.test(text)) {
        const stamps = new Map(
          [...text.matchAll(STAMP)].map(([, name, s, ns]) => [name, nanoseconds(s!, ns!)]),
        );
        ts = stamps.get('since') ?? stamps.get('taken');
        if (ts !== undefined) sink.facts({ clock: 'time', preamble: false });
        return;
      }
      const [, address, type, symbol, module] = SYMBOL.exec(text) ?? [];
      if (address !== undefined) {
        if (module === undefined || NO_MODULE.test(module) || HIDDEN.test(address)) return;
        if (!lines.has(module)) lines.set(module, line);
        let known = symbols.get(module);
        if (known === undefined) {
          known = [];
          symbols.set(module, known);
        }
        const whole = BigInt(`0x${address}`);
        const at = Number(BigInt.asUintN(52, whole));
        known.push({
          address: whole,
          at,
          isText: TEXT.includes(type!),
          isGlobal: type === 'T',
          symbol: symbol!,
        });
        return;
      }
      const [, name, size, place] = MODULE.exec(text) ?? [];
      if (name !== undefined && !HIDDEN.test(place!)) {
        if (!lines.has(name)) lines.set(name, line);
        const from = BigInt(`0x${place}`);
        places.set(name, { start: hex(from), end: hex(from + BigInt(size!)) });
      } else if (name === undefined && ADDRESS.test(text)) {
        sink.bad({ line, column: 18, message: 'expected "ADDRESS TYPE NAME [MODULE]"', text });
      }
    },
    end() {
      for (const module of lines.keys()) tell(module);
    },
  };
}

/** A function ends where the next symbol, of whatever kind, begins. */
function functionsOf(symbols: readonly Symbol[]): ModuleTextEvent['functions'] {
  const gone = goneFunctions(symbols);
  const falling = symbols.filter((symbol) => !gone.has(symbol)).sort((a, b) => b.at - a.at);
  const functions: ModuleTextEvent['functions'][number][] = [];
  let next: bigint | undefined;
  let before: bigint | undefined;
  for (const { address: at, isText, symbol } of falling) {
    if (at !== before) next = before;
    before = at;
    // Of several names for one place the first stays: static functions come before their global aliases.
    if (!isText || NAMELESS.test(symbol) || functions.at(-1)?.address === hex(at)) continue;
    const size = (next ?? (at / PAGE + 1n) * PAGE) - at;
    functions.push({ address: hex(at), size: Math.min(Number(size), LONGEST_FUNCTION), symbol });
  }
  return functions.reverse();
}

function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}

function nanoseconds(seconds: string, fraction: string): number {
  return Number(seconds) * 1e9 + Number(fraction.padEnd(9, '0'));
}
