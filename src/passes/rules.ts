/** What each rule flags, its story, its cure: the one source of `explain`, of every finding's fix, and of the docs. */
import type { Finding, RuleId } from '../model/report.ts';

export interface RuleText {
  /** One line: what it flags. */
  readonly flags: string;
  /** Where the idea comes from. */
  readonly from: string;
  /** What happens, in steps, in the words of the events that show it. */
  readonly story: readonly string[];
  /** Lines of a shipped sample that show it. */
  readonly excerpt?: { readonly sample: string; readonly lines: readonly number[] };
  readonly fix: Finding['fix'];
}

export const rules: Readonly<Record<RuleId, RuleText>> = {
  'ref-leak': {
    flags: 'a reference to a module that was taken and never given back, although its taker is done',
    from: 'LDV rule 0008: exactly one module_put() for each successful try_module_get()',
    story: [
      'module_get    M call_site=foo_open      the operation begins; refcnt goes up',
      '              … an error, an early return, a special case …',
      'foo_release   returns                   the path that gives back elsewhere did not',
      'rmmod M       "Module M is in use"      and stays so until reboot',
    ],
    excerpt: { sample: 'tracefs/6.1-get-leak.txt', lines: [294, 298, 310, 312, 314, 317] },
    fix: {
      text: 'Call module_put() on every path that leaves the operation, error paths and early returns included; better, set .owner = THIS_MODULE and let the core take and drop the reference.',
      pattern: 'put on every path',
      reference: 'da46ee19cbd8 (regulator), 1966554b2e82 (block elevator), 043d2acf5722 (nf_tables)',
    },
  },
  'put-without-get': {
    flags:
      "a put that nobody's get explains: the count falls below its base, or somebody else's reference is stolen",
    from: 'LDV rule 0008',
    story: [
      'module_get    M call_site=A    refcnt=2   A holds M',
      'module_put    M call_site=B    refcnt=1   B never took it: A holds a module that looks idle',
      'rmmod M                                   succeeds; A uses freed memory',
    ],
    excerpt: { sample: 'tracefs/6.1-extra-put.txt', lines: [195, 201, 207, 210, 222] },
    fix: {
      text: 'Remove the extra module_put(), or give back only what this path itself took; a reference the core took for an open file is dropped by the core.',
      pattern: 'one put per get',
      reference: '1c9be13846c0 (usb roles, CVE-2024-26747)',
    },
  },
  'put-after-failed-get': {
    flags: 'a put by a path whose try_module_get() had just failed',
    from: 'LDV rule 0008; blktrans_open() in drivers/mtd/mtd_blkdevs.c',
    story: [
      'delete_module M                          M is going: it can no longer be taken',
      'try_module_get(M)      returns false     nothing was taken, so there is no module_get event',
      'module_put    M call_site=foo refcnt=0   the error path drops what it does not hold',
    ],
    excerpt: { sample: 'tracefs/6.1-put-after-failed-get.txt', lines: [302, 308, 311, 320] },
    fix: {
      text: 'Leave the function without module_put() when try_module_get() failed: move the put below the label that the failure jumps to.',
      pattern: 'check the get',
      reference: 'mtd_blkdevs: blktrans_open(), lkml 2010-01-12',
    },
  },
  'unprotected-get': {
    flags: 'a reference taken while nothing keeps the module alive during the taking',
    from: 'driverfs updates, 2002 (get_driver); "stop using try_module_get(THIS_MODULE)"',
    story: [
      'foo_open [M]  enters                     already running in M, which nobody holds',
      '              rmmod M may free it here   between the call and the get',
      'module_get    M call_site=foo_open [M] refcnt=2',
    ],
    excerpt: { sample: 'tracefs/6.1-get-leak.txt', lines: [292, 294] },
    fix: {
      text: 'Let the caller take the reference before it enters the module: set .owner = THIS_MODULE in the operations and drop try_module_get(THIS_MODULE).',
      pattern: '.owner',
      reference: '087e15206d6a (KVM), dea6e19f4ef7 (tap)',
    },
  },
  'early-put': {
    flags:
      "the last reference dropped by the module's own code, which still has to return through module text",
    from: 'driverfs updates, 2002',
    story: [
      'module_put    M call_site=foo_release [M] refcnt=1   nobody holds M any more',
      'rmmod M                                              exit runs, the text is freed',
      'foo_release   returns                                into nothing',
    ],
    excerpt: { sample: 'tracefs/6.1-close-race.txt', lines: [254, 257, 259, 264] },
    fix: {
      text: 'Drop the reference from outside the module: set .owner and let the core put it after the call has returned; a thread ends with module_put_and_kthread_exit().',
      pattern: '.owner',
      reference: 'f2b85040acec (scsi, CVE-2021-47480)',
    },
  },
  'release-after-exit': {
    flags: 'a release method in module text that runs, or may still run, when the text is freed',
    from: 'drivers/md/dm-builtin.c',
    story: [
      ' 1  a task opens a sysfs file: the kobject embedded in the module is held',
      ' 2  rmmod: delete_module, the exit function of the module runs',
      ' 3  rmmod: exit drops its own reference and waits for a completion',
      ' 4  the task closes the file: the last kobject_put()',
      ' 5  that runs the release method, which lies in the module',
      ' 6  release calls complete(), which wakes rmmod',
      ' 7  a reschedule: release has not returned yet',
      ' 8  rmmod: the wait is over, exit returns, refcnt is at its base',
      ' 9  rmmod: module_free, the text is gone',
      '10  release is scheduled again, returns into nothing and faults',
    ],
    excerpt: { sample: 'tracefs/6.1-release-after-exit.txt', lines: [334, 335, 338, 341, 343, 351] },
    fix: {
      text: "Move the release out of the module's text (as dm-builtin.c does for device-mapper), or wait until it has returned before exit returns: flush or join whatever runs it.",
      pattern: 'release in built-in or owner code',
      reference: 'be35f4861082 (dm), drivers/md/dm-builtin.c',
    },
  },
  'text-in-use': {
    flags:
      'a thread, work item, timer, RCU callback, call or open file that still needs the text when it is freed',
    from: 'delaying module memory release (soft references), RFC 2004',
    story: [
      'a timer, work item, RCU callback or thread of M is started',
      'rmmod M       exit returns without waiting for it',
      'module_free   M                          its function is gone',
      'it runs, or returns, and executes freed memory',
    ],
    excerpt: { sample: 'tracefs/6.1-kthread-outlives.txt', lines: [62, 841, 844] },
    fix: {
      text: 'Stop it before exit returns: kthread_stop(), cancel_work_sync(), timer_shutdown_sync(), rcu_barrier(); for files set .owner = THIS_MODULE.',
      pattern: 'synchronous teardown in exit',
      reference: 'CVE-2024-38630 (cpu5wdt timer), 4ead9c96d528 (net/smc rcu_barrier)',
    },
  },
  'free-in-interrupt': {
    flags: "destruction of a module's object reached in hardirq, softirq or NMI",
    from: 'dm: separate device deletion from dm_put, 2010',
    story: [
      'a request completes in interrupt context and drops the last reference',
      'the release method runs right there: it may sleep, or reach vfree()',
      'BUG_ON(in_interrupt()), "scheduling while atomic", or a deadlock on a lock it interrupted',
    ],
    excerpt: { sample: 'tracefs/6.1-free-in-softirq.txt', lines: [268, 269, 272] },
    fix: {
      text: 'Keep get and put legal anywhere and destruction in process context: let the last put queue a work item that destroys, or let a destroy function wait for the references.',
      pattern: 'get/destroy split',
      reference: '6206b7981a36 (qed), 5a40f8af2ba1 (be2net); dm_put()/dm_destroy()',
    },
  },
  'stuck-unload': {
    flags: 'delete_module entered and not coming back',
    from: 'delaying module memory release, RFC 2004; "Module unloading in a reference counted world" (LWN 68149)',
    story: [
      'rmmod M < /sys/…/attribute of M          its stdin pins an object of M',
      'delete_module enters                     exit waits for the release of that object',
      '                                         which waits for rmmod to close its stdin: for ever',
    ],
    excerpt: { sample: 'tracefs/6.1-stuck-unload.txt', lines: [253, 255] },
    fix: {
      text: 'Do not wait in exit for references that user space can hold: deregister first, let the core pin the module (.owner) while a file is open, and move the release out of the module.',
      pattern: 'no wait on user-held references',
      reference: 'LWN 68149; Documentation/core-api/kobject.rst',
    },
  },
  'forced-unload': {
    flags: 'text freed while hard references were out',
    from: 'rmmod -f; dm_destroy_immediate()',
    story: [
      'module_get    M call_site=A    refcnt=2   A holds M',
      'rmmod -f M                                the count is ignored',
      'module_free   M                           A holds freed memory',
    ],
    excerpt: { sample: 'tracefs/6.12-forced-unload.txt', lines: [80, 89, 92] },
    fix: {
      text: 'Do not force: find the holder (modlife holders) and make it let go. After a forced unload the machine is not to be trusted until reboot.',
      pattern: 'find the holder',
    },
  },
  'busy-unload': {
    flags: 'rmmod was refused: who held the module then',
    from: '"Is there a way to figure out what is using a Linux kernel module?"',
    story: [
      'module_get    M call_site=A    refcnt=2   A holds M',
      'delete_module M = -EWOULDBLOCK            refused; kmod says "Module M is in use"',
    ],
    fix: {
      text: 'Make the holder let go (close the file, unmount, remove the device), or wait for a transient one with modprobe -r --wait.',
      pattern: 'find the holder',
    },
  },
  'trace-gap': {
    flags: 'events lost or missing, where, and which verdicts they weaken',
    from: 'every lossy tracer',
    story: [
      'CPU:1 [LOST 510 EVENTS]                   told by the tracer',
      'module_get    M refcnt=4  after refcnt=2  told by the count itself',
    ],
    excerpt: { sample: 'tracefs/6.1-lost-events.txt', lines: [1, 2, 104, 105] },
    fix: {
      text: 'Record again with a bigger buffer (buffer_size_kb, trace-cmd -b, BPFTRACE_PERF_RB_PAGES) and only the events that are needed.',
      pattern: 'record again',
    },
  },
};
