import type { Command } from 'commander';
import type { Run } from '../program.ts';

const schemas = {
  findings: async () => (await import('../../model/report.ts')).reportSchema,
  tail: async () => (await import('../../model/tail-lines.ts')).tailLineSchema,
  diff: async () => (await import('../../model/diff.ts')).diffSchema,
  suppressions: async () => (await import('../../model/suppressions.ts')).suppressionsSchema,
} as const;

export function registerSchema(command: Command, { io }: Run): void {
  const [document] = command.registeredArguments;
  document!.choices(Object.keys(schemas)).default('findings');
  command
    .addHelpText(
      'after',
      `
What the other commands print as JSON has no schema.

Example: modlife schema > findings.schema.json`,
    )
    .action(async (document: keyof typeof schemas) => {
      const [{ z }, schema] = await Promise.all([import('zod'), schemas[document]()]);
      io.stdout.write(`${JSON.stringify(z.toJSONSchema(schema), undefined, 1)}\n`);
    });
}
