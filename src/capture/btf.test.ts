import { expect, test } from 'vitest';
import { describeTypes, readSection, type Section } from './btf.ts';

const KIND = { int: 1, ptr: 2, struct: 4, const: 10, func: 12, proto: 13 };

/** BTF as pahole writes it, by hand. Types refer to names by text and to each other by number, from 1 on. */
function build(types: readonly Type[], firstString = 0): Buffer {
  let strings = '\0';
  const nameOf = (text: string) => {
    if (text === '') return 0;
    const at = strings.length + firstString;
    strings += `${text}\0`;
    return at;
  };
  const words = types.flatMap(({ name = '', kind, target = 0, extra = [], count = 0 }) => [
    nameOf(name),
    (kind << 24) | count,
    target,
    ...extra.map((own) => (typeof own === 'string' ? nameOf(own) : own)),
  ]);
  const header = [0x0001eb9f, 24, 0, words.length * 4, words.length * 4, strings.length];
  const numbers = Buffer.alloc((header.length + words.length) * 4);
  for (const [index, word] of [...header, ...words].entries()) numbers.writeUInt32LE(word, index * 4);
  return Buffer.concat([numbers, Buffer.from(strings, 'latin1')]);
}

interface Type {
  readonly name?: string;
  readonly kind: number;
  /** Size or type. */
  readonly target?: number;
  readonly count?: number;
  readonly extra?: readonly (number | string)[];
}

const vmlinux = build([
  { name: 'int', kind: KIND.int, target: 4, extra: [32] },
  { name: 'module', kind: KIND.struct, target: 64, count: 2, extra: ['state', 1, 0, 'name', 1, 24 * 8] },
  { name: 'kobject', kind: KIND.struct, target: 64 },
  { kind: KIND.ptr, target: 3 },
]);

test('says where a member lies, in bytes', () => {
  const types = describeTypes(section(vmlinux));
  expect(types.memberOffset('module', 'name')).toBe(24);
  expect(types.memberOffset('module', 'nothing')).toBeUndefined();
  expect(types.memberOffset('nothing', 'name')).toBeUndefined();
});

test("reads a module's functions, whose types go on where those of vmlinux end", () => {
  const below = section(vmlinux);
  const module = build(
    [
      { kind: KIND.const, target: 4 },
      { kind: KIND.proto, target: 0, count: 1, extra: ['kobj', 5] },
      { name: 'foo_release', kind: KIND.func, target: 6 },
      { kind: KIND.proto, target: 1, count: 2, extra: ['kobj', 4, 'n', 1] },
      { name: 'foo_show', kind: KIND.func, target: 8 },
    ],
    below.stringsSize,
  );
  expect([...describeTypes(section(module), below).functions()]).toEqual([
    { name: 'foo_release', returns: 'void', pointees: ['kobject'] },
    { name: 'foo_show', returns: 'int', pointees: ['kobject', undefined] },
  ]);
});

test('what is no BTF, or only the beginning of it, is nothing', () => {
  expect(readSection(Buffer.from('ELF'))).toBeUndefined();
  expect(readSection(Buffer.alloc(0))).toBeUndefined();
  expect(readSection(vmlinux.subarray(0, 60))).toBeUndefined();
});

function section(bytes: Buffer): Section {
  const read = readSection(bytes);
  if (read === undefined) throw new Error('no BTF');
  return read;
}
