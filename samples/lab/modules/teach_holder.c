// SPDX-License-Identifier: GPL-2.0
/*
 * The somebody else of teach_kobject: holds a reference to a foreign object and drops it from a work item. Like
 * drivers/md/dm-builtin.c it also has a release method to lend, in text that stays.
 */
#include <linux/workqueue.h>
#include "teach.h"
#include "teach_holder.h"

static struct kobject *held;

static void teach_holder_drop(struct work_struct *work)
{
	kobject_put(held);
}
static DECLARE_DELAYED_WORK(drop, teach_holder_drop);

void teach_holder_hold(struct kobject *kobj)
{
	held = kobject_get(kobj);
}
EXPORT_SYMBOL_GPL(teach_holder_hold);

void teach_holder_drop_later(void)
{
	queue_delayed_work(system_unbound_wq, &drop, msecs_to_jiffies(200));
}
EXPORT_SYMBOL_GPL(teach_holder_drop_later);

void teach_holder_release(struct kobject *kobj)
{
	complete(&container_of(kobj, struct teach_object, kobj)->released);
}
EXPORT_SYMBOL_GPL(teach_holder_release);

static int __init teach_holder_init(void)
{
	return 0;
}
module_init(teach_holder_init);

static void teach_holder_exit(void)
{
	flush_delayed_work(&drop);
}
module_exit(teach_holder_exit);
MODULE_DESCRIPTION("holds an object of teach_kobject");
MODULE_LICENSE("GPL");
