import { ByteWriter, parquetWriteRows } from 'hyparquet-writer';
import type { Cell, Table } from '../model/table.ts';

/** Rows held in memory at a time. */
const GROUP = 20_000;

/** @param write gets the bytes of one row group after the other */
export function writeParquet(
  { columns, rows }: Table,
  createdBy: string,
  write: (bytes: Uint8Array) => void,
): void {
  const buffer = new ByteWriter();
  const flush = () => {
    write(buffer.getBytes());
    buffer.index = 0;
  };
  parquetWriteRows({
    writer: Object.assign(buffer, { flush }),
    columns: columns.map(({ name, type }) => ({
      name,
      type: type === 'integer' ? ('INT64' as const) : ('STRING' as const),
    })),
    rows: objects(columns, rows),
    rowGroupSize: GROUP,
    createdBy,
  });
  flush();
}

function* objects(columns: Table['columns'], rows: Table['rows']) {
  for (const row of rows) {
    yield Object.fromEntries(columns.map(({ name, type }, index) => [name, value(row[index]!, type)]));
  }
}

function value(cell: Cell, type: Table['columns'][number]['type']): string | bigint | null {
  if (cell === null) return null;
  return type === 'integer' ? BigInt(cell) : String(cell);
}
