/** The probe plan, as `capture --plan` shows it. */
import type { PlanAnswer } from '../model/answers.ts';
import { labelled, plural, type Style, wrap } from './layout.ts';

export function renderPlan({ kernel, plan }: PlanAnswer, style: Style): string {
  const at = (which: 'entry' | 'return') =>
    plan.probes.filter((probe) => probe.at === which).map(({ fn }) => fn);
  return `${[
    wrap(
      `Linux ${kernel}, clock ${plan.clock}: ${plural(plan.events.length, 'event')} and ${plural(plan.probes.length, 'probe')}.`,
      style,
      '',
    ),
    '',
    labelled('events', plan.events.map(({ event }) => event).join(', '), style, 10),
    labelled('enter', at('entry').join(', '), style, 10),
    labelled('return', at('return').join(', '), style, 10),
    labelled(
      'modules',
      plan.watched.length === 0
        ? 'release methods of those with BTF, as they load (--module NAME: every function of it)'
        : `every function of ${plan.watched.join(', ')}, entry and return; release methods of the others with BTF`,
      style,
      10,
    ),
    ...(plan.missing.length === 0 ? [] : ['', 'Cannot be recorded:', '']),
    ...plan.missing.map(({ what, because, advice }) =>
      wrap(`${what}: ${because}${advice === undefined ? '' : ` (${advice})`}`, style, '    ', '  '),
    ),
  ].join('\n')}\n`;
}
