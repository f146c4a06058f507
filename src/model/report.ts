/**
 * The findings document: what `--json` prints, what renderers render, what the store keeps.
 * Fields may be added, not renamed.
 */
import { z } from 'zod';
import { SCHEMA } from './schema-id.ts';

export const ruleIds = [
  'ref-leak',
  'put-without-get',
  'put-after-failed-get',
  'unprotected-get',
  'early-put',
  'release-after-exit',
  'text-in-use',
  'free-in-interrupt',
  'stuck-unload',
  'forced-unload',
  'busy-unload',
  'trace-gap',
] as const;

const context = z.enum(['task', 'softirq', 'hardirq', 'nmi', 'unknown']);
const task = z.object({ comm: z.string(), pid: z.number().int() });

export const evidenceSchema = z.object({
  role: z.string().describe('what this event is in the story, in a few words'),
  ns: z.number().describe("nanoseconds on the capture's clock"),
  input: z.number().int().describe('index into inputs'),
  line: z.number().int().describe('1-based line of that input'),
  event: z.string(),
  task,
  cpu: z.number().int(),
  context,
  symbol: z.string().optional(),
  stack: z.array(z.string()).optional(),
});

export const findingSchema = z.object({
  rule: z.enum(ruleIds),
  severity: z.enum(['error', 'warning', 'note']),
  certainty: z
    .enum(['observed', 'predicted', 'possible'])
    .describe(
      'observed: the harmful order is in the trace; predicted: the trace is harmless, but nothing in it enforces the order that made it so; possible: loss or a late start could explain it',
    ),
  fingerprint: z.string().describe('stable across runs, addresses, pids, times and kernel minor versions'),
  module: z.string(),
  incarnation: z.number().int().describe('1 for the first load seen of that name'),
  object: z.string().optional(),
  title: z.string(),
  detail: z.string(),
  overturned_by: z
    .number()
    .int()
    .optional()
    .describe('so many unrecorded events would overturn it; absent: no number of them could'),
  because: z.string().optional().describe('why the certainty is not higher'),
  at: z.object({ ns: z.number(), input: z.number().int(), line: z.number().int() }),
  culprit: z.object({
    symbol: z.string().optional(),
    module: z.string().optional(),
    task: task.optional(),
    context,
  }),
  evidence: z.array(evidenceSchema).min(1),
  candidates: z
    .array(z.object({ symbol: z.string(), task, reading: z.string() }))
    .optional()
    .describe('where pairing is ambiguous: other takers, and how the count reads if it was them'),
  race: z.object({ margin_ns: z.number(), ordered: z.boolean(), witness: z.string() }).optional(),
  fix: z.object({ text: z.string(), pattern: z.string(), reference: z.string().optional() }),
  baseline: z
    .enum(['new', 'known'])
    .optional()
    .describe('with --baseline; known: it was there before, and does not count'),
  suppressed: z
    .object({ reason: z.string(), expires: z.string().optional() })
    .optional()
    .describe('by --suppress; it does not count'),
});

const offsetSchema = z.object({
  ns: z.number().describe("added to this input's own times"),
  uncertainty_ns: z.number().describe('the offset may be off by so much either way'),
  anchors: z.number().int().describe('events that both have, which agree on it'),
  to: z.number().int().describe('index of the input that has them, too'),
});

export const readingSchema = z.object({
  inside: z.string().optional().describe('what the trace was found in: a quoted mail, a CI log'),
  joined: z
    .number()
    .int()
    .optional()
    .describe('lines that a mailer had broken off and that were joined again'),
  cut: z.string().optional().describe('why the rest could not be unpacked'),
  repeated: z
    .number()
    .int()
    .optional()
    .describe('events that were told before, here or by another input, and are counted once'),
  dumped: z
    .number()
    .int()
    .optional()
    .describe('events of a buffer dumped to the log, put on its clock so that they end at the crash'),
  unchecked: z
    .boolean()
    .optional()
    .describe(
      'nothing that another input has, too, shows that it is of the same boot; times are compared as they are',
    ),
  offset: offsetSchema.optional().describe("how its times were put on the first input's clock"),
});

export const inputSchema = z.object({
  path: z.string(),
  format: z.string(),
  kernel: z.string().optional(),
  clock: z.enum(['time', 'tai', 'relative', 'ticks', 'none']),
  lines: z.number().int(),
  events: z.number().int(),
  skipped: z.number().int().describe('lines that are not about module life: other events, banners, stacks'),
  bad: z.number().int().describe('lines that look like ours and could not be read'),
  lost: z.number().int().describe('events the tracer said it lost'),
  first: z.number().nullable().describe('ns of the first event'),
  last: z.number().nullable(),
  end: z
    .number()
    .optional()
    .describe('ns of the last record of any kind: the capture was still running then'),
  cpus: z.number().int().optional(),
  reading: readingSchema.optional().describe('what had to be done before it could be read'),
  capture: z.string().optional().describe('the capture directory that it is a part of'),
});

export const moduleSchema = z.object({
  module: z.string(),
  incarnations: z.number().int(),
  gets: z
    .number()
    .int()
    .describe('module_get events; a reference that the load takes without one is not counted'),
  puts: z
    .number()
    .int()
    .describe(
      "module_put events, the loader's own at the end of a load included, so that gets less puts is not held",
    ),
  held: z.number().int().describe('references still out at the end, as far as they were seen'),
  maxRefcnt: z.number().int().nullable().describe('largest refcnt printed, base included'),
  state: z.enum(['unformed', 'coming', 'live', 'going', 'freed']),
});

export const unloadSchema = z.object({
  module: z.string(),
  incarnation: z.number().int(),
  task,
  begin_ns: z.number(),
  free_ns: z.number().nullable().describe('null: not freed, it is stuck'),
  init_failed: z.boolean().describe('the clean-up after an init that failed, not an unload'),
  claims: z.number().int().describe('soft references that were outstanding when the text was freed'),
  outlive_ns: z
    .number()
    .nullable()
    .describe(
      'how long the memory would have had to outlive the free; null: a claim had not ended when the capture did',
    ),
  could_end: z
    .boolean()
    .nullable()
    .describe(
      'would waiting for all claims have ended? false: the waiting task holds one itself; null: not known',
    ),
});

export const reportSchema = z.object({
  schema: z.literal(SCHEMA),
  tool: z.object({ name: z.literal('modlife'), version: z.string() }),
  inputs: z.array(inputSchema),
  modules: z.array(moduleSchema),
  unloads: z.array(unloadSchema).describe('the latest, with soft references outstanding and without'),
  unloads_omitted: z.number().int().optional().describe('older ones that are not listed'),
  let_go: z
    .object({
      events: z.number().int(),
      until_ns: z.number().describe('time of the last of them'),
    })
    .optional()
    .describe('the oldest events, which the store has no more: what they showed was judged before'),
  passes: z.array(z.object({ rule: z.enum(ruleIds), ran: z.boolean(), because: z.string().optional() })),
  findings: z.array(findingSchema),
  suppressions: z
    .array(
      z.object({
        path: z.string(),
        line: z.number().int(),
        reason: z.string(),
        expires: z.string().optional(),
        state: z
          .enum(['used', 'unused', 'expired', 'not-run'])
          .describe('not-run: its rule did not, so that nobody knows whether it is still needed'),
      }),
    )
    .optional()
    .describe('those that --suppress named'),
  summary: z.object({
    error: z.number().int(),
    warning: z.number().int(),
    note: z.number().int(),
    known: z.number().int().optional().describe('in the baseline, and so not counted above'),
    suppressed: z.number().int().optional().describe('not counted above either'),
  }),
});

export type RuleId = (typeof ruleIds)[number];
export type Evidence = z.infer<typeof evidenceSchema>;
export type Finding = z.infer<typeof findingSchema>;
export type Severity = Finding['severity'];
export type Offset = z.infer<typeof offsetSchema>;
export type Reading = z.infer<typeof readingSchema>;
export type InputSummary = z.infer<typeof inputSchema>;
export type ModuleSummary = z.infer<typeof moduleSchema>;
export type UnloadSummary = z.infer<typeof unloadSchema>;
export type Report = z.infer<typeof reportSchema>;
