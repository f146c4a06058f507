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
  const known = new Map<string, Code | null>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found ?? undefined;
    const code = parseCode(text);
    // A hostile or very long trace must not fill memory with spellings; a place forgotten is only read again.
    if (known.size >= MOST_PLACES) known.clear();
    known.set(text, code ?? null);
    return code;
  };
}

const MOST_PLACES = 1 << 16;

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
