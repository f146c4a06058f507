// SPDX-License-Identifier: GPL-2.0
/*
 * A get without a put on an error path.
 *
 * Each write is a job, and a job holds the module while it runs. A job that is refused returns early, past the
 * module_put(): from then on rmmod says "Module teach_ref_leak is in use", though nobody uses it.
 *
 * Cure: one way out, which puts.
 */
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static ssize_t teach_ref_leak_write(struct file *file, const char __user *data, size_t size, loff_t *offset)
{
	ssize_t done = size;
	char first;

	__module_get(THIS_MODULE);
	if (get_user(first, data) || first != '+') {
		done = -EINVAL;
		if (!fixed)
			return done;
	}
	module_put(THIS_MODULE);
	return done;
}

static const struct file_operations operations = { .owner = THIS_MODULE, .write = teach_ref_leak_write };
TEACH_DEVICE(device, operations);
module_misc_device(device);
MODULE_DESCRIPTION("a get without a put on an error path");
MODULE_LICENSE("GPL");
