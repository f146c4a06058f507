// SPDX-License-Identifier: GPL-2.0
/*
 * An unprotected get: a module that takes the first reference to itself.
 *
 * Without .owner nobody holds the module when open() is called. Between the call and try_module_get() an unload
 * may free the very text that is running.
 *
 * Cure: .owner, so that the caller holds the module before it enters it and until it has left it. What the module
 * takes and drops of itself meanwhile does no harm.
 */
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static int teach_own_get_open(struct inode *inode, struct file *file)
{
	if (!try_module_get(THIS_MODULE))
		return -ENODEV;
	return 0;
}

static int teach_own_get_release(struct inode *inode, struct file *file)
{
	module_put(THIS_MODULE);
	return 0;
}

static struct file_operations operations = { .open = teach_own_get_open, .release = teach_own_get_release };
TEACH_DEVICE(device, operations);

static int __init teach_own_get_init(void)
{
	if (fixed)
		operations.owner = THIS_MODULE;
	return misc_register(&device);
}
module_init(teach_own_get_init);

static void teach_own_get_exit(void)
{
	misc_deregister(&device);
}
module_exit(teach_own_get_exit);
MODULE_DESCRIPTION("a module that takes the first reference to itself");
MODULE_LICENSE("GPL");
