// SPDX-License-Identifier: GPL-2.0
/*
 * A device file without .owner: nothing holds the module while somebody has it open. rmmod succeeds, and the close
 * that comes later calls a release method that is no longer there.
 *
 * Cure: .owner, and rmmod says that the module is in use.
 */
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static int teach_no_owner_open(struct inode *inode, struct file *file)
{
	return 0;
}

static int teach_no_owner_release(struct inode *inode, struct file *file)
{
	return 0;
}

static struct file_operations operations = { .open = teach_no_owner_open, .release = teach_no_owner_release };
TEACH_DEVICE(device, operations);

static int __init teach_no_owner_init(void)
{
	if (fixed)
		operations.owner = THIS_MODULE;
	return misc_register(&device);
}
module_init(teach_no_owner_init);

static void teach_no_owner_exit(void)
{
	misc_deregister(&device);
}
module_exit(teach_no_owner_exit);
MODULE_DESCRIPTION("a device file without an owner");
MODULE_LICENSE("GPL");
