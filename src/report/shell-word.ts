/** A word as one types it in a shell: in single quotes, where no shell finds anything to expand, if it needs any. */
export function shellWord(text: string): string {
  return /^[\w./:=@%+][\w./:=@%+-]*$/.test(text) ? text : shellQuoted(text);
}

export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
