/**
 * The type information of a kernel and its modules, as far as capture asks: where a member lies in a struct, and
 * what functions take and return.
 *
 * Source: Documentation/bpf/btf.rst. A module's BTF goes on where that of vmlinux ends, both in its types and in
 * its strings.
 */

export interface Btf {
  /** Offset in bytes of a member of a struct. */
  memberOffset(struct: string, member: string): number | undefined;
  /** The functions this BTF itself describes; of a module, only its own. */
  functions(): Iterable<BtfFunction>;
}

export interface BtfFunction {
  readonly name: string;
  /** `int`: any integer or enum. */
  readonly returns: 'void' | 'int' | 'other';
  /** What its arguments point to, as `kobject` for `struct kobject *`; undefined for all else. */
  readonly pointees: readonly (string | undefined)[];
}

const MAGIC = 0xeb9f;
const KIND = {
  int: 1,
  ptr: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  proto: 13,
  var: 14,
  datasec: 15,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;
/** Bytes of a type before what its kind adds. */
const HEAD = 12;

/** One blob of BTF, indexed. */
export interface Section {
  readonly bytes: Buffer;
  /** Where each of its types begins. */
  readonly types: readonly number[];
  readonly strings: number;
  readonly stringsSize: number;
}

/** @returns undefined for what is no BTF of this machine's byte order, or damaged */
export function readSection(bytes: Buffer): Section | undefined {
  try {
    return index(bytes);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function index(bytes: Buffer): Section | undefined {
  if (bytes.readUInt16LE(0) !== MAGIC) return undefined;
  const header = bytes.readUInt32LE(4);
  const start = header + bytes.readUInt32LE(8);
  const end = start + bytes.readUInt32LE(12);
  const types: number[] = [];
  for (let at = start; at < end; at += HEAD + extra(bytes, at)) types.push(at);
  return {
    bytes,
    types,
    strings: header + bytes.readUInt32LE(16),
    stringsSize: bytes.readUInt32LE(20),
  };
}

function kindAt(bytes: Buffer, at: number): number {
  return (bytes.readUInt32LE(at + 4) >>> 24) & 0x1f;
}

function countAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) & 0xffff;
}

function extra(bytes: Buffer, at: number): number {
  const count = countAt(bytes, at);
  switch (kindAt(bytes, at)) {
    case KIND.int:
    case KIND.var:
    case KIND.declTag:
      return 4;
    case KIND.array:
      return 12;
    case KIND.struct:
    case KIND.union:
    case KIND.datasec:
    case KIND.enum64:
      return 12 * count;
    case KIND.enum:
    case KIND.proto:
      return 8 * count;
    default:
      return 0;
  }
}

/** @param below that of vmlinux, for a module */
export function describeTypes(own: Section, below?: Section): Btf {
  /** Type 0 is void and is not stored. */
  const firstOwn = 1 + (below?.types.length ?? 0);

  function typeAt(id: number): { readonly bytes: Buffer; readonly at: number } | undefined {
    const section = id < firstOwn && below !== undefined ? below : own;
    const at = section.types[section === own ? id - firstOwn : id - 1];
    return at === undefined ? undefined : { bytes: section.bytes, at };
  }

  function text(offset: number): string {
    const inBelow = below !== undefined && offset < below.stringsSize;
    const section = inBelow ? below : own;
    const from = section.strings + (inBelow ? offset : offset - (below?.stringsSize ?? 0));
    return section.bytes.toString('latin1', from, section.bytes.indexOf(0, from));
  }

  /** Past typedefs, qualifiers and tags. */
  function resolve(id: number): ReturnType<typeof typeAt> {
    let type = typeAt(id);
    for (let hops = 0; type !== undefined && hops < 32; hops++) {
      const kind = kindAt(type.bytes, type.at);
      const passes =
        kind === KIND.typedef ||
        kind === KIND.volatile ||
        kind === KIND.const ||
        kind === KIND.restrict ||
        kind === KIND.typeTag;
      if (!passes) return type;
      type = typeAt(type.bytes.readUInt32LE(type.at + 8));
    }
    return type;
  }

  function pointee(id: number): string | undefined {
    const pointer = resolve(id);
    if (pointer === undefined || kindAt(pointer.bytes, pointer.at) !== KIND.ptr) return undefined;
    const target = resolve(pointer.bytes.readUInt32LE(pointer.at + 8));
    return target === undefined ? undefined : text(target.bytes.readUInt32LE(target.at));
  }

  function returned(id: number): BtfFunction['returns'] {
    if (id === 0) return 'void';
    const type = resolve(id);
    const kind = type === undefined ? undefined : kindAt(type.bytes, type.at);
    return kind === KIND.int || kind === KIND.enum || kind === KIND.enum64 ? 'int' : 'other';
  }

  return {
    memberOffset(struct, member) {
      const { bytes, types } = own;
      for (const at of types) {
        if (kindAt(bytes, at) !== KIND.struct || text(bytes.readUInt32LE(at)) !== struct) continue;
        const packed = bytes.readUInt32LE(at + 4) >>> 31 === 1;
        for (let i = 0, from = at + HEAD; i < countAt(bytes, at); i++, from += 12) {
          if (text(bytes.readUInt32LE(from)) !== member) continue;
          const bits = bytes.readUInt32LE(from + 8);
          return (packed ? bits & 0xffffff : bits) / 8;
        }
      }
      return undefined;
    },

    *functions() {
      const { bytes, types } = own;
      for (const at of types) {
        if (kindAt(bytes, at) !== KIND.func) continue;
        const proto = typeAt(bytes.readUInt32LE(at + 8));
        if (proto === undefined || kindAt(proto.bytes, proto.at) !== KIND.proto) continue;
        const pointees: (string | undefined)[] = [];
        for (let i = 0, from = proto.at + HEAD; i < countAt(proto.bytes, proto.at); i++, from += 8)
          pointees.push(pointee(proto.bytes.readUInt32LE(from + 4)));
        yield {
          name: text(bytes.readUInt32LE(at)),
          returns: returned(proto.bytes.readUInt32LE(proto.at + 8)),
          pointees,
        };
      }
    },
  };
}
