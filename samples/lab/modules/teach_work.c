// SPDX-License-Identifier: GPL-2.0
/*
 * A work item that still runs when its module is freed.
 *
 * Cure: cancel_work_sync() in exit, which waits for one that runs.
 */
#include <linux/delay.h>
#include <linux/workqueue.h>
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static int runs;

static void teach_work_run(struct work_struct *work)
{
	msleep(4000);
	runs++;
}
static DECLARE_WORK(work, teach_work_run);

static int __init teach_work_init(void)
{
	queue_work(system_unbound_wq, &work);
	return 0;
}
module_init(teach_work_init);

static void teach_work_exit(void)
{
	if (fixed)
		cancel_work_sync(&work);
}
module_exit(teach_work_exit);
MODULE_DESCRIPTION("a work item that outlives its module");
MODULE_LICENSE("GPL");
