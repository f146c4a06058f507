/**
 * Symbol snapshots: what /proc/kallsyms says of one module, while it is there. After an unload its addresses belong
 * to nobody, or to somebody else.
 *
 *     # modlife kallsyms; module=foo; reason=load; clock=mono; since=123.456789; taken=123.560112
 *     # section .text 0xffffffffc0416000
 *     ffffffffc0416000 t foo_open	[foo]
 */
import type { Kernel } from './kernel.ts';

export interface Snapshot {
  readonly module: string;
  /** `begin`, `end`: of the recording. */
  readonly reason: 'begin' | 'load' | 'end';
  /** The time of its load, as the trace prints it; undefined: before the recording. */
  readonly since: string | undefined;
  readonly clock: string;
  /** Nanoseconds on that clock. */
  readonly taken: number;
}

/** The lines of each module, verbatim. */
export function symbolsByModule(kallsyms: string): Map<string, string[]> {
  const modules = new Map<string, string[]>();
  // Modules come last and make up little of it.
  const first = kallsyms.indexOf('\t[');
  if (first < 0) return modules;
  for (const line of kallsyms.slice(kallsyms.lastIndexOf('\n', first) + 1).split('\n')) {
    const module = /\t\[([^\]]+)\]$/.exec(line)?.[1];
    if (module === undefined) continue;
    const lines = modules.get(module);
    if (lines === undefined) modules.set(module, [line]);
    else lines.push(line);
  }
  return modules;
}

export function renderSnapshot(kernel: Kernel, snapshot: Snapshot, lines: readonly string[]): string {
  const { module, reason, since, clock, taken } = snapshot;
  const text = kernel.read(`/sys/module/${module}/sections/.text`)?.trim();
  return [
    `# modlife kallsyms; module=${module}; reason=${reason}; clock=${clock}; ${since === undefined ? '' : `since=${since}; `}taken=${secondsOf(taken)}`,
    ...(text === undefined || !/^0x[0-9a-f]+$/.test(text) ? [] : [`# section .text ${text}`]),
    ...lines,
    '',
  ].join('\n');
}

/** `123.456789` */
export function secondsOf(ns: number): string {
  return `${Math.floor(ns / 1e9)}.${String(Math.floor((ns % 1e9) / 1e3)).padStart(6, '0')}`;
}
