/**
 * A tracefs instance of our own with probes in a group of our own: nothing of anybody else's is touched, and all of it
 * is removed again. Who reads it is for others.
 */
import { defineProbe } from '../../collectors/tracefs/probes.ts';
import { UserError } from '../model/errors.ts';
import type { Manifest, Plan, PlannedEvent, PlannedProbe } from '../model/manifest.ts';
import type { Kernel } from './kernel.ts';
import type { Refused, Session } from './session.ts';
import { functionsIn, type Survey } from './survey.ts';

const INSTANCE = /^modlife-(\d+)(?:-\w+)?$/;
const GROUP = /^modlife_(\d+)(?:_\w+)?$/;

export interface Instance
  extends Pick<Session, 'refused' | 'traceable' | 'probe' | 'lost' | 'missed' | 'remove'> {
  readonly name: string;
  readonly path: string;
  /** Probes are defined in. */
  readonly group: string;
  set(file: string, text: string): void;
  /** Sets the plan's probes and events, and has what happens from now on recorded. */
  begin(): void;
}

/** Nothing is recorded in it before it is to begin.
 *  @param purpose of one beside the main one of a recorder */
export function openInstance(
  kernel: Kernel,
  { tracefs }: Pick<Survey, 'tracefs'>,
  plan: Omit<Plan, 'watched' | 'missing'>,
  pid: number,
  purpose?: string,
): Instance {
  const name = purpose === undefined ? `modlife-${pid}` : `modlife-${pid}-${purpose}`;
  const group = name.replaceAll('-', '_');
  const instance = `${tracefs}/instances/${name}`;
  const refused: Refused[] = [];
  /** Probes that are to miss nothing. */
  const names = new Set<string>();
  const trouble = kernel.makeFolder(instance);
  if (trouble !== undefined) throw cannotTrace(instance, trouble);

  function set(path: string, text: string): boolean {
    const error = kernel.write(`${instance}/${path}`, text);
    if (error !== undefined) refused.push({ what: `${path}: ${text}`, because: error });
    return error === undefined;
  }

  function trigger(path: string, command: string): boolean {
    // Two events may start the same third one, and the same command is taken once only.
    const error = kernel.write(`${instance}/${path}/trigger`, command);
    if (error !== undefined && error !== 'EEXIST')
      refused.push({ what: `${path}/trigger: ${command}`, because: error });
    return error === undefined || error === 'EEXIST';
  }

  /** @param name `system/name` */
  function record(name: string, { filter, stack, from }: Pick<PlannedEvent, 'filter' | 'stack' | 'from'>) {
    const path = `events/${name}`;
    if (filter !== undefined) set(`${path}/filter`, filter);
    // Setting a probe takes references, too, and nobody needs to be told from where.
    if (stack === true) trigger(path, `stacktrace if common_pid != ${pid}`);
    const condition = plan.events.find(({ event }) => event === from)?.filter;
    const starts =
      from !== undefined &&
      trigger(
        `events/${from}`,
        `enable_event:${name.replace('/', ':')}${condition === undefined ? '' : ` if ${condition}`}`,
      );
    return starts || set(`${path}/enable`, '1');
  }

  function probe(probes: readonly PlannedProbe[]): PlannedProbe[] {
    return probes.filter((planned) => {
      const error = kernel.write(`${tracefs}/kprobe_events`, defineProbe(group, planned.name, planned));
      if (error !== undefined) {
        refused.push({ what: describe(planned), because: reasonFor(error) });
        return false;
      }
      // Of a probe with a condition most calls are passed over on purpose.
      if (planned.from === undefined && planned.filter === undefined) names.add(planned.name);
      return record(`${group}/${planned.name}`, planned);
    });
  }

  set('tracing_on', '0');
  set('trace_clock', plan.clock);
  if (plan.buffer !== undefined) set('buffer_size_kb', String(plan.buffer));

  return {
    name,
    path: instance,
    group,
    refused,
    set,
    probe,

    begin() {
      probe(plan.probes);
      for (const event of plan.events) record(event.event, event);
      set('tracing_on', '1');
    },

    traceable(module) {
      // Nobody traces functions here; the filter is only asked what it would take.
      if (kernel.write(`${instance}/set_ftrace_filter`, `:mod:${module}`) !== undefined) return undefined;
      const functions = functionsIn(kernel.read(`${instance}/set_ftrace_filter`) ?? '', module);
      return functions.length === 0 ? undefined : functions;
    },

    lost() {
      const lost: { cpu: number; lost: number }[] = [];
      for (const name of kernel.list(`${instance}/per_cpu`)) {
        const stats = kernel.read(`${instance}/per_cpu/${name}/stats`) ?? '';
        const count = (label: string) => Number(new RegExp(`^${label}: (\\d+)$`, 'm').exec(stats)?.[1] ?? 0);
        const sum = count('overrun') + count('commit overrun') + count('dropped events');
        if (sum > 0) lost.push({ cpu: Number(name.slice('cpu'.length)), lost: sum });
      }
      return lost;
    },

    missed() {
      const profile = kernel.read(`${tracefs}/kprobe_profile`) ?? '';
      const missed: Manifest['missed'] = [];
      for (const line of profile.split('\n')) {
        const [name, , times] = line.trim().split(/\s+/);
        // The file names no group, and others may have probes of the same name: better one too many.
        if (name !== undefined && Number(times) > 0 && names.has(name)) {
          missed.push({ name, times: Number(times) });
        }
      }
      return missed;
    },

    remove() {
      const left = [removeInstance(kernel, tracefs, name), removeGroup(kernel, tracefs, group)];
      return left.find((trouble) => trouble !== undefined);
    },
  };
}

function describe({ at, fn, module }: PlannedProbe): string {
  return `${at} of ${module === undefined ? '' : `${module}:`}${fn}()`;
}

function reasonFor(code: string): string {
  switch (code) {
    case 'EINVAL':
      return 'the kernel does not let it be probed';
    case 'EADDRNOTAVAIL':
      return 'several functions have that name';
    case 'ENOENT':
      return 'no such function';
    default:
      return code;
  }
}

function cannotTrace(path: string, code: string): UserError {
  if (code === 'EACCES' || code === 'EPERM')
    return new UserError('noinput', `${path}: only root may trace`, 'run it with sudo');
  return new UserError('noinput', `${path}: ${code}`, 'modlife capture --cleanup removes what is left over');
}

function removeInstance(kernel: Kernel, tracefs: string, name: string): string | undefined {
  const path = `${tracefs}/instances/${name}`;
  kernel.write(`${path}/tracing_on`, '0');
  kernel.write(`${path}/events/enable`, '0');
  return kernel.removeFolder(path);
}

function removeGroup(kernel: Kernel, tracefs: string, group: string): string | undefined {
  let trouble: string | undefined;
  for (const line of (kernel.read(`${tracefs}/kprobe_events`) ?? '').split('\n')) {
    const own = /^[pr]\d*:(\w+\/\w+)/.exec(line)?.[1];
    if (own?.startsWith(`${group}/`)) trouble ??= kernel.write(`${tracefs}/kprobe_events`, `-:${own}`);
  }
  return trouble;
}

export interface Leftover {
  readonly what: string;
  /** Why it could not be removed. */
  readonly because?: string | undefined;
}

/** Removes what recorders left behind that are no more. @param isAlive is it a recorder still at work? */
export function cleanUp(kernel: Kernel, tracefs: string, isAlive: (pid: number) => boolean): Leftover[] {
  const removed: Leftover[] = [];
  for (const name of kernel.list(`${tracefs}/instances`)) {
    const pid = INSTANCE.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    const error = removeInstance(kernel, tracefs, name);
    const because = error === 'EBUSY' ? 'EBUSY: somebody reads it, trace-cmd to its end perhaps' : error;
    removed.push({ what: `instances/${name}`, because });
  }
  for (const group of groupsOf(kernel, tracefs)) {
    const pid = GROUP.exec(group)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    removed.push({ what: `the probes of ${group}`, because: removeGroup(kernel, tracefs, group) });
  }
  return removed;
}

function groupsOf(kernel: Kernel, tracefs: string): Set<string> {
  const probes = kernel.read(`${tracefs}/kprobe_events`) ?? '';
  return new Set([...probes.matchAll(/^[pr]\d*:(\w+)\//gm)].map(([, group]) => group!));
}
