/** `1,234,567`, of a whole number. `toLocaleString` would load the tables of ICU, a tenth of a short run. */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 event`, `1,200 events`. */
export function plural(count: number, noun: string): string {
  return `${grouped(count)} ${noun}${count === 1 ? '' : 's'}`;
}
