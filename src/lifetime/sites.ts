/**
 * Who takes and drops references, by the function that does it. The kernel pairs some of them itself: an open
 * file, a dependency, a probe being attached. Knowing those, a put can be matched with the right get although
 * the two come from different functions, tasks and contexts.
 */
import type { Code } from '../model/event.ts';
import type { Family } from '../model/standing.ts';

/** Symbol families of Linux 2.6.36 to 7.2; inlining decides which of a row is printed. */
const families: ReadonlyMap<string, Family> = new Map(
  (
    [
      ['init', ['do_init_module', 'sys_init_module', 'SYSC_init_module', '__do_sys_init_module']],
      [
        'dependency',
        [
          'resolve_symbol',
          'resolve_symbol_wait',
          'ref_module',
          'use_module',
          'simplify_symbols',
          'load_module',
          'module_unload_free',
        ],
      ],
      [
        'tracer',
        [
          'register_kprobe',
          '__register_kprobe',
          'register_kretprobe',
          'jump_label_text_reserved',
          'static_call_text_reserved',
          'check_kprobe_address_safe',
          'kprobe_register',
          'bpf_trampoline_module_get',
          'bpf_trampoline_link_prog',
          'bpf_trampoline_unlink_prog',
          'btf_try_get_module',
          'bpf_check_attach_target',
          'bpf_prog_put',
          '__bpf_tramp_prog_exit',
          'bpf_kprobe_multi_link_attach',
          'bpf_kprobe_multi_link_release',
          'get_modules_for_addrs',
          'kprobe_multi_put_modules',
          'validate_probe_symbol',
          'try_module_get_by_name',
          '__trace_kprobe_create',
          'trace_kprobe_create_internal',
          '__find_tracepoint_module_cb',
          'find_tracepoint',
          '__trace_fprobe_create',
          'trace_fprobe_create_internal',
        ],
      ],
      [
        'file',
        [
          'misc_open',
          'chrdev_open',
          'cdev_get',
          'cdev_put',
          'do_dentry_open',
          '__fput',
          '__fput_sync',
          'fops_put',
        ],
      ],
      [
        'hidden',
        [
          'arch_rethook_trampoline',
          'arch_kretprobe_trampoline',
          '__kretprobe_trampoline',
          'kretprobe_trampoline',
          'return_to_handler',
        ],
      ],
    ] satisfies [Family, string[]][]
  ).flatMap(([family, symbols]) => symbols.map((symbol) => [symbol, family])),
);

/** Functions that take and drop on behalf of whoever calls them. */
const WRAPPERS: ReadonlySet<string> = new Set(['__symbol_get', '__symbol_put', 'symbol_put_addr']);

/** Is it not this that takes or drops, but what called it? */
export function isWrapper({ symbol }: Pick<Code, 'symbol'>): boolean {
  return symbol !== undefined && WRAPPERS.has(bareSymbol(symbol));
}

/** Compiler suffixes change from build to build: `blkdev_get_by_dev.part.0` is `blkdev_get_by_dev`. */
export function bareSymbol(symbol: string): string {
  const dot = symbol.indexOf('.', 1);
  return dot < 0 ? symbol : symbol.slice(0, dot);
}

const RCU =
  /^(?:rcu_do_batch|rcu_core|rcu_core_si|rcu_process_callbacks|srcu_invoke_callbacks|rcu_tasks_invoke_cbs)$/;

/** Is this what calls the callbacks given to call_rcu()? */
export function runsRcuCallbacks(symbol: string): boolean {
  return RCU.test(bareSymbol(symbol));
}

/** Functions that call the items of a queue, or of a kthread worker. */
const RUNS_ITEMS: ReadonlySet<string> = new Set(['process_one_work', 'kthread_worker_fn']);

/** Is this what calls work items? */
export function runsWorkItems(symbol: string): boolean {
  return RUNS_ITEMS.has(bareSymbol(symbol));
}

/** What calls timers, as `timer_list` and `hrtimer` have them. */
const RUNS_TIMERS = /^(?:call_timer_fn|expire_timers|__run_timers|__hrtimer_run_queues|__run_hrtimer)$/;

/** Does this function only call callbacks, so that what is taken or dropped from there, one of them takes or drops? */
export function callsCallbacks({ symbol, module }: Code): boolean {
  if (symbol === undefined || module !== undefined) return false;
  return runsWorkItems(symbol) || runsRcuCallbacks(symbol) || RUNS_TIMERS.test(bareSymbol(symbol));
}

/** What calls the methods of a file in sysfs; removing the file waits for them, and freeing a module removes its files. */
const SYSFS =
  /^(?:kernfs_(?:fop_(?:read|write)(?:_iter)?|seq_show)|sysfs_kf_\w+|(?:param|module|dev|kobj|class|drv|bus)_attr_(?:show|store))$/;

/** Do these functions call a method of a file in sysfs? */
export function callsFromSysfs(symbol: string): boolean {
  return SYSFS.test(bareSymbol(symbol));
}

/** What kind of taker or dropper `site` is for `module`. */
export function familyOf(site: Code, module: string): Family {
  if (site.module === module) return 'own';
  if (site.module !== undefined) return 'foreign';
  if (site.symbol === undefined) return 'hidden';
  return families.get(bareSymbol(site.symbol)) ?? 'core';
}

/** May a put from family `put` give back what family `get` took? */
export function mayPair(get: Family, put: Family): boolean {
  // What is hidden may be anything; better matches are preferred where there are any.
  if (put === 'hidden' || get === 'hidden') return get !== 'init' && put !== 'init';
  if (isClosed(get) || isClosed(put)) return get === put;
  // What the VFS took for a file it gives back itself; but a file may also have been taken by a subsystem's own
  // open (drm_stub_open, snd_open: replace_fops), so a file put accepts any open-ended taker.
  if (get === 'file') return put === 'file';
  return true;
}

/** Families that only ever pair within themselves. */
function isClosed(family: Family): boolean {
  return family === 'dependency' || family === 'tracer' || family === 'init';
}

/** Do two function names speak of the same thing: `foo_open` and `foo_release`? */
export function relatedNames(a: string, b: string): boolean {
  return stem(a) === stem(b);
}

function stem(symbol: string): string {
  const bare = bareSymbol(symbol);
  const at = bare.lastIndexOf('_');
  return at <= 0 ? bare : bare.slice(0, at);
}

/** How a place is shown to people. */
export function placeName(code: Code): string {
  if (code.symbol === undefined) return code.text;
  return code.module === undefined ? code.symbol : `${code.symbol} [${code.module}]`;
}

//                       +- address        +- function                +- offset +- module
const FRAME =
  /^(?:[0-9a-f]{8,16} )?(?![0-9a-f]{8,16}$)([A-Za-z_][\w.]*)(?:\+(?:0x)?[0-9a-f]+)?(?:\/0x[0-9a-f]+)?(?: \[([^\]]+)\])?/;

/** A line of a stack, as ftrace (`foo+0x1/0x2 [m]`), perf and bpftrace (`ffffffffc0000000 foo+17`) print it;
 *  undefined where only an address is known. */
export function readFrame(frame: string): { readonly symbol: string; readonly module?: string } | undefined {
  const [, symbol, module] = FRAME.exec(frame) ?? [];
  if (symbol === undefined) return undefined;
  return module === undefined ? { symbol } : { symbol, module };
}
