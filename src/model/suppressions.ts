/** The file that --suppress reads. */
import { z } from 'zod';
import { ruleIds } from './report.ts';
import { SUPPRESSIONS_SCHEMA } from './schema-id.ts';

const suppressionSchema = z
  .strictObject({
    fingerprint: z
      .string()
      .regex(/^[0-9a-f]{16}$/, 'expected the 16 hexadecimal digits of a finding')
      .optional(),
    rule: z.enum(ruleIds).optional(),
    module: z.string().min(1).optional(),
    symbol: z.string().min(1).optional().describe("the culprit's, as the finding names it"),
    reason: z.string('expected a reason').trim().min(1, 'expected a reason'),
    expires: z.iso
      .date('expected a day like 2027-01-31')
      .optional()
      .describe('the last day on which it holds'),
  })
  .refine(({ fingerprint, rule, module }) => (fingerprint ?? rule ?? module) !== undefined, {
    message: 'expected a fingerprint, a rule or a module',
  });

export const suppressionsSchema = z.strictObject({
  $schema: z.string().optional(),
  schema: z.literal(SUPPRESSIONS_SCHEMA),
  suppressions: z.array(suppressionSchema),
});

export type Suppression = z.infer<typeof suppressionSchema>;
