/** What `tail --json` prints: one of these objects a line. Fields may be added, not renamed. */
import { z } from 'zod';
import { findingSchema, reportSchema } from './report.ts';

const task = z.object({ comm: z.string(), pid: z.number().int() });
/** Where in the source: the event that showed it. */
const place = {
  ns: z.number().describe("nanoseconds on the source's clock"),
  input: z.number().int().describe('index into inputs of the summary: a replaced file is another input'),
  line: z.number().int().describe('1-based line of that input'),
};

export const tailLineSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('finding'),
    provisional: z.literal(true).optional().describe('it may yet be withdrawn'),
    finding: findingSchema,
  }),
  z.object({ type: z.literal('withdrawn'), fingerprint: z.string(), module: z.string() }),
  z.object({
    type: z.literal('state'),
    module: z.string().nullable().describe('null: the tracer did not tell which module was refused'),
    incarnation: z.number().int().nullable(),
    state: z.enum(['unformed', 'coming', 'live', 'going', 'freed', 'refused']),
    users: z.number().int().describe('references out, as far as they were seen'),
    ret: z.number().int().optional().describe('of a refused delete_module: the negative errno'),
    task,
    ...place,
  }),
  z.object({
    type: z.literal('fault'),
    what: z
      .enum(['oops', 'warn', 'dump'])
      .describe('dump: the trace is dumped to the console, as a crash does'),
    message: z.string().describe("the kernel's own words"),
    task,
    ...place,
  }),
  z.object({
    type: z.literal('reference'),
    change: z.enum(['taken', 'given-back']),
    module: z.string(),
    incarnation: z.number().int(),
    site: z.string(),
    users: z.number().int(),
    task,
    ...place,
  }),
  z.object({
    type: z.literal('gap'),
    reason: z
      .enum(['lost', 'truncated', 'replaced', 'unwatched', 'output'])
      .describe(
        'lost: by the tracer; truncated, replaced: the file, and what was not read of it by then; unwatched: what came between the last run that kept this store and this one; output: lines of this very output, which its reader was too slow for',
      ),
    lost: z.number().int().nullable().describe('null: not known how many'),
    input: z.number().int(),
    line: z.number().int(),
  }),
  z.object({ type: z.literal('summary'), report: reportSchema }),
]);

export type TailLine = z.infer<typeof tailLineSchema>;
export type GapLine = Extract<TailLine, { type: 'gap' }>;
