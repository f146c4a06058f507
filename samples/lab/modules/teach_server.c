// SPDX-License-Identifier: GPL-2.0
/*
 * What teach_client uses: it puts, when a job is done, the reference that the client took. A put by another module
 * than the one that got is no bug where the reference was handed over.
 */
#include <linux/atomic.h>
#include <linux/workqueue.h>
#include "teach.h"
#include "teach_server.h"

static atomic_t submitted = ATOMIC_INIT(0);

static void teach_server_done(struct work_struct *work)
{
	while (atomic_dec_if_positive(&submitted) >= 0)
		module_put(THIS_MODULE);
}
static DECLARE_WORK(done, teach_server_done);

struct module *teach_server_owner(void)
{
	return THIS_MODULE;
}
EXPORT_SYMBOL_GPL(teach_server_owner);

void teach_server_submit(void)
{
	atomic_inc(&submitted);
	schedule_work(&done);
}
EXPORT_SYMBOL_GPL(teach_server_submit);

static int __init teach_server_init(void)
{
	return 0;
}
module_init(teach_server_init);

static void teach_server_exit(void)
{
	flush_work(&done);
}
module_exit(teach_server_exit);
MODULE_DESCRIPTION("gives back what teach_client took");
MODULE_LICENSE("GPL");
