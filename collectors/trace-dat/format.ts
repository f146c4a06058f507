/**
 * The `format` file of an event: where in its record which field lies. Ids and layouts are those of one boot of one
 * kernel, so every file brings its own.
 */

export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly signed: boolean;
  /** `absolute`: a u32 with offset and length of the value within the record; `relative`: counted from its own end. */
  readonly location: 'here' | 'absolute' | 'relative';
  /** `char name[16]`, `unsigned long caller[]` */
  readonly array: boolean;
}

export interface Format {
  readonly id: number;
  readonly system: string;
  readonly name: string;
  readonly fields: ReadonlyMap<string, Field>;
  /** With its quotes and the arguments behind it. */
  readonly printed: string;
}

//                     +- type    +- name +- array          +- offset       +- size         +- signed
const FIELD =
  /^\s*field:(.{1,200}?)(\w+)(\[[^\]]{0,40}\])?;\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:([01]);)?/;
const LONGEST_LINE = 1 << 16;
const LONGEST_FORMAT = 1 << 20;

/** Undefined when this is no description of an event. */
export function readFormat(system: string, text: string): Format | undefined {
  if (text.length > LONGEST_FORMAT) return undefined;
  let name: string | undefined;
  let id = -1;
  let printed = '';
  const fields = new Map<string, Field>();
  for (const line of text.split('\n')) {
    if (line.length > LONGEST_LINE) continue;
    if (line.startsWith('name: ')) name = line.slice(6).trim();
    else if (line.startsWith('ID: ')) id = Number.parseInt(line.slice(4), 10);
    else if (line.startsWith('print fmt: ')) printed = line.slice(11);
    else {
      const [, type, field, brackets, offset, size, signed] = FIELD.exec(line) ?? [];
      if (type === undefined || field === undefined) continue;
      fields.set(field, {
        name: field,
        offset: Number(offset),
        size: Number(size),
        signed: signed === '1',
        location: type.startsWith('__data_loc')
          ? 'absolute'
          : type.startsWith('__rel_loc')
            ? 'relative'
            : 'here',
        array: brackets !== undefined,
      });
    }
  }
  return name === undefined || !(id >= 0) ? undefined : { id, system, name, fields, printed };
}
