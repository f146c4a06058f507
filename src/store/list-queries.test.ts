import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createStore } from './create-store.ts';
import { listQueries, parseQuery } from './list-queries.ts';
import { openStore } from './open-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'modlife-queries-'));
const path = join(folder, 'a.db');
const writer = createStore(path);
writer.finish({
  incarnations: [],
  references: [],
  standings: [],
  report: {
    schema: 'modlife/findings@1',
    tool: { name: 'modlife', version: '0' },
    inputs: [],
    modules: [],
    unloads: [],
    passes: [],
    findings: [],
    summary: { error: 0, warning: 0, note: 0 },
  },
});
const store = openStore(path);

afterAll(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

test('the questions users ask are all there', () => {
  expect(listQueries().map((query) => query.name)).toEqual([
    'balance',
    'busiest',
    'events',
    'findings',
    'holders',
    'incarnations',
    'loss',
    'modules',
    'unloads',
  ]);
});

describe.each(listQueries())('$name', (query) => {
  test('has the columns its comment says', () => {
    expect(store.query(query.name, {}).columns).toEqual(query.columns.map((column) => column.name));
  });

  test('has the parameters its comment says', () => {
    const body = query.sql.replace(/^--.*$/gm, '');
    const used = new Set(body.match(/(?<=[^:\w]):\w+/g)?.map((name) => name.slice(1)));
    expect([...used].sort()).toEqual(query.parameters.map((parameter) => parameter.name).sort());
    const all = Object.fromEntries(
      query.parameters.map(({ name, type }) => [name, type === 'text' ? 'x' : 1]),
    );
    expect(store.query(query.name, all).rows).toEqual([]);
  });

  test('answers in one line that fits a terminal', () => {
    expect(query.summary.length).toBeLessThanOrEqual(110);
    expect(query.summary).toMatch(/\.$/);
  });
});

test('help may go on for a line', () => {
  const sql = `-- What is out.
-- :at  integer. The moment,
--      in ns.
--
-- held  references out
--       at the end
SELECT 1 AS held;
`;
  expect(parseQuery('x', sql)).toEqual({
    name: 'x',
    summary: 'What is out.',
    parameters: [{ name: 'at', type: 'integer', optional: false, help: 'The moment, in ns.' }],
    columns: [{ name: 'held', help: 'references out at the end' }],
    sql,
  });
});

test('a comment that cannot be read is our bug, and named', () => {
  expect(() => parseQuery('x', '-- Why.\n--\n-- held\nSELECT 1')).toThrow(
    'queries/x.sql: cannot read the comment line "held"',
  );
  expect(() => parseQuery('x', 'SELECT 1')).toThrow('queries/x.sql');
});
