import type { Code } from '../src/model/event.ts';

//                        +- function         +- offset   +- size       +- module
//                        |                   |           |             |
const PLACE = /^([^\s+[\]]+?)(?:\+(0x[0-9a-f]+)(?:\/0x[0-9a-f]+)?)?(?: \[([^\]]+)\])?$/;
const BARE_ADDRESS = /^(?:0x)?([0-9a-f]{8,16})$/;

/**
 * Reads places in code as the kernel's %ps, %pS and kprobe formats print them, one object per spelling, so that
 * pairing can compare places with `===`. `[unknown/kretprobe'd]`, printed when a return probe replaced the return
 * address, and empty text are `undefined`: nothing is known.
 */
export function createCodeTable(): (text: string) => Code | undefined {
  let known = new Map<string, Code | null>();
  let before: typeof known = new Map();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found ?? undefined;
    let code = before.get(text);
    if (code === undefined) code = parseCode(text) ?? null;
    // A hostile or very long trace must not fill memory with spellings. What keeps coming stays the same object.
    if (known.size >= MOST_PLACES) {
      before = known;
      known = new Map();
    }
    known.set(text, code);
    return code ?? undefined;
  };
}

/** Twice as many are known at most. */
export const MOST_PLACES = 1 << 15;

function parseCode(text: string): Code | undefined {
  const address = BARE_ADDRESS.exec(text)?.[1];
  if (address !== undefined) return { text, address: `0x${address}` };
  const [, symbol, offset, module] = PLACE.exec(text) ?? [];
  if (symbol === undefined) return undefined;
  return {
    text,
    symbol,
    ...(offset === undefined ? {} : { offset: Number(offset) }),
    ...(module === undefined ? {} : { module }),
  };
}
