import type Database from 'better-sqlite3';

/** Rows per INSERT: at 128 the cost of a call has vanished beside that of binding values. */
const ROWS = 128;

/** Rows that wait until an INSERT is full. They are bound as arguments, which costs a third less than an array. */
export interface Batch {
  /** Where `next` says, the row's values go. */
  readonly values: unknown[];
  next(): number;
  flush(): void;
}

export function createBatch(db: Database.Database, table: string, columns: readonly string[]): Batch {
  const width = columns.length;
  const head = `INSERT INTO ${table} (${columns.join(', ')}) VALUES `;
  const row = `(${columns.map(() => '?').join(', ')})`;
  const one = db.prepare(head + row);
  const many = db.prepare(head + Array<string>(ROWS).fill(row).join(', '));
  const values: unknown[] = Array<unknown>(ROWS * width).fill(null);
  let used = 0;
  return {
    values,
    next() {
      if (used === values.length) {
        many.run(...values);
        used = 0;
      }
      const at = used;
      used += width;
      return at;
    },
    flush() {
      if (used === values.length) many.run(...values);
      else for (let at = 0; at < used; at += width) one.run(...values.slice(at, at + width));
      used = 0;
    },
  };
}
