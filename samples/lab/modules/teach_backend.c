// SPDX-License-Identifier: GPL-2.0
/* What teach_registry uses. Its exit takes a second before it unregisters: long enough to be used while going. */
#include <linux/delay.h>
#include "teach.h"
#include "teach_registry.h"

static int __init teach_backend_init(void)
{
	teach_registry_add(THIS_MODULE);
	return 0;
}
module_init(teach_backend_init);

/* Not __exit: functions of .exit.text cannot be traced. */
static void teach_backend_exit(void)
{
	msleep(1000);
	teach_registry_remove(THIS_MODULE);
}
module_exit(teach_backend_exit);
MODULE_DESCRIPTION("a backend that teach_registry uses");
MODULE_LICENSE("GPL");
