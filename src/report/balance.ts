import type { BalanceAnswer, BalanceRow } from '../model/answers.ts';
import { stackInWords } from './frames.ts';
import { beside, clip, labelled, paint, plural, type Style, span, wrap } from './layout.ts';

const SHOWN = 20;
const PARTNERS = 4;
/** Three counts of six columns and the gap after them. */
const COUNTS = 21;

/** @param full all rows, however many */
export function renderBalance(answer: BalanceAnswer, style: Style, full: boolean): string {
  const { rows, unpaired, doubts } = answer;
  if (rows.length === 0) return 'No module_get in this capture.\n';
  // What a tracer took and gave back is nobody's concern, and there is much of it.
  const told = full ? rows : rows.filter(({ family, held }) => family !== 'tracer' || held > 0);
  const quiet = rows.length - told.length;
  const shown = full ? told : told.slice(0, SHOWN);
  const parts = [
    paint(clip(`  held  gets  puts   ${TAKEN[answer.by]}`, style.width), 'dim', style),
    ...[...byModule(shown)].flatMap(([module, ofModule]) => [
      wrap(module, style, ''),
      ...ofModule.map((row) => renderRow(row, style, full)),
    ]),
  ];
  if (told.length > shown.length) parts.push(`  and ${told.length - shown.length} more (--all)`);
  if (quiet > 0)
    parts.push(
      wrap(`and ${plural(quiet, 'row')} of tracers attaching probes, all given back (--all)`, style, '  '),
    );
  const unheard = unpaired.map(({ module, puts }) =>
    labelled(
      'note',
      `${plural(puts, 'put')} of ${module} ${puts === 1 ? 'answers' : 'answer'} no get in this capture`,
      style,
    ),
  );
  const unsure = doubts.map((doubt) => labelled('doubt', doubt, style));
  const remarks = [...unheard, ...unsure];
  return `${[...parts, ...(remarks.length === 0 ? [] : ['', ...remarks])].join('\n')}\n`;
}

/** Modules in the order of their first row. */
function byModule(rows: readonly BalanceRow[]): Map<string, BalanceRow[]> {
  const modules = new Map<string, BalanceRow[]>();
  for (const row of rows) {
    const ofModule = modules.get(row.module);
    if (ofModule === undefined) modules.set(row.module, [row]);
    else ofModule.push(row);
  }
  return modules;
}

const TAKEN: Readonly<Record<BalanceAnswer['by'], string>> = {
  site: 'taken by, then given back by',
  stack: 'taken through (innermost first), then given back by',
  task: 'taken by task, then given back by',
};

function renderRow(row: BalanceRow, style: Style, full: boolean): string {
  const { held, gets, puts, partners, sameTask, longest, module } = row;
  const own = ` [${module}]`;
  const name = (site: string) => site.replaceAll(own, '');
  const counts = [held, gets, puts].map((count) => String(count).padStart(6)).join('');
  const lead = `${held > 0 ? paint(counts, 'bold', style) : counts}   `;
  const family = row.family === undefined || row.family === 'own' ? '' : ` (${row.family})`;
  const lines = [
    lead +
      wrap(
        `${name(stackInWords(row.taker.split(' < '), full, '--all'))}${family}`,
        style,
        ' '.repeat(COUNTS),
      ).trimStart(),
  ];
  const given = partners.slice(0, PARTNERS).map(({ site, times }) => `${name(site)} ×${times}`);
  if (partners.length > PARTNERS) given.push(`${partners.length - PARTNERS} more`);
  if (given.length > 0) {
    const tasks =
      sameTask === undefined
        ? ''
        : sameTask === puts
          ? ', same task'
          : sameTask === 0
            ? ', other tasks'
            : `, ${sameTask} by the same task`;
    const longestHold = longest === undefined || puts === 0 ? '' : `, within ${span(longest)}`;
    lines.push(beside(`${' '.repeat(COUNTS)}→ `, `${given.join(', ')}${tasks}${longestHold}`, style));
  }
  return lines.join('\n');
}
