// SPDX-License-Identifier: GPL-2.0
/*
 * A thread that still runs module text when it is freed.
 *
 * Cure: kthread_stop() in exit, which returns when the thread has.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static struct task_struct *thread;

static noinline int teach_kthread_run(void *unused)
{
	while (!kthread_should_stop())
		msleep_interruptible(4000);
	return 0;
}

static int __init teach_kthread_init(void)
{
	thread = kthread_run(teach_kthread_run, NULL, "teach_kthread");
	return PTR_ERR_OR_ZERO(thread);
}
module_init(teach_kthread_init);

static void teach_kthread_exit(void)
{
	if (fixed)
		kthread_stop(thread);
}
module_exit(teach_kthread_exit);
MODULE_DESCRIPTION("a thread that outlives its module");
MODULE_LICENSE("GPL");
