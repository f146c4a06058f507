/** Passes over what a system-wide capture mostly holds: records of other events. What it does is in sieve.as.ts. */
import type { Sieve } from '../../src/model/collector.ts';
import { type Interest, interestIn } from '../event-text.ts';
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
  readonly CHUNK: Global;
  readonly BEYOND: Global;
  readonly lines: Global;
  readonly cpusLow: Global;
  readonly cpusHigh: Global;
  readonly seconds: Global;
  readonly micros: Global;
  know(length: number, what: number): void;
  pass(start: number, end: number, wanted: number): number;
}

/** What the last `pass` went over. */
export interface Passed {
  readonly lines: number;
  /** Was a record of this CPU among it? Those from 64 on are never passed over. */
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
  readonly onPassed: (passed: Passed) => void;
}

const WHAT: Readonly<Record<Interest, number>> = { always: 1, unloading: 2, module: 3 };
const WAKEUPS = 1;
const DEFERRED = 2;
const FRAMES = 4;
const PAGE = 1 << 16;

let module: object | undefined;

export function createSieve({ wanted, onPassed }: Watch): Sieve {
  /** Made when there is something to pass over: a parser may be made for a single line. */
  let compiled: Compiled | undefined;
  let memory: Uint8Array = new Uint8Array();
  let chunkAt = 0;
  let end = 0;
  let lines = 0;

  const passed: Passed = {
    get lines() {
      return lines;
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
    for (const [name, interest] of interestIn) {
      memory.set(Buffer.from(name), chunkAt);
      instance.know(name.length, WHAT[interest]);
    }
    return instance;
  }

  function makeRoom({ memory: pages, BEYOND }: Compiled, length: number): void {
    const missing = chunkAt + length + BEYOND.value - pages.buffer.byteLength;
    if (missing > 0) pages.grow(Math.ceil(missing / PAGE));
    memory = new Uint8Array(pages.buffer);
  }

  return {
    load(chunk) {
      compiled ??= open();
      if (chunkAt + chunk.length > memory.length) makeRoom(compiled, chunk.length);
      memory.set(chunk, chunkAt);
      end = chunkAt + chunk.length;
    },
    pass(start) {
      const looks = wanted();
      lines = 0;
      if (looks === undefined) return start;
      const { wakeups, deferred, frames } = looks;
      const flags = (wakeups ? WAKEUPS : 0) | (deferred ? DEFERRED : 0) | (frames ? FRAMES : 0);
      const at = compiled!.pass(chunkAt + start, end, flags) - chunkAt;
      if (at > start) {
        lines = compiled!.lines.value;
        onPassed(passed);
      }
      return at;
    },
    get lines() {
      return lines;
    },
  };
}
