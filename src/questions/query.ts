/** The named questions of queries/, and SQL, asked of a store. */
import type { QueriesAnswer, QueryAnswer } from '../model/answers.ts';
import { UserError } from '../model/errors.ts';
import { listQueries as namedQueries } from '../store/list-queries.ts';
import type { QueryResult, Store } from '../store/open-store.ts';
import { findModule } from './held.ts';
import { refuseAfterEnd } from './moment.ts';

export function listQueries(): QueriesAnswer {
  return {
    type: 'queries',
    queries: namedQueries().map(({ sql: _sql, ...query }) => query),
  };
}

/** @throws UserError for a module that the store does not have, naming those that it has */
export function askNamed(store: Store, name: string, params: Readonly<Record<string, string>>): QueryAnswer {
  const answer = plain(store.query(name, params));
  if (params.at !== undefined) refuseAfterEnd(Number(params.at), `at=${params.at}`, store.inputs());
  if (params.module !== undefined && answer.rows.length === 0) {
    const module = findModule(store.report().modules, params.module);
    if (module !== params.module) return askNamed(store, name, { ...params, module });
  }
  return { type: 'query', name, ...answer };
}

export function askSql(store: Store, sql: string): QueryAnswer {
  return { type: 'query', ...plain(store.sql(sql)) };
}

/** SQLite can also give a blob or a BigInt, which JSON cannot. */
function plain({ columns, rows }: QueryResult): Pick<QueryAnswer, 'columns' | 'rows'> {
  return {
    columns,
    rows: rows.map((row) =>
      row.map((cell) => {
        if (cell === null || typeof cell === 'string' || typeof cell === 'number') return cell;
        return Buffer.isBuffer(cell) ? `x'${cell.toString('hex')}'` : String(cell);
      }),
    ),
  };
}

/** `-p module=dm_mod` as given, several times. @throws UserError when one has no `=` */
export function parseParameters(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const at = text.indexOf('=');
      if (at <= 0) throw new UserError('usage', `-p ${text}: expected key=value`, 'as in -p module=dm_mod');
      return [text.slice(0, at), text.slice(at + 1)];
    }),
  );
}
