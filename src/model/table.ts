/** Rows too many to hold: each is read when it is asked for. */
export interface Table {
  readonly columns: readonly { readonly name: string; readonly type: 'integer' | 'text' }[];
  readonly rows: Iterable<readonly Cell[]>;
}

export type Cell = string | number | null;
