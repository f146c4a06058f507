/**
 * What to record on this kernel: every event that the engine reads to advantage, and for each that cannot be had
 * the reason. Pure: what was read of the kernel in, a plan out.
 */
import { type Probe, probeName } from '../../collectors/tracefs/probes.ts';
import { FREES } from '../lifetime/interrupts.ts';
import { RELEASING } from '../lifetime/ledger.ts';
import { waitingFunctions } from '../lifetime/order.ts';
import type { Missing, Plan, PlannedEvent, PlannedProbe } from '../model/manifest.ts';
import type { RuleId } from '../model/report.ts';
import type { BtfFunction } from './btf.ts';
import type { Survey } from './survey.ts';

/** Joins with the kernel log and with bpftrace's `nsecs`. */
const CLOCK = 'mono';
/** KiB for each CPU, less where that would be much in all. */
const BUFFER = 4096;
const BUFFERS = 262_144;

const REFERENCES: readonly RuleId[] = [
  'ref-leak',
  'put-without-get',
  'put-after-failed-get',
  'unprotected-get',
  'early-put',
  'trace-gap',
];
const UNLOADS: readonly RuleId[] = ['stuck-unload', 'busy-unload'];
const CALLS: readonly RuleId[] = ['release-after-exit', 'free-in-interrupt'];

const UNLOAD = 'syscalls/sys_enter_delete_module';
/** Neither in hardirq nor in softirq: TRACE_FLAG_HARDIRQ and TRACE_FLAG_SOFTIRQ of common_flags. */
const IN_TASK = '!(common_flags & 0x18)';
/** … and TRACE_FLAG_NMI. */
const IN_INTERRUPT = 'common_flags & 0x58';

interface Want extends PlannedEvent {
  /** Rules that cannot be asked without it … */
  readonly rules?: readonly RuleId[];
  /** … or see less. */
  readonly weakens?: readonly RuleId[];
  /** The field that holds the function it is about. */
  readonly fn?: string;
  /** Where kernels mostly lack it, and something else does: no word is made of it. */
  readonly optional?: boolean;
}

const wanted: readonly Want[] = [
  { event: 'module/module_load', rules: REFERENCES },
  { event: 'module/module_free', rules: ['forced-unload', 'release-after-exit', 'text-in-use'] },
  { event: 'module/module_get', stack: true, rules: REFERENCES },
  { event: 'module/module_put', stack: true, rules: REFERENCES },
  { event: 'module/module_request', optional: true },
  { event: UNLOAD, rules: UNLOADS },
  { event: 'syscalls/sys_exit_delete_module', rules: UNLOADS },
  { event: 'syscalls/sys_enter_init_module', optional: true },
  { event: 'syscalls/sys_exit_init_module', optional: true },
  { event: 'syscalls/sys_enter_finit_module', optional: true },
  { event: 'syscalls/sys_exit_finit_module', weakens: ['ref-leak'] },
  { event: 'timer/timer_start', fn: 'function', weakens: ['text-in-use'] },
  { event: 'timer/timer_expire_entry', fn: 'function', weakens: ['text-in-use'] },
  { event: 'timer/timer_expire_exit', from: 'timer/timer_expire_entry', optional: true },
  { event: 'timer/timer_cancel', from: 'timer/timer_start', optional: true },
  { event: 'timer/hrtimer_start', fn: 'function', weakens: ['text-in-use'] },
  { event: 'timer/hrtimer_expire_entry', fn: 'function', weakens: ['text-in-use'] },
  { event: 'timer/hrtimer_expire_exit', from: 'timer/hrtimer_expire_entry', optional: true },
  { event: 'timer/hrtimer_cancel', from: 'timer/hrtimer_start', optional: true },
  { event: 'workqueue/workqueue_queue_work', fn: 'function', weakens: ['text-in-use'] },
  { event: 'workqueue/workqueue_execute_start', fn: 'function', weakens: ['text-in-use'] },
  {
    event: 'workqueue/workqueue_execute_end',
    fn: 'function',
    from: 'workqueue/workqueue_execute_start',
    weakens: ['text-in-use'],
  },
  { event: 'sched/sched_kthread_work_queue_work', fn: 'function', optional: true },
  { event: 'sched/sched_kthread_work_execute_start', fn: 'function', optional: true },
  { event: 'sched/sched_kthread_work_execute_end', fn: 'function', optional: true },
  { event: 'rcu/rcu_callback', fn: 'func', optional: true },
  { event: 'rcu/rcu_invoke_callback', fn: 'func', optional: true },
  { event: 'sched/sched_process_exit', weakens: ['ref-leak'] },
  { event: 'sched/sched_kthread_stop', optional: true },
  { event: 'sched/sched_kthread_stop_ret', weakens: ['release-after-exit'] },
  { event: 'sched/sched_waking', from: UNLOAD, filter: IN_TASK, weakens: ['release-after-exit'] },
  {
    event: 'printk/console',
    // What collectors/event-text.ts takes for a fault.
    filter: 'msg ~ "*BUG: *" || msg ~ "*kernel BUG at*" || msg ~ "*WARNING: *" || msg ~ "*Oops: *"',
    weakens: ['release-after-exit', 'text-in-use'],
  },
];

/** @param modules whose every function is to be probed */
/** @param buffer KiB for each CPU */
export function makePlan(
  survey: Survey,
  modules: readonly string[],
  buffer = Math.min(BUFFER, Math.floor(BUFFERS / Math.max(1, survey.cpus))),
): Plan {
  const missing: Missing[] = [];
  const plan: Plan = {
    clock: survey.clocks.includes(CLOCK) ? CLOCK : (survey.clocks[0] ?? 'local'),
    buffer,
    events: planEvents(survey, missing),
    probes: planKernelProbes(survey, missing),
    watched: [...modules],
    missing,
  };
  const hasTypes = survey.types !== undefined;
  if (survey.kprobes && modules.length === 0) {
    missing.push({
      what: 'the functions of a module',
      because: 'no module was named',
      advice: '--module NAME',
      // Release methods are found by type, in modules that were built with types.
      rules: hasTypes ? [] : [...CALLS],
      weakens: [...(hasTypes ? CALLS : []), 'text-in-use', 'early-put'],
    });
  }
  if (survey.text === undefined) {
    missing.push({
      what: 'where vmlinux lies',
      because:
        '/proc/kallsyms hides its addresses, so the timers and work items of all the kernel are recorded',
      advice: 'sysctl kernel.kptr_restrict=1',
      rules: [],
      weakens: ['text-in-use'],
    });
  }
  if (plan.clock !== CLOCK) {
    missing.push({
      what: `trace_clock ${CLOCK}`,
      because: 'this kernel does not offer it',
      rules: [],
      weakens: ['release-after-exit', 'text-in-use'],
    });
  }
  return plan;
}

function planEvents(survey: Survey, missing: Missing[]): PlannedEvent[] {
  const planned: PlannedEvent[] = [];
  for (const { event, stack, from, filter, fn, rules = [], weakens = [], optional } of wanted) {
    const fields = survey.events.get(event);
    // Of use during unloads only, and nothing tells of those.
    if (from === UNLOAD && !survey.events.has(UNLOAD)) continue;
    if (fields === undefined) {
      if (optional !== true) {
        missing.push({
          what: `events/${event}`,
          because: 'this kernel has no such event',
          advice: adviceFor(event),
          rules: [...rules],
          weakens: [...weakens],
        });
      }
      continue;
    }
    const outside = fn !== undefined && fields.includes(fn) ? outsideVmlinux(survey, fn) : undefined;
    // What tells its own function need not wait for another event.
    const needsStart = survey.triggers && from !== undefined && outside === undefined;
    planned.push({
      event,
      ...(stack === true && survey.triggers ? { stack } : {}),
      ...(needsStart && survey.events.has(from) ? { from } : {}),
      ...((filter ?? outside) === undefined ? {} : { filter: (filter ?? outside)! }),
    });
  }
  return planned;
}

function adviceFor(event: string): string {
  if (event.startsWith('syscalls/')) return 'a kernel with CONFIG_FTRACE_SYSCALLS';
  if (event.startsWith('module/')) return 'a kernel with CONFIG_MODULE_UNLOAD and CONFIG_EVENT_TRACING';
  return 'a kernel with CONFIG_EVENT_TRACING';
}

/** Most timers, work items and callbacks are vmlinux's own; unfiltered they would fill the buffer. */
function outsideVmlinux({ text }: Survey, field: string): string | undefined {
  return text === undefined ? undefined : `${field} < ${text.start} || ${field} >= ${text.end}`;
}

function planKernelProbes(survey: Survey, missing: Missing[]): PlannedProbe[] {
  if (!survey.kprobes) {
    missing.push({
      what: 'kprobe_events',
      because: 'this kernel is built without CONFIG_KPROBE_EVENTS',
      rules: [...CALLS, 'put-after-failed-get'],
      weakens: ['text-in-use', 'early-put', 'unprotected-get'],
    });
    return [];
  }
  const probes: PlannedProbe[] = [];
  const add = (probe: Probe, more: Pick<PlannedProbe, 'filter' | 'from' | 'stack'> = {}) =>
    probes.push(named(probe, probes.length, more));
  const can = (fn: string) => survey.traceable.has(fn);
  const module = [`name=+${survey.nameOffset}($arg1):string`, 'mod=$arg1:x64'];

  for (const fn of ['free_module', 'do_init_module']) {
    if (can(fn)) add({ at: 'entry', fn, args: module });
    else missing.push(notTraceable(fn, [], ['release-after-exit', 'text-in-use']));
  }
  if (can('free_module')) add({ at: 'return', fn: 'free_module', args: [] });
  // On entry only: a return probe would hide the caller, which module_get tells as its call_site.
  if (can('try_module_get')) add({ at: 'entry', fn: 'try_module_get', args: module }, { filter: 'mod != 0' });
  else missing.push(notTraceable('try_module_get', ['put-after-failed-get'], ['unprotected-get']));

  for (const fn of RELEASING) {
    if (!can(fn)) continue;
    // kobject_release() gets the kref in it, the others the object.
    add({ at: 'entry', fn, args: [fn === 'kobject_release' ? 'kref=$arg1:x64' : 'kobj=$arg1:x64'] });
    add({ at: 'return', fn, args: [] });
  }
  for (const fn of FREES) {
    if (fn !== 'free_module' && can(fn)) add({ at: 'entry', fn, args: [] }, { filter: IN_INTERRUPT });
  }
  const outside = outsideVmlinux(survey, 'func');
  if (!survey.events.has('rcu/rcu_callback')) {
    const queuing = ['call_rcu', 'call_rcu_hurry'].filter(can);
    for (const fn of queuing) {
      add(
        { at: 'entry', fn, args: ['head=$arg1:x64', 'func=$arg2:symbol'] },
        outside === undefined ? {} : { filter: outside },
      );
    }
    if (queuing.length === 0) missing.push(notTraceable('call_rcu', [], ['text-in-use']));
  }
  const waiting = survey.events.has(UNLOAD) ? [...waitingFunctions].filter(can) : [];
  for (const fn of waiting) add({ at: 'return', fn, args: [] }, survey.triggers ? { from: UNLOAD } : {});
  return probes;
}

function notTraceable(fn: string, rules: RuleId[], weakens: RuleId[]): Missing {
  return {
    what: `${fn}()`,
    because: 'this kernel does not let it be traced: it is inlined or notrace',
    rules,
    weakens,
  };
}

function named(
  probe: Probe,
  number: number,
  more: Pick<PlannedProbe, 'filter' | 'from' | 'stack'>,
): PlannedProbe {
  const { at, fn, module, args } = probe;
  return {
    name: probeName(probe, number),
    at,
    fn,
    ...(module === undefined ? {} : { module }),
    args: [...args],
    ...more,
  };
}

/** Functions that by their name return zero or an error, where no type information says so. */
const RETURNS_ERROR = /_(open|init|probe|ioctl|attach|connect|bind)$/;

/**
 * Probes for one module, as soon as it is there.
 * @param traceable its functions that can be probed
 * @param types its functions, where it has BTF
 * @param all every function, or only the release methods: those that take a `struct kobject *` and nothing else
 * @param first the number of the first of them
 */
export function planModuleProbes(
  module: string,
  traceable: readonly string[],
  types: Iterable<BtfFunction> | undefined,
  all: boolean,
  first: number,
): PlannedProbe[] {
  const described = new Map<string, BtfFunction>();
  for (const fn of types ?? []) described.set(fn.name, fn);
  const probes: PlannedProbe[] = [];
  for (const fn of new Set(traceable)) {
    const type = described.get(fn);
    const releases = type !== undefined && type.returns === 'void' && type.pointees.join() === 'kobject';
    if (!all && !releases) continue;
    // A void function leaves in the register whatever it last computed there.
    const returns = type === undefined ? RETURNS_ERROR.test(fn) : type.returns === 'int';
    const add = (probe: Probe, more: Pick<PlannedProbe, 'stack'>) =>
      probes.push(named(probe, first + probes.length, more));
    // The return first: whatever is seen to be entered will be seen to return.
    add({ at: 'return', fn, module, args: returns ? ['ret=$retval:s32'] : [] }, {});
    add({ at: 'entry', fn, module, args: releases ? ['kobj=$arg1:x64'] : [] }, { stack: true });
  }
  return probes;
}
