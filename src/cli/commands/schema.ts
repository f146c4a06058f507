import type { Command } from 'commander';
import type { Run } from '../program.ts';

export function registerSchema(program: Command, { io }: Run): void {
  program
    .command('schema')
    .description('JSON Schema of the findings document')
    .addHelpText('after', '\nExample: modlife schema > findings.schema.json')
    .action(async () => {
      const [{ z }, { reportSchema }] = await Promise.all([import('zod'), import('../../model/report.ts')]);
      io.stdout.write(`${JSON.stringify(z.toJSONSchema(reportSchema), undefined, 1)}\n`);
    });
}
