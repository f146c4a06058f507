/** What `diff --json` prints. Fields may be added, not renamed. */
import { z } from 'zod';
import { findingSchema, inputSchema } from './report.ts';
import { DIFF_SCHEMA } from './schema-id.ts';

const counts = z.object({ error: z.number().int(), warning: z.number().int(), note: z.number().int() });
const side = z.object({
  path: z.string(),
  inputs: z.array(inputSchema).describe('what at.input of a finding of this side counts'),
  summary: counts,
});

export const diffSchema = z.object({
  schema: z.literal(DIFF_SCHEMA),
  type: z.literal('diff'),
  tool: z.object({ name: z.literal('modlife'), version: z.string() }),
  a: side,
  b: side,
  new: z.array(findingSchema).describe('of B'),
  fixed: z.array(findingSchema).describe('of A, and B could have shown them'),
  unchanged: z.array(
    z.object({
      finding: findingSchema.describe('as B has it'),
      was: findingSchema
        .pick({ severity: true, certainty: true })
        .optional()
        .describe('in A, where that differs'),
    }),
  ),
  undecided: z
    .array(z.object({ finding: findingSchema, because: z.string() }))
    .describe('of A, and B could not have shown them: neither fixed nor still there'),
  warnings: z.array(z.string()),
  summary: z.object({
    new: counts.describe('suppressed ones not counted'),
    fixed: z.number().int(),
    unchanged: z.number().int(),
    undecided: z.number().int(),
  }),
});

export type DiffAnswer = z.infer<typeof diffSchema>;
