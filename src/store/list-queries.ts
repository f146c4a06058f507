import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { packageRoot } from '../package-root.ts';

export interface QueryParameter {
  readonly name: string;
  readonly type: 'text' | 'integer';
  readonly optional: boolean;
  readonly help: string;
}

/** A file of queries/, whose leading comment is its documentation. */
export interface NamedQuery {
  readonly name: string;
  /** What it answers. */
  readonly summary: string;
  readonly parameters: readonly QueryParameter[];
  readonly columns: readonly { readonly name: string; readonly help: string }[];
  readonly sql: string;
}

/** All of queries/, by name. */
export function listQueries(): NamedQuery[] {
  const folder = join(packageRoot(), 'queries');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => parseQuery(basename(file, '.sql'), readFileSync(join(folder, file), 'utf8')));
}

//                   +- name   +- type            +- optional       +- help
//                   |         |                  |                 |
const PARAMETER = /^:(\w+) +(text|integer)(, optional)?\. (.+)$/;
const COLUMN = /^(\w+) {2,}(.+)$/;
const CONTINUED = /^ {2,}(.+)$/;

/**
 * The leading comment: what the query answers, then a line per parameter, an empty one, and a line per column.
 *
 *     -- References taken and dropped per call site, most still held first.
 *     -- :module  text, optional. Only this module.
 *     --
 *     -- call_site  caller of the get or put
 *     -- held       taken here and not given back;
 *     --            an indented line continues the one above
 */
export function parseQuery(name: string, sql: string): NamedQuery {
  const comment = /^(?:--.*\n)*/.exec(sql)![0];
  const [head = [], columnLines = []] = paragraphs(comment);
  const firstParameter = head.findIndex((line) => line.startsWith(':'));
  const summaryLines = firstParameter === -1 ? head : head.slice(0, firstParameter);
  if (summaryLines.length === 0) throw new Error(`queries/${name}.sql: says not what it answers`);
  const parameterLines = firstParameter === -1 ? [] : head.slice(firstParameter);
  return {
    name,
    summary: summaryLines.join(' '),
    parameters: parse(name, parameterLines, PARAMETER, (match) => ({
      name: match[1]!,
      type: match[2] as QueryParameter['type'],
      optional: match[3] !== undefined,
      help: match[4]!,
    })),
    columns: parse(name, columnLines, COLUMN, (match) => ({ name: match[1]!, help: match[2]! })),
    sql,
  };
}

function paragraphs(comment: string): string[][] {
  const result: string[][] = [[]];
  for (const line of comment.trimEnd().split('\n')) {
    const text = line.replace(/^-- ?/, '').trimEnd();
    if (text === '') result.push([]);
    else result.at(-1)!.push(text);
  }
  return result;
}

function parse<T extends { help: string }>(
  query: string,
  lines: readonly string[],
  pattern: RegExp,
  read: (match: RegExpExecArray) => T,
): T[] {
  const result: T[] = [];
  for (const line of lines) {
    const match = pattern.exec(line);
    const more = CONTINUED.exec(line);
    const last = result.at(-1);
    if (match !== null) result.push(read(match));
    else if (more !== null && last !== undefined) last.help += ` ${more[1]}`;
    else throw new Error(`queries/${query}.sql: cannot read the comment line ${JSON.stringify(line)}`);
  }
  return result;
}
