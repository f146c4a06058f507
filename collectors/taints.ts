/** Taints of a module as `module_load` prints them. The bits are an enum in include/linux/panic.h. */

/** In the order the kernel prints them. */
const TAINTS: readonly (readonly [bit: number, letter: string])[] = [
  [0, 'P'],
  [12, 'O'],
  [1, 'F'],
  [10, 'C'],
  [13, 'E'],
];

export function taintLetters(bits: number): string {
  return TAINTS.filter(([bit]) => (bits & (1 << bit)) !== 0)
    .map(([, letter]) => letter)
    .join('');
}
