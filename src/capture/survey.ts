/** What this kernel can show, read once before anything is changed. */
import { UserError } from '../model/errors.ts';
import { describeTypes, readSection, type Section } from './btf.ts';
import type { Kernel } from './kernel.ts';

export interface Survey {
  readonly release: string;
  readonly machine: string;
  readonly cpus: number;
  readonly tracefs: string;
  /** `system/name` of every event, with the names of its fields where they were asked for. */
  readonly events: ReadonlyMap<string, readonly string[]>;
  readonly triggers: boolean;
  readonly kprobes: boolean;
  /** Functions of vmlinux that can be probed. */
  readonly traceable: ReadonlySet<string>;
  /** Where the text of vmlinux lies, `0x…`; a function elsewhere belongs to a module. */
  readonly text: { readonly start: string; readonly end: string } | undefined;
  /** Modules that are loaded now. */
  readonly modules: readonly string[];
  /** The BTF of vmlinux. */
  readonly types: Section | undefined;
  /** Bytes into struct module at which its name lies. */
  readonly nameOffset: number;
  readonly clocks: readonly string[];
}

/** What x86-64 and arm64 have had from 5.10 to 7.2; a kernel without BTF may have shuffled its structures. */
const NAME_OFFSET = 24;

const MOUNTS = ['/sys/kernel/tracing', '/sys/kernel/debug/tracing'];
const SYSTEMS = ['module', 'syscalls', 'timer', 'workqueue', 'rcu', 'sched', 'printk'];
const WANTED = /^(module_|timer_|hrtimer_|workqueue_|rcu_|sched_|console$|sys_(enter|exit)_\w*_module$)/;

/** @throws UserError where tracing is not to be had */
export function survey(kernel: Kernel): Survey {
  const tracefs = findTracefs(kernel);
  const symbols = kernel.read('/proc/kallsyms') ?? '';
  const functions = kernel.read(`${tracefs}/available_filter_functions`) ?? '';
  const btf = kernel.bytes('/sys/kernel/btf/vmlinux');
  const types = btf && readSection(btf);
  return {
    release: (kernel.read('/proc/sys/kernel/osrelease') ?? 'unknown').trim(),
    machine: (kernel.read('/proc/sys/kernel/arch') ?? '').trim() || process.arch,
    cpus: kernel.list(`${tracefs}/per_cpu`).length,
    tracefs,
    events: eventsOf(kernel, tracefs),
    triggers: kernel.exists(`${tracefs}/events/module/module_load/trigger`),
    kprobes: kernel.exists(`${tracefs}/kprobe_events`),
    traceable: new Set(functions.split('\n').filter((line) => !line.includes('['))),
    text: textOf(symbols),
    modules: moduleNames(kernel.read('/proc/modules') ?? ''),
    types,
    nameOffset: (types && describeTypes(types).memberOffset('module', 'name')) ?? NAME_OFFSET,
    clocks: (kernel.read(`${tracefs}/trace_clock`) ?? '').split(/[\s[\]]+/).filter((name) => name !== ''),
  };
}

/** @throws UserError where tracing is not to be had */
export function findTracefs(kernel: Kernel): string {
  const mounted = MOUNTS.find((path) => kernel.list(`${path}/events`).length > 0);
  if (mounted !== undefined) return mounted;
  if (process.getuid?.() !== 0)
    throw new UserError('noinput', `cannot read ${MOUNTS[0]}: only root may trace`, 'run it with sudo');
  throw new UserError(
    'noinput',
    `${MOUNTS[0]} has no events`,
    `mount -t tracefs tracefs ${MOUNTS[0]}, or this kernel is built without CONFIG_FTRACE`,
  );
}

function eventsOf(kernel: Kernel, tracefs: string): Map<string, readonly string[]> {
  const events = new Map<string, readonly string[]>();
  for (const system of SYSTEMS) {
    for (const name of kernel.list(`${tracefs}/events/${system}`)) {
      if (!WANTED.test(name)) continue;
      const format = kernel.read(`${tracefs}/events/${system}/${name}/format`) ?? '';
      events.set(
        `${system}/${name}`,
        [...format.matchAll(/^\tfield:.*?(\w+)(?:\[\w*\])?;/gm)].map(([, field]) => field!),
      );
    }
  }
  return events;
}

/** `_stext` and `_etext`, unless kptr_restrict hides them. */
function textOf(symbols: string): Survey['text'] {
  const address = (name: string) => new RegExp(`^([0-9a-f]+) \\w ${name}$`, 'm').exec(symbols)?.[1];
  const [start, end] = [address('_stext'), address('_etext')];
  if (start === undefined || end === undefined || /^0+$/.test(start)) return undefined;
  return { start: `0x${start}`, end: `0x${end}` };
}

export function moduleNames(modules: string): string[] {
  return modules
    .split('\n')
    .map((line) => line.split(' ', 1)[0]!)
    .filter((name) => name !== '');
}

/** Of the lines of `available_filter_functions`, those of one module. */
export function functionsIn(text: string, module: string): string[] {
  return [...text.matchAll(new RegExp(`^(\\S+) \\[${module}\\]$`, 'gm'))].map(([, fn]) => fn!);
}
