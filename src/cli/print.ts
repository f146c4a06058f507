/** The end of every command: its answer on stdout, as text or as JSON. */
import type { Answer } from '../model/answers.ts';
import { type Io, styleOf } from './io.ts';

interface Options {
  readonly json?: boolean;
  /** Everything, where the text is otherwise kept short. */
  readonly full?: boolean;
}

export async function print(answer: Answer, { json, full }: Options, io: Io): Promise<void> {
  if (json === true) {
    const { toJson } = await import('../report/json.ts');
    io.stdout.write(toJson(answer));
    return;
  }
  const { render } = await import('../report/render.ts');
  io.stdout.write(await render(answer, styleOf(io), full));
}
