/** Invented symbols, laid out as Linux 6.1 and 6.12 list them. */
import { expect, test } from 'vitest';
import { createSymbols } from './symbols.ts';

const kallsyms = `ffffffff81000000 T _stext
ffffffff81000100 T vfs_read
ffffffffc0435000 t foo_owner\t[foo]
ffffffffc0435011 t foo_exit\t[foo]
ffffffffc0436000 r foo_ops\t[foo]
ffffffffc0437000 d __this_module\t[foo]
ffffffffc0500000 T crc_of\t[crc]
ffffffffc0501000 r crc_table\t[crc]
ffffffffc043a000 T foo_init\t[foo]
`;
const find = (low: number) => createSymbols(Buffer.from(kallsyms)).find(0xffffffff, low);

test('an address is named after the function that it lies in', () => {
  expect(find(0x81000123)).toEqual({ symbol: 'vfs_read', module: undefined, offset: 0x23 });
  expect(find(0xc0435020)).toEqual({ symbol: 'foo_exit', module: 'foo', offset: 0xf });
  expect(find(0xc0500010)).toEqual({ symbol: 'crc_of', module: 'crc', offset: 0x10 });
  expect(find(0xc0436010)).toBeUndefined();
});

test('but not after an init function, whose text is gone', () => {
  expect(find(0xc043a076)).toBeUndefined();
});
