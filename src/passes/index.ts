import { freeInInterrupt } from './free-in-interrupt.ts';
import type { Pass } from './pass.ts';
import { putAfterFailedGet, putWithoutGet } from './put-without-get.ts';
import { refLeak } from './ref-leak.ts';
import { earlyPut, unprotectedGet } from './self-references.ts';
import { stuckUnload } from './stuck-unload.ts';
import { releaseAfterExit, textInUse } from './text-outlived.ts';
import { traceGap } from './trace-gap.ts';
import { busyUnload, forcedUnload } from './unload-with-holders.ts';

/** Every question, in the order in which a report lists them. */
export const passes: readonly Pass[] = [
  refLeak,
  putWithoutGet,
  putAfterFailedGet,
  unprotectedGet,
  earlyPut,
  releaseAfterExit,
  textInUse,
  freeInInterrupt,
  stuckUnload,
  forcedUnload,
  busyUnload,
  traceGap,
];
