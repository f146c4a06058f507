/**
 * The dynamic events that `modlife capture` defines, and how their names are read back.
 *
 * The kernel looks a symbol up when the text is read, so the function of a module that has gone prints as whatever
 * lives there now; the event's name does not change. A probe on a module's function is therefore named
 *
 *     enter5_mydrv_mydrv_open     the function mydrv_open of the module mydrv is entered
 *     leave5_mydrv_mydrv_open     it returns
 *
 * with the length of the module's name before it, since both names may hold any number of underscores. What a name
 * may not hold is an underscore in it (`foo.isra.0` becomes `foo_isra_0`). Names that would be longer than the
 * kernel takes are numbered instead, `enter_7`, and tell nothing; the manifest says what they probe. Probes on
 * vmlinux are named after the function, returns as perf names them: `free_module`, `free_module__return`.
 *
 * Source: kernel/trace/trace_kprobe.c and trace_probe.c of Linux 5.10 to 7.2.
 */

export interface Probe {
  readonly at: 'entry' | 'return';
  readonly fn: string;
  /** Absent for a function of vmlinux. */
  readonly module?: string | undefined;
  /** Fetch arguments, as `name=$arg1:x64`. */
  readonly args: readonly string[];
}

/** MAX_EVENT_NAME_LEN, its NUL included. */
const LONGEST = 63;
/** Return probes in flight at a time, per probe; the kernel's default of ten is less than one busy open() needs. */
const MAXACTIVE = 128;

/** @param number tells apart what is too long to be spelt out */
export function probeName({ at, fn, module }: Probe, number: number): string {
  const verb = at === 'entry' ? 'enter' : 'leave';
  const own = fn.replace(/\W/g, '_');
  const name =
    module === undefined
      ? `${own}${at === 'entry' ? '' : '__return'}`
      : `${verb}${module.length}_${module.replace(/\W/g, '_')}_${own}`;
  return name.length <= LONGEST ? name : `${verb}_${number}`;
}

/** The line that defines it, for `kprobe_events`. */
export function defineProbe(group: string, name: string, probe: Probe): string {
  const { at, fn, module, args } = probe;
  const type = at === 'entry' ? 'p' : `r${MAXACTIVE}`;
  const place = module === undefined ? fn : `${module}:${fn}`;
  return [`${type}:${group}/${name}`, place, ...args].join(' ');
}

/** What a probe of ours says it probes; undefined for a name that somebody else gave. */
export function readProbeName(
  name: string,
): { readonly fn: string; readonly module: string; readonly at: Probe['at'] } | undefined {
  const [, verb, length, rest] = /^(enter|leave)(\d{1,2})_(\w+)$/.exec(name) ?? [];
  if (rest === undefined) return undefined;
  const size = Number(length);
  if (size === 0 || rest.length < size + 2 || rest[size] !== '_') return undefined;
  return { module: rest.slice(0, size), fn: rest.slice(size + 1), at: verb === 'enter' ? 'entry' : 'return' };
}
