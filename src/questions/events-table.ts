import type { Table } from '../model/table.ts';
import type { Store } from '../store/open-store.ts';

const INTEGERS = new Set(['seq', 'ns', 'line', 'refcnt', 'pid', 'cpu']);

/** What `query events` answers, all of it. */
export function eventsTable(store: Store): Table {
  const { columns, rows } = store.stream('events', { limit: -1 });
  return {
    columns: columns.map((name) => ({ name, type: INTEGERS.has(name) ? 'integer' : 'text' })),
    rows,
  };
}
