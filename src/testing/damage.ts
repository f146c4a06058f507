/** Damage as disks, networks and attackers do it. */
const hostile = [
  '\0',
  '\x1b[31m',
  '\r',
  '\n',
  ' => ',
  'CPU:0 [LOST 9 EVENTS]\n',
  '99999999999999999999',
  '-',
  '[000]',
  ': ',
  'module_get: ',
  ' refcnt=-2147483648',
  '"',
  '<stack trace>\n',
  ' <- ',
  '0xffffffffffffffff',
  'NaN',
  '<script>',
  "'; DROP TABLE events; --",
  '\xff\xfe',
];

/** @returns a source of numbers from 0 to one less than `below`, the same for the same seed */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** One byte changed, a piece cut out or put in twice, or hostile text put in. @param most bytes of a piece */
export function damage(bytes: Buffer, below: (n: number) => number, most = 500): Buffer {
  const at = below(bytes.length);
  const length = below(most);
  switch (below(4)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([below(256)]), bytes.subarray(at + 1)]);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 2:
      return Buffer.concat([
        bytes.subarray(0, at),
        Buffer.from(hostile[below(hostile.length)]!, 'latin1'),
        bytes.subarray(at),
      ]);
    default: {
      const from = below(bytes.length);
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(from, from + length), bytes.subarray(at)]);
    }
  }
}

/** A number put in place of one, as long as it and of either byte order: a length or an offset that lies. */
export function lie(bytes: Buffer, below: (n: number) => number): Buffer {
  const lying = Buffer.from(bytes);
  const size = [1, 2, 4, 8][below(4)]!;
  if (bytes.length < size) return lying;
  const told = [0, 1, 0xff, 0x7fffffff, 2 ** 31, 2 ** 32 - 1, 2 ** 53, bytes.length, below(bytes.length)];
  const number = Buffer.alloc(8);
  number.writeBigUInt64LE(BigInt(told[below(told.length)]!));
  if (below(8) === 0) number.fill(0xff);
  const written = number.subarray(0, size);
  if (below(2) === 0) written.reverse();
  written.copy(lying, below(bytes.length - size + 1));
  return lying;
}
