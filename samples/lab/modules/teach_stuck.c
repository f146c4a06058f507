// SPDX-License-Identifier: GPL-2.0
/*
 * An unload that waits for rmmod itself (the RFC on delaying module memory release, 2004).
 *
 * An open file holds an object, not the module, and exit waits until the object is released.
 * "rmmod teach_stuck < /dev/teach_stuck" waits for a file that is closed when rmmod ends.
 *
 * Cure: .owner, so that an open file refuses the unload and exit never waits for user space.
 */
#include <linux/completion.h>
#include <linux/kobject.h>
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static struct kobject object;
static DECLARE_COMPLETION(released);

static void teach_stuck_release(struct kobject *kobj)
{
	complete(&released);
}
static const struct kobj_type type = { .release = teach_stuck_release, .sysfs_ops = &kobj_sysfs_ops };

static int teach_stuck_open(struct inode *inode, struct file *file)
{
	kobject_get(&object);
	return 0;
}

static int teach_stuck_close(struct inode *inode, struct file *file)
{
	kobject_put(&object);
	return 0;
}

static struct file_operations operations = { .open = teach_stuck_open, .release = teach_stuck_close };
TEACH_DEVICE(device, operations);

static int __init teach_stuck_init(void)
{
	if (fixed)
		operations.owner = THIS_MODULE;
	kobject_init(&object, &type);
	return misc_register(&device);
}
module_init(teach_stuck_init);

static void teach_stuck_exit(void)
{
	misc_deregister(&device);
	kobject_put(&object);
	wait_for_completion(&released);
}
module_exit(teach_stuck_exit);
MODULE_DESCRIPTION("an unload that waits for rmmod itself");
MODULE_LICENSE("GPL");
