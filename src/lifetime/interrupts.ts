/** What code may do in hardirq, softirq and NMI, and what not. */
import type { Event } from '../model/event.ts';
import { WORK_JOINS } from './order.ts';

/** Functions that free memory: what must not be reached from an interrupt on behalf of a module's object. */
export const FREES: ReadonlySet<string> = new Set([
  'vfree',
  'vfree_atomic',
  'vunmap',
  'free_module',
  'module_memfree',
  'execmem_free',
]);
/** Functions that may sleep, among those that destroy, and the locks and waits that such code takes. */
const SLEEPS: ReadonlySet<string> = new Set([
  ...WORK_JOINS,
  'rcu_barrier',
  'srcu_barrier',
  'synchronize_rcu',
  'synchronize_srcu',
  'synchronize_net',
  'mutex_lock',
  'mutex_lock_interruptible',
  'mutex_lock_killable',
  'rt_mutex_lock',
  'down',
  'down_read',
  'down_write',
  'msleep',
  'msleep_interruptible',
  'usleep_range',
  'usleep_range_state',
  'schedule_timeout',
  'wait_for_completion',
  'wait_for_completion_timeout',
  'kernfs_remove',
  'kernfs_remove_by_name_ns',
  'sysfs_remove_dir',
  'sysfs_remove_file_ns',
  'sysfs_remove_group',
  'kobject_del',
  'device_del',
  'device_unregister',
  'device_destroy',
  'cdev_del',
  'misc_deregister',
  'debugfs_remove',
  'proc_remove',
  'remove_proc_entry',
  'unregister_netdev',
  'unregister_netdevice_queue',
  'free_irq',
  'synchronize_irq',
]);
/** What a release in an interrupt does rightly: it frees at once, or leaves the rest to somebody else. */
const FIT: ReadonlySet<string> = new Set([
  'kfree',
  'kfree_sensitive',
  'kmem_cache_free',
  'vfree_atomic',
  'call_rcu',
  'call_rcu_hurry',
  'kvfree_call_rcu',
  'schedule_work',
  '__queue_work',
  'queue_work_on',
  'queue_delayed_work_on',
  'mod_delayed_work_on',
  'kthread_queue_work',
  'kthread_queue_delayed_work',
  'irq_work_queue',
]);

export type Deed = 'frees' | 'sleeps' | 'fit';

export function isInterrupt({ context }: Event): boolean {
  return context === 'softirq' || context === 'hardirq' || context === 'nmi';
}

/** What entering this function means in an interrupt; undefined when nothing is known of it. */
export function deedOf(name: string, context: Event['context']): Deed | undefined {
  // Made for interrupts; not even it may run in an NMI.
  if (name === 'vfree_atomic') return context === 'nmi' ? 'frees' : 'fit';
  if (FREES.has(name)) return 'frees';
  if (SLEEPS.has(name)) return 'sleeps';
  return FIT.has(name) ? 'fit' : undefined;
}
