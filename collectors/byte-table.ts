/** Words of a trace come again and again: what a word stands for is found by its bytes, without a string of it. */

interface Entry<Value> {
  readonly bytes: Buffer;
  readonly value: Value;
}

/**
 * @param make what the word stands for, from its bytes as latin1
 * @param most words remembered at a time: a hostile trace has a new one in every line
 */
export function createByteTable<Value>(
  make: (latin1: string) => Value,
  most: number,
): (bytes: Buffer, from: number, to: number) => Value {
  const entries = new Map<number, Entry<Value>>();
  return (bytes, from, to) => {
    let hash = 0;
    for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + bytes[at]!) | 0;
    const entry = entries.get(hash);
    if (entry !== undefined && isSame(entry.bytes, bytes, from, to)) return entry.value;
    if (entries.size >= most) entries.clear();
    const value = make(bytes.toString('latin1', from, to));
    // Of two words with one hash the later stays, so that nobody can make a long list of them.
    entries.set(hash, { bytes: Buffer.from(bytes.subarray(from, to)), value });
    return value;
  };
}

function isSame(word: Buffer, bytes: Buffer, from: number, to: number): boolean {
  if (word.length !== to - from) return false;
  for (let i = 0; i < word.length; i++) if (word[i] !== bytes[from + i]) return false;
  return true;
}
