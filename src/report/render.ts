/** An answer as a person reads it in a terminal. Only the renderer that is needed is loaded. */
import type { Answer } from '../model/answers.ts';
import type { Style } from './layout.ts';

/** @param full everything, where the text is otherwise kept short */
export async function render(answer: Answer, style: Style, full = false): Promise<string> {
  switch (answer.type) {
    case 'holders':
      return (await import('./holders.ts')).renderHolders(answer, style, full);
    case 'why-busy':
      return (await import('./why-busy.ts')).renderWhyBusy(answer, style);
    case 'balance':
      return (await import('./balance.ts')).renderBalance(answer, style, full);
    case 'diff':
      return (await import('./diff.ts')).renderDiff(answer, style);
    case 'query':
      return (await import('./query.ts')).renderQuery(answer, style);
    case 'queries':
      return (await import('./query.ts')).renderQueries(answer, style);
    case 'rule':
      return (await import('./explain.ts')).renderRule(answer, style);
    case 'rules':
      return (await import('./explain.ts')).renderRules(answer, style);
    case 'plan':
      return (await import('./plan.ts')).renderPlan(answer, style);
    case 'doctor':
      return (await import('./doctor.ts')).renderDoctor(answer, style);
    case 'ci':
      return (await import('./ci.ts')).renderCi(answer, style);
    default:
      return answer satisfies never;
  }
}
