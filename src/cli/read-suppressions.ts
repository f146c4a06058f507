/** The file of suppressions, written by hand: what is wrong in it is told with its place. */
import { readFileSync } from 'node:fs';
import { type AnyNode, evaluate, parse } from '@humanwhocodes/momoa';
import { UserError } from '../model/errors.ts';
import { suppressionsSchema } from '../model/suppressions.ts';
import type { PlacedSuppression } from '../questions/triage.ts';

const HINT = 'modlife schema suppressions describes the file';

/** JSON, in which comments are allowed. @throws UserError naming file, line and column */
export function readSuppressions(path: string): PlacedSuppression[] {
  const body = readTree(path);
  const { success, data, error } = suppressionsSchema.safeParse(evaluate(body));
  if (!success) {
    const issue = error.issues[0]!;
    const where = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0]!] : issue.path;
    const { line, column } = placeOf(body, where);
    const name = where.length === 0 ? '' : `${where.join('.')}: `;
    throw new UserError('usage', `${path}:${line}:${column}: ${name}${issue.message}`, HINT);
  }
  return data.suppressions.map((suppression, index) => ({
    ...suppression,
    path,
    line: placeOf(body, ['suppressions', index]).line,
  }));
}

function readTree(path: string): AnyNode {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UserError(
      'noinput',
      `${path}: ${code === 'ENOENT' ? 'no such file' : (code ?? String(error))}`,
    );
  }
  try {
    return parse(text.replace(/^\ufeff/, ''), { mode: 'jsonc', allowTrailingCommas: true }).body;
  } catch (error) {
    // It ends with the place, which stands in front here.
    const [, message, line, column] = /^(.*?)\.? \((\d+):(\d+)\)$/.exec((error as Error).message) ?? [];
    if (message === undefined) throw error;
    if (message.startsWith('Unexpected end')) throw new UserError('usage', `${path}: ends too early`, HINT);
    throw new UserError('usage', `${path}:${line}:${column}: ${message}`, HINT);
  }
}

/** The place of the member or element, or of what it is missing from. */
function placeOf(body: AnyNode, path: readonly PropertyKey[]): { line: number; column: number } {
  let node = body;
  let place = node.loc.start;
  for (const key of path) {
    const child = childOf(node, key);
    if (child === undefined) break;
    node = child.value;
    place = child.loc.start;
  }
  return place;
}

function childOf(node: AnyNode, key: PropertyKey) {
  if (node.type === 'Array' && typeof key === 'number') return node.elements[key];
  if (node.type !== 'Object') return undefined;
  return node.members.find(({ name }) => (name.type === 'String' ? name.value : name.name) === key);
}
