// SPDX-License-Identifier: GPL-2.0
/*
 * A put without a get.
 *
 * .owner makes the VFS hold the module while the file is open. The release method "gives back" a reference of its
 * own that it never took, so each close takes somebody else's: the module can be unloaded under an open file, and
 * when there is no other holder the count falls below its base.
 *
 * Cure: put only what was got; with .owner that is nothing.
 */
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static int teach_extra_put_release(struct inode *inode, struct file *file)
{
	if (!fixed)
		module_put(THIS_MODULE);
	return 0;
}

static const struct file_operations operations = { .owner = THIS_MODULE, .release = teach_extra_put_release };
TEACH_DEVICE(device, operations);
module_misc_device(device);
MODULE_DESCRIPTION("a put without a get");
MODULE_LICENSE("GPL");
