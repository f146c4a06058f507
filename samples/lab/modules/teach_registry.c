// SPDX-License-Identifier: GPL-2.0
/*
 * A put after a failed get, as drivers/mtd/mtd_blkdevs.c once had.
 *
 * Reading /dev/teach_registry uses whichever backend is registered, and holds its module meanwhile. While the
 * backend is going, try_module_get() fails; the error path ends in the same module_put() all the same and drops a
 * reference that was never taken.
 *
 * Cure: after a failed get there is nothing to put.
 */
#include <linux/mutex.h>
#include "teach.h"
#include "teach_registry.h"

static bool fixed;
module_param(fixed, bool, 0);

static DEFINE_MUTEX(lock);
static struct module *backend;

void teach_registry_add(struct module *owner)
{
	mutex_lock(&lock);
	backend = owner;
	mutex_unlock(&lock);
}
EXPORT_SYMBOL_GPL(teach_registry_add);

void teach_registry_remove(struct module *owner)
{
	mutex_lock(&lock);
	if (backend == owner)
		backend = NULL;
	mutex_unlock(&lock);
}
EXPORT_SYMBOL_GPL(teach_registry_remove);

static noinline int teach_registry_use(struct module *owner)
{
	int error = 0;

	if (!try_module_get(owner)) {
		error = -ENODEV;
		if (fixed)
			return error;
	}
	module_put(owner);
	return error;
}

static ssize_t teach_registry_read(struct file *file, char __user *data, size_t size, loff_t *offset)
{
	ssize_t error = -ENODEV;

	mutex_lock(&lock);
	if (backend)
		error = teach_registry_use(backend);
	mutex_unlock(&lock);
	return error;
}

static const struct file_operations operations = { .owner = THIS_MODULE, .read = teach_registry_read };
TEACH_DEVICE(device, operations);
module_misc_device(device);
MODULE_DESCRIPTION("a put after a failed get");
MODULE_LICENSE("GPL");
