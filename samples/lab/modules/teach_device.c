// SPDX-License-Identifier: GPL-2.0
/* A device without a bug: what is told of it is what somebody did to it (rmmod -f, rmmod while it is open). */
#include "teach.h"

static const struct file_operations operations = { .owner = THIS_MODULE };
TEACH_DEVICE(device, operations);
module_misc_device(device);
MODULE_DESCRIPTION("a device without a bug");
MODULE_LICENSE("GPL");
