// SPDX-License-Identifier: GPL-2.0
/*
 * Destruction in interrupt context, what dm_put() once did from request completion.
 *
 * An object's last reference is dropped by a timer, so its release method runs right there: in softirq, or with
 * hard=1 in hardirq. Release methods free memory, unregister things and may sleep.
 *
 * Cure: put anywhere, destroy in process context; here the timer leaves the last put to a work item.
 */
#include <linux/kobject.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);
static bool hard;
module_param(hard, bool, 0);

struct teach_buffer {
	struct kobject kobj;
	void *memory;
};

static struct teach_buffer buffer;
static struct timer_list soft_timer;
static struct hrtimer hard_timer;

static void teach_irq_free_release(struct kobject *kobj)
{
	vfree(container_of(kobj, struct teach_buffer, kobj)->memory);
}
static const struct kobj_type type = { .release = teach_irq_free_release, .sysfs_ops = &kobj_sysfs_ops };

static void teach_irq_free_put(struct work_struct *work)
{
	kobject_put(&buffer.kobj);
}
static DECLARE_WORK(put, teach_irq_free_put);

static void done(void)
{
	if (fixed)
		schedule_work(&put);
	else
		kobject_put(&buffer.kobj);
}

static void teach_irq_free_soft(struct timer_list *timer)
{
	done();
}

static enum hrtimer_restart teach_irq_free_hard(struct hrtimer *timer)
{
	done();
	return HRTIMER_NORESTART;
}

static int __init teach_irq_free_init(void)
{
	buffer.memory = vmalloc(PAGE_SIZE);
	if (!buffer.memory)
		return -ENOMEM;
	kobject_init(&buffer.kobj, &type);
	timer_setup(&soft_timer, teach_irq_free_soft, 0);
	hrtimer_setup(&hard_timer, teach_irq_free_hard, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	if (hard)
		hrtimer_start(&hard_timer, ms_to_ktime(300), HRTIMER_MODE_REL_HARD);
	else
		mod_timer(&soft_timer, jiffies + msecs_to_jiffies(300));
	return 0;
}
module_init(teach_irq_free_init);

static void teach_irq_free_exit(void)
{
	timer_shutdown_sync(&soft_timer);
	hrtimer_cancel(&hard_timer);
	flush_work(&put);
}
module_exit(teach_irq_free_exit);
MODULE_DESCRIPTION("destruction in interrupt context");
MODULE_LICENSE("GPL");
