/**
 * What lies at an address, as far as one capture can tell.
 *
 * bpftrace names an address after the nearest symbol it knew when it first looked, so a module loaded later is
 * given the names of its neighbours, or of whatever module had its place before. A name is believed when the
 * address is in the kernel's own text, or when the function it names starts inside the text of the module that
 * lives there now and no other module has been seen there. Otherwise the address alone is kept.
 */
import type { Code } from '../../src/model/event.ts';

/** Address, symbol and decimal offset. */
const FRAME = /^[0-9a-f]+ (\S+)\+(\d+)$/;

export interface Places {
  /** Where vmlinux text lies. */
  kernelText(start: string, end: string): void;
  /** Module text was seen from `base` on; `size` in bytes. */
  moduleText(module: string, base: string, size: number): void;
  /** A stack frame, `ffffffff81148175 try_module_get+133`, without its name if that is not believed. */
  frame(printed: string): string;
  /** An address, with its stack frame if there is one, else the name that ksym() gave it. */
  code(address: string, frame: string | undefined, ksym: string): Code;
  /** A function that was probed by name. */
  probed(symbol: string, module: string): Code;
}

interface ModuleText {
  readonly module: string;
  readonly base: bigint;
  readonly end: bigint;
  /** Another module's text was here before. */
  readonly reused: boolean;
}

export function createPlaces(): Places {
  // x86-64's, until the capture says: Documentation/arch/x86/x86_64/mm.rst.
  let kernelStart = 0xffffffff80000000n;
  let kernelEnd = 0xffffffffc0000000n;
  let texts: readonly ModuleText[] = [];
  const codes = new Map<string, Code>();
  // What was worked out with the texts above; the same few places come up again and again.
  const announced = new Set<string>();
  const frames = new Map<string, string>();
  const sites = new Map<string, Code>();

  const forget = () => {
    announced.clear();
    frames.clear();
    sites.clear();
  };

  const intern = (code: Code): Code => {
    const known = codes.get(code.text);
    if (!known) codes.set(code.text, code);
    return known ?? code;
  };

  const moduleAt = (at: bigint) => texts.find((text) => at >= text.base && at < text.end);

  const believed = (at: bigint, text: ModuleText | undefined, offset: number | undefined) => {
    if (at >= kernelStart && at < kernelEnd) return true;
    return text !== undefined && !text.reused && offset !== undefined && at - BigInt(offset) >= text.base;
  };

  const toCode = (address: string, symbol: string | undefined, offset: number | undefined): Code => {
    const at = BigInt(address);
    const text = moduleAt(at);
    const suffix = text ? ` [${text.module}]` : '';
    const where = text && { module: text.module };
    if (symbol === undefined || !believed(at, text, offset)) {
      return intern({ text: address + suffix, ...where, address });
    }
    // Without an offset the name stands for every address in the function.
    if (offset === undefined) return intern({ text: symbol + suffix, ...where, symbol });
    return intern({ text: `${symbol}+0x${offset.toString(16)}${suffix}`, ...where, symbol, offset, address });
  };

  return {
    kernelText(start, end) {
      kernelStart = BigInt(start);
      kernelEnd = BigInt(end);
      forget();
    },

    moduleText(module, address, size) {
      const key = `${address} ${size} ${module}`;
      if (announced.has(key)) return;
      const base = BigInt(address);
      const end = base + BigInt(size);
      if (base > 0n && end > base) {
        const here = texts.filter((text) => text.base < end && base < text.end);
        const same = here.length === 1 && here[0]!.module === module && here[0]!.base === base;
        const reused = same ? here[0]!.reused : here.length > 0;
        // Only the newest owner of a place is asked about.
        texts = [...texts.filter((text) => !here.includes(text)), { module, base, end, reused }];
        forget();
      }
      announced.add(key);
    },

    frame(printed) {
      let shown = frames.get(printed);
      if (shown === undefined) {
        const address = /^[0-9a-f]+/.exec(printed)![0];
        const offset = FRAME.exec(printed)?.[2];
        const at = BigInt(`0x${address}`);
        shown = believed(at, moduleAt(at), offset === undefined ? undefined : Number(offset))
          ? printed
          : address;
        if (frames.size > 65536) frames.clear();
        frames.set(printed, shown);
      }
      return shown;
    },

    code(address, frame, ksym) {
      const key = frame ?? `${address} ${ksym}`;
      let code = sites.get(key);
      if (!code) {
        const [, symbol, offset] = (frame && FRAME.exec(frame)) || [];
        // What has no name is printed as a number. `[inlined] name@file:line` is the most that 0.24 and later say.
        const hint = /^(?:\[inlined\] )?([a-z_$.][^\s@]*)/i.exec(ksym)?.[1];
        code = symbol ? toCode(address, symbol, Number(offset)) : toCode(address, hint, undefined);
        sites.set(key, code);
      }
      return code;
    },

    probed(symbol, module) {
      if (module === '') return intern({ text: symbol, symbol });
      return intern({ text: `${symbol} [${module}]`, symbol, module });
    },
  };
}
