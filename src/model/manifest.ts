/** What `modlife capture` writes beside its streams, and what reading a capture directory starts from. */
import { z } from 'zod';
import { backends } from './backend.ts';
import { ruleIds } from './report.ts';

export const MANIFEST = 'modlife/capture@1';

/** A file in the capture directory, never outside of it. */
const file = z.string().regex(/^(?:\w[\w.-]*\/)?\w[\w.-]*$/);

const plannedEvent = z.object({
  event: z.string().describe('system/name under events/'),
  filter: z.string().optional(),
  stack: z.boolean().optional().describe('with the stack of each'),
  from: z
    .string()
    .optional()
    .describe('not recorded until that event, under the condition of its own filter, has happened'),
});

const plannedProbe = z.object({
  name: z.string(),
  at: z.enum(['entry', 'return']),
  fn: z.string(),
  module: z.string().optional(),
  args: z.array(z.string()),
  filter: z.string().optional(),
  stack: z.boolean().optional(),
  from: z.string().optional(),
});

const missing = z.object({
  what: z.string(),
  because: z.string(),
  advice: z.string().optional(),
  rules: z.array(z.enum(ruleIds)).describe('rules that cannot be asked without it'),
  weakens: z.array(z.enum(ruleIds)).describe('rules that see less without it'),
});

export const planSchema = z.object({
  clock: z.string(),
  buffer: z.number().int().optional().describe('KiB for each CPU; a backend of its own memory has none'),
  events: z.array(plannedEvent),
  probes: z.array(plannedProbe),
  watched: z.array(z.string()).describe('modules of which every function is probed'),
  missing: z.array(missing),
});

export const manifestSchema = z.object({
  schema: z.literal(MANIFEST),
  tool: z.object({ name: z.literal('modlife'), version: z.string() }),
  state: z.enum(['recording', 'complete', 'failed']).describe('recording: it was cut off'),
  backend: z.enum(backends),
  kernel: z.object({ release: z.string(), machine: z.string(), cpus: z.number().int() }),
  clock: z.string(),
  begin: z.number().describe('ns on that clock'),
  end: z.number().nullable(),
  command: z
    .object({
      argv: z.array(z.string()),
      status: z.number().int().nullable(),
      signal: z.string().nullable(),
    })
    .nullable(),
  streams: z.array(file).describe('traces'),
  kernelLog: file.nullable(),
  symbols: z.array(file),
  plan: planSchema,
  notProbed: z.array(z.object({ what: z.string(), because: z.string() })),
  lost: z
    .array(
      z.object({
        cpu: z.number().int(),
        lost: z.number().int().describe('events the kernel overwrote or dropped'),
        told: z.number().int().describe('of these, those that the stream itself tells of'),
      }),
    )
    .describe('from per_cpu/cpuN/stats; CPUs without loss are left out'),
  missed: z
    .array(z.object({ name: z.string(), times: z.number().int() }))
    .describe('probes that could not be taken because too many were in flight'),
});

export type Plan = z.infer<typeof planSchema>;
export type PlannedEvent = z.infer<typeof plannedEvent>;
export type PlannedProbe = z.infer<typeof plannedProbe>;
export type Missing = z.infer<typeof missing>;
export type Manifest = z.infer<typeof manifestSchema>;
