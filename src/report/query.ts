import type { QueriesAnswer, QueryAnswer } from '../model/answers.ts';
import { beside, plural, type Style, table } from './layout.ts';

export function renderQuery({ columns, rows }: QueryAnswer, style: Style): string {
  if (rows.length === 0) return 'No rows.\n';
  // A column in which nothing was recorded only takes room; --json and --csv have it.
  const said = columns.map((_, column) => rows.some((row) => row[column] !== null));
  const keep = <T>(row: readonly T[]) => row.filter((_, column) => said[column]);
  const silent = columns.filter((_, column) => !said[column]);
  const left = silent.length === 0 ? '' : `\n${plural(rows.length, 'row')}; nothing in ${silent.join(', ')}`;
  if (silent.length === columns.length) return `${plural(rows.length, 'row')} of nothing but NULL.\n`;
  return `${table(keep(columns), rows.map(keep), style)}${left}\n`;
}

export function renderQueries({ queries }: QueriesAnswer, style: Style): string {
  const margin = Math.max(...queries.map(({ name }) => name.length)) + 2;
  const lines = queries.map(({ name, summary, parameters }) => {
    const words = parameters.map((parameter) =>
      parameter.optional ? `[${parameter.name}]` : parameter.name,
    );
    return beside(
      name.padEnd(margin),
      `${summary}${words.length === 0 ? '' : ` -p ${words.join(' ')}`}`,
      style,
    );
  });
  return `${lines.join('\n')}\n\nmodlife query NAME [-p key=value…] CAPTURE…\n`;
}
