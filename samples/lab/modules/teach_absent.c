// SPDX-License-Identifier: GPL-2.0
/*
 * No bug: an init that fails, as that of a driver whose hardware is not there. Others took and gave back references
 * while it tried; then the module goes without its exit function, and without an unload.
 */
#include <linux/delay.h>
#include "teach.h"

/* The hardware is there. */
static bool fixed;
module_param(fixed, bool, 0);

static const struct file_operations operations = { .owner = THIS_MODULE };
TEACH_DEVICE(device, operations);

static int __init teach_absent_init(void)
{
	int error = misc_register(&device);

	if (error || fixed)
		return error;
	msleep(500);
	misc_deregister(&device);
	return -ENODEV;
}
module_init(teach_absent_init);

static void teach_absent_exit(void)
{
	misc_deregister(&device);
}
module_exit(teach_absent_exit);
MODULE_DESCRIPTION("an init that fails");
MODULE_LICENSE("GPL");
