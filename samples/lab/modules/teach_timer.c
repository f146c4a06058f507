// SPDX-License-Identifier: GPL-2.0
/*
 * A timer that outlives its module, as in the cpu5wdt driver (CVE-2024-38630).
 *
 * Cure: timer_shutdown_sync() in exit; a plain timer_delete() would not wait for a callback that is running.
 */
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static void teach_timer_expire(struct timer_list *timer)
{
}
static DEFINE_TIMER(timer, teach_timer_expire);

static int __init teach_timer_init(void)
{
	mod_timer(&timer, jiffies + msecs_to_jiffies(4000));
	return 0;
}
module_init(teach_timer_init);

static void teach_timer_exit(void)
{
	if (fixed)
		timer_shutdown_sync(&timer);
}
module_exit(teach_timer_exit);
MODULE_DESCRIPTION("a timer that outlives its module");
MODULE_LICENSE("GPL");
