/** What modules do on a busy machine: opens and closes by many tasks, loads and unloads. No bug is in it. */
import type { Random } from './random.ts';
import type { Task, TraceText } from './trace-text.ts';

const MODULES = 60;
const TASKS = 400;
/** References that are out at a time, on the average. */
const OUT = 300;
/** One step in so many loads and unloads a module, as often as in a machine that is tested by loading. */
const LOADS = 400;
const FLAGS = '...1.';

const GET_STACK = [
  'trace_event_raw_event_module_refcnt',
  'try_module_get',
  'misc_open',
  'chrdev_open',
  'do_dentry_open',
  'path_openat',
  'do_filp_open',
  'do_sys_openat2',
  '__x64_sys_openat',
  'do_syscall_64',
  'entry_SYSCALL_64_after_hwframe',
];
const PUT_STACK = [
  'trace_event_raw_event_module_refcnt',
  'module_put',
  '__fput',
  'task_work_run',
  'exit_to_user_mode_prepare',
  'syscall_exit_to_user_mode',
  'do_syscall_64',
  'entry_SYSCALL_64_after_hwframe',
];

interface Traffic {
  /** One event, or the few of a load and an unload. */
  step(): void;
}

/** @param stacks part of the references that are told with their stack */
export function createTraffic(trace: TraceText, random: Random, stacks: number): Traffic {
  const names = Array.from({ length: MODULES }, (_, i) => `mod_${i}`);
  const users = new Map<string, number>(names.map((name) => [name, 0]));
  const tasks: Task[] = Array.from({ length: TASKS }, (_, i) => ({
    comm: `worker-${i % 90}`,
    pid: 1000 + i,
  }));
  const out: { readonly module: string; readonly task: Task }[] = [];
  let loads = 0;

  function move(task: Task, module: string, by: 1 | -1): void {
    const left = users.get(module)! + by;
    users.set(module, left);
    const event = by > 0 ? 'module_get' : 'module_put';
    const site = by > 0 ? 'misc_open' : '__fput';
    trace.record(task, FLAGS, `${event}: ${module} call_site=${site} refcnt=${left + 1}`);
    if (random.next() < stacks) trace.stack(task, by > 0 ? GET_STACK : PUT_STACK);
  }

  function loadAndUnload(): void {
    const module = `once_${loads++ % 500}`;
    const modprobe = { comm: 'modprobe', pid: 2_000 + (loads % 20_000) };
    const rmmod = { comm: 'rmmod', pid: modprobe.pid + 1 };
    const step = (task: Task, body: string) => {
      trace.pass(100_000);
      trace.record(task, FLAGS, body);
    };
    step(modprobe, 'sys_finit_module(fd: 3, uargs: 563c9aff34a0, flags: 0)');
    step(modprobe, `module_load: ${module} `);
    step(modprobe, `module_put: ${module} call_site=do_init_module refcnt=1`);
    step(modprobe, 'sys_finit_module -> 0x0');
    step(rmmod, 'sys_delete_module(name_user: 56392e56d808, flags: 800)');
    step(rmmod, `module_free: ${module}`);
    step(rmmod, 'sys_delete_module -> 0x0');
  }

  return {
    step() {
      trace.pass(200 + random.below(20_000));
      if (random.below(LOADS) === 0) {
        loadAndUnload();
        return;
      }
      if (random.below(2 * OUT) < out.length) {
        const at = random.below(out.length);
        const { module, task } = out[at]!;
        out[at] = out.at(-1)!;
        out.pop();
        move(task, module, -1);
      } else {
        const task = tasks[random.below(TASKS)]!;
        const module = names[random.below(MODULES)]!;
        out.push({ module, task });
        move(task, module, 1);
      }
    },
  };
}
