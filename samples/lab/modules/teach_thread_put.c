// SPDX-License-Identifier: GPL-2.0
/*
 * An early put: the last reference dropped by the module's own code.
 *
 * A write starts a thread that holds the module, as it should: the VFS holds it while write() takes that second
 * reference. But the thread gives it back itself and then still has to return through module text, which rmmod is
 * free to free by then.
 *
 * Cure: module_put_and_kthread_exit(), which puts from built-in text and never comes back.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static noinline int teach_thread_put_job(void *unused)
{
	msleep(300);
	if (fixed)
		module_put_and_kthread_exit(0);
	module_put(THIS_MODULE);
	/* What the thread still has to do; here it is made long. */
	msleep(4000);
	return 0;
}

static ssize_t teach_thread_put_write(struct file *file, const char __user *data, size_t size, loff_t *offset)
{
	struct task_struct *thread;

	__module_get(THIS_MODULE);
	thread = kthread_run(teach_thread_put_job, NULL, "teach_job");
	if (IS_ERR(thread)) {
		module_put(THIS_MODULE);
		return PTR_ERR(thread);
	}
	return size;
}

static const struct file_operations operations = { .owner = THIS_MODULE, .write = teach_thread_put_write };
TEACH_DEVICE(device, operations);
module_misc_device(device);
MODULE_DESCRIPTION("the last reference dropped by the module's own code");
MODULE_LICENSE("GPL");
