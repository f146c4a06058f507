/** Passes over what a system-wide capture mostly holds, records of other events, and reads what a capture of modules
 *  mostly holds, references and their stacks. What it does is in sieve.as.ts. */
import type { Sieve } from '../../src/model/collector.ts';
import type { Code, ModuleRefEvent } from '../../src/model/event.ts';
import { type Interest, interestIn } from '../event-text.ts';
import { contextOf } from '../record-header.ts';
import { wasm } from './sieve-module.ts';

/** TypeScript describes it only together with the rest of a browser. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

interface Global {
  readonly value: number;
}

interface Compiled {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly WORD: Global;
  readonly LONGEST_WORD: Global;
  readonly MOST_WORDS: Global;
  readonly COMM: Global;
  readonly MODULE: Global;
  readonly CALL_SITE: Global;
  readonly FRAME: Global;
  readonly COLUMNS: Global;
  readonly CHUNK: Global;
  readonly BEYOND: Global;
  readonly lines: Global;
  readonly columnsEnd: Global;
  readonly inStack: Global;
  readonly cpusLow: Global;
  readonly cpusHigh: Global;
  readonly seconds: Global;
  readonly micros: Global;
  readonly unknown: Global;
  know(length: number, what: number): void;
  teach(kind: number, length: number): number;
  pass(start: number, end: number, wanted: number): number;
}

/** What the last `pass` went over. */
export interface Passed {
  /** Whether it ended in the stack of a reference: its frames may go on. */
  readonly inStack: boolean;
  /** Was the last record of this CPU passed over? Those from 64 on never are. */
  hasCpu(cpu: number): boolean;
  /** When its last record was made, in nanoseconds. */
  readonly end: number;
}

interface Wanted {
  readonly wakeups: boolean;
  readonly deferred: boolean;
  readonly frames: boolean;
}

interface Watch {
  /** What needs a closer look just now; undefined where every line does. */
  readonly wanted: () => Wanted | undefined;
  readonly onReference: (event: ModuleRefEvent) => void;
  /** Of the last reference on this CPU. */
  readonly onStack: (cpu: number, pid: number) => void;
  readonly onFrame: (name: string | undefined) => void;
  readonly onPassed: (passed: Passed) => void;
}

export interface TracefsSieve extends Sieve {
  /** It ended at a word that it was not taught. */
  readonly unknown: boolean;
  /** @param comm as printed */
  teachReference(event: ModuleRefEvent, comm: Uint8Array): void;
  /** @param printed what stands for `name` */
  teachFrame(name: string | undefined, printed: Uint8Array): void;
}

const WHAT: Readonly<Record<Interest, number>> = { always: 1, unloading: 2, module: 3 };
const WAKEUPS = 1;
const DEFERRED = 2;
const FRAMES = 4;
const GET = 1;
const PUT = 2;
const STACK = 3;
const PAGE = 1 << 16;

let module: object | undefined;

export function createSieve({ wanted, onReference, onStack, onFrame, onPassed }: Watch): TracefsSieve {
  /** Made when there is something to pass over: a parser may be made for a single line. */
  let compiled: Compiled | undefined;
  let memory: Uint8Array = new Uint8Array();
  let columns: Int32Array = new Int32Array();
  let chunkAt = 0;
  let end = 0;
  let lines = 0;
  /** What words stand for, by their numbers. */
  let comms: string[] = [];
  let modules: string[] = [];
  let callSites: Code[] = [];
  let frames: (string | undefined)[] = [];

  const passed: Passed = {
    get inStack() {
      return compiled!.inStack.value !== 0;
    },
    hasCpu(cpu) {
      const { cpusLow, cpusHigh } = compiled!;
      return (((cpu < 32 ? cpusLow.value : cpusHigh.value) >>> (cpu & 31)) & 1) === 1 && cpu < 64;
    },
    get end() {
      return compiled!.seconds.value * 1e9 + compiled!.micros.value * 1000;
    },
  };

  function open(): Compiled {
    module ??= new WebAssembly.Module(Buffer.from(wasm, 'base64'));
    const instance = new WebAssembly.Instance(module).exports as Compiled;
    chunkAt = instance.CHUNK.value;
    makeRoom(instance, 0);
    // Whole from the start: what is filled here and there V8 keeps as a dictionary.
    const length = instance.MOST_WORDS.value;
    comms = Array.from({ length });
    modules = Array.from({ length });
    callSites = Array.from({ length });
    frames = Array.from({ length });
    for (const [name, interest] of interestIn) {
      memory.set(Buffer.from(name), instance.WORD.value);
      instance.know(name.length, WHAT[interest]);
    }
    return instance;
  }

  function makeRoom({ memory: pages, COLUMNS, BEYOND }: Compiled, length: number): void {
    const missing = chunkAt + length + BEYOND.value - memory.length;
    if (missing <= 0) return;
    pages.grow(Math.ceil(missing / PAGE));
    memory = new Uint8Array(pages.buffer);
    columns = new Int32Array(pages.buffer, COLUMNS.value);
  }

  /** @param linesBefore of the capture, before those that the last pass went over */
  function read(columnsEnd: number, linesBefore: number): void {
    for (let at = 0; at < columnsEnd; ) {
      const what = columns[at]!;
      if (what === GET || what === PUT) {
        onReference({
          kind: what === GET ? 'module_get' : 'module_put',
          seq: 0,
          input: 0,
          line: linesBefore + columns[at + 1]! + 1,
          ts: columns[at + 5]! * 1e9 + columns[at + 6]! * 1000,
          cpu: columns[at + 2]!,
          pid: columns[at + 4]!,
          comm: comms[columns[at + 7]!]!,
          context: contextOf(columns[at + 3]),
          module: modules[columns[at + 8]!]!,
          callSite: callSites[columns[at + 9]!]!,
          refcnt: columns[at + 10]!,
        });
        at += 11;
      } else if (what === STACK) {
        onStack(columns[at + 1]!, columns[at + 2]!);
        at += 3;
      } else {
        onFrame(frames[columns[at + 1]!]);
        at += 2;
      }
    }
  }

  function teach<Value>(meanings: Value[], kind: Global, word: Uint8Array, meaning: Value): void {
    const { WORD, LONGEST_WORD, teach: number } = compiled!;
    if (word.length > LONGEST_WORD.value) return;
    memory.set(word, WORD.value);
    meanings[number(kind.value, word.length)] = meaning;
  }

  return {
    load(chunk) {
      compiled ??= open();
      makeRoom(compiled, chunk.length);
      memory.set(chunk, chunkAt);
      end = chunkAt + chunk.length;
    },
    pass(start, linesBefore) {
      const looks = wanted();
      lines = 0;
      if (looks === undefined) return start;
      const { wakeups, deferred, frames } = looks;
      const flags = (wakeups ? WAKEUPS : 0) | (deferred ? DEFERRED : 0) | (frames ? FRAMES : 0);
      const at = compiled!.pass(chunkAt + start, end, flags) - chunkAt;
      if (at > start) {
        const { columnsEnd, COLUMNS } = compiled!;
        lines = compiled!.lines.value;
        read((columnsEnd.value - COLUMNS.value) >> 2, linesBefore);
        onPassed(passed);
      }
      return at;
    },
    get lines() {
      return lines;
    },
    get unknown() {
      return compiled?.unknown.value === 1;
    },
    teachReference({ comm, module, callSite }, printed) {
      const { COMM, MODULE, CALL_SITE } = compiled!;
      teach(comms, COMM, printed, comm);
      teach(modules, MODULE, Buffer.from(module, 'latin1'), module);
      teach(callSites, CALL_SITE, Buffer.from(callSite.text, 'latin1'), callSite);
    },
    teachFrame(name, printed) {
      teach(frames, compiled!.FRAME, printed, name);
    },
  };
}
