/** A symbol of one module, as kallsyms lists it. */
export interface Listed {
  /** Its address, in as many low bits as a number holds. */
  readonly at: number;
  readonly isText: boolean;
  /** Of type T rather than t. */
  readonly isGlobal: boolean;
}

/** No function is longer: text that is farther from other text lies by itself. */
export const LONGEST_FUNCTION = 1 << 16;

/**
 * ftrace keeps the names of a module's init functions when their text is freed, and kallsyms lists them as T after all
 * others (kernel/trace/ftrace.c, ftrace_mod_get_kallsym): whatever is loaded there next would go by them. They lie by
 * themselves, as other text of a module does not.
 * @param symbols of one module, as listed
 */
export function goneFunctions<Symbol extends Listed>(symbols: readonly Symbol[]): ReadonlySet<Symbol> {
  const first = symbols.find(({ isText }) => isText);
  const gone = new Set<Symbol>();
  let run: Symbol[] = [];
  function close(): void {
    if (run.every(({ isText, isGlobal }) => isText && isGlobal) && !run.includes(first!))
      for (const symbol of run) gone.add(symbol);
    run = [];
  }
  for (const symbol of [...symbols].sort((a, b) => a.at - b.at)) {
    const last = run.at(-1);
    if (last !== undefined && (last.isText !== symbol.isText || symbol.at - last.at >= LONGEST_FUNCTION))
      close();
    run.push(symbol);
  }
  close();
  return gone;
}
