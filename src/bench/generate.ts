/** Captures for size only: whatever their number of events, the same in every run. */
import { createTraffic } from './module-traffic.ts';
import { createRandom } from './random.ts';
import { createNoise } from './system-noise.ts';
import type { TraceText } from './trace-text.ts';

const OURS_FLAGS = '...1.';
const WITH_STACKS = 0.1;
const DEEP = 60;

/** What kinds of capture there are; each fills a trace with about so many events. */
export const mixes = {
  /** A system-wide capture: one event in a hundred is about modules. */
  noise(trace, events) {
    const random = createRandom(1);
    const traffic = createTraffic(trace, random, 0);
    const noise = createNoise(trace, random);
    while (trace.events < events) {
      if (random.below(100) === 0) traffic.step();
      else noise.step();
    }
  },

  /** Nothing but module events, one in ten with its stack. */
  ours(trace, events) {
    const traffic = createTraffic(trace, createRandom(2), WITH_STACKS);
    while (trace.events < events) traffic.step();
  },

  /** 10⁵ references are out all the time. */
  'many references'(trace, events) {
    const random = createRandom(3);
    const out = Math.min(100_000, events >> 2);
    const who = (i: number) => ({ comm: `holder-${i % 1000}`, pid: 1000 + (i % 20_000) });
    for (let i = 0; trace.events < events; i++) {
      trace.pass(1000 + random.below(1000));
      trace.record(who(i), OURS_FLAGS, `module_get: held call_site=misc_open refcnt=${Math.min(i, out) + 2}`);
      if (i >= out)
        trace.record(who(i - out), OURS_FLAGS, `module_put: held call_site=__fput refcnt=${out + 1}`);
    }
  },

  /** 10⁴ modules at a time. */
  'many modules'(trace, events) {
    const random = createRandom(4);
    for (let i = 0; trace.events < events; i++) {
      trace.pass(1000);
      const module = `mod_${random.below(10_000)}`;
      const task = { comm: 'worker', pid: 1000 + (i % 100) };
      trace.record(task, OURS_FLAGS, `module_get: ${module} call_site=misc_open refcnt=2`);
      trace.record(task, OURS_FLAGS, `module_put: ${module} call_site=__fput refcnt=1`);
    }
  },

  /** Each event with a stack of its own, as deep as the kernel records. */
  'deep stacks'(trace, events) {
    for (let i = 0; trace.events < events; i++) {
      trace.pass(1000);
      const task = { comm: 'worker', pid: 1000 + (i % 100) };
      const [event, site, refcnt] =
        i % 2 === 0 ? ['module_get', 'misc_open', 2] : ['module_put', '__fput', 1];
      trace.record(task, OURS_FLAGS, `${event}: deep call_site=${site} refcnt=${refcnt}`);
      trace.stack(
        task,
        Array.from({ length: DEEP }, (_, depth) => `function_${i % 1000}_${depth}`),
      );
    }
  },

  /** No two tasks have the same name. */
  'distinct comms'(trace, events) {
    for (let i = 0; trace.events < events; i++) {
      trace.pass(1000);
      const task = { comm: `c${i >> 1}`, pid: 1 + ((i >> 1) % 4_000_000) };
      const [event, site, refcnt] =
        i % 2 === 0 ? ['module_get', 'misc_open', 2] : ['module_put', '__fput', 1];
      trace.record(task, OURS_FLAGS, `${event}: busy call_site=${site} refcnt=${refcnt}`);
    }
  },

  /** One module that everybody takes and nobody gives back. */
  'unmatched gets'(trace, events) {
    for (let i = 0; trace.events < events; i++) {
      trace.pass(1000);
      const task = { comm: 'taker', pid: 1000 + (i % 5000) };
      trace.record(task, OURS_FLAGS, `module_get: leaky call_site=leaky_open refcnt=${i + 2}`);
    }
  },
} satisfies Record<string, (trace: TraceText, events: number) => void>;

export type Mix = keyof typeof mixes;
