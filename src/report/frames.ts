/** Stacks as people read them: names, innermost first, without what every stack has. */

const FRAMES = 6;

/** @param full every frame as printed
 *  @param how the option that shows it all */
export function stackInWords(stack: readonly string[], full: boolean, how: string): string {
  if (full) return stack.join(' < ');
  const names = stack.map(functionOf);
  // The innermost frame is the get itself.
  const first = names.findIndex((name) => !/^(__)?(try_)?module_get$/.test(name));
  const told = first < 0 ? names : names.slice(first);
  const more = told.length - FRAMES;
  return `${told.slice(0, FRAMES).join(' < ')}${more > 0 ? ` < ${more} more (${how})` : ''}`;
}

/** `misc_open` of `ffffffff816ba3e1 misc_open+193` and of `misc_open+0xc1/0x120`: an offset tells a build apart,
 *  not a place. */
function functionOf(frame: string): string {
  return frame.replace(/^(0x)?[0-9a-f]{8,16} (?=\S)/, '').replace(/\+(0x)?[0-9a-f]+(\/(0x)?[0-9a-f]+)?/, '');
}
