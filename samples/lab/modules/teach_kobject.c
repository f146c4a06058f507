// SPDX-License-Identifier: GPL-2.0
/*
 * A release after exit, in the ten steps of drivers/md/dm-builtin.c:
 *
 *   1. somebody (teach_holder) takes a reference to the object's kobject
 *   2. rmmod calls exit
 *   3. exit drops its own reference and waits for the completion
 *   4. somebody drops the last reference
 *   5. which calls the release method, here
 *   6. release completes the completion, which wakes rmmod
 *   7. a reschedule: release has not returned
 *   8. exit returns
 *   9. the text is freed
 *  10. release goes on, in nothing
 *
 * Cure: a release method in text that stays; what it does last may then be complete().
 */
#include <linux/delay.h>
#include "teach.h"
#include "teach_holder.h"

static bool fixed;
module_param(fixed, bool, 0);
/* Step 7, made long. With 0 the race is there as before, and is won. */
static unsigned int delay_ms = 4000;
module_param(delay_ms, uint, 0);

static struct teach_object object;
static int step;

static void teach_kobject_release(struct kobject *kobj)
{
	unsigned int delay = delay_ms;

	complete(&container_of(kobj, struct teach_object, kobj)->released);
	if (delay) {
		msleep(delay);
		WRITE_ONCE(step, 10);
	}
}

static const struct kobj_type in_module = { .release = teach_kobject_release, .sysfs_ops = &kobj_sysfs_ops };
static const struct kobj_type outside = { .release = teach_holder_release, .sysfs_ops = &kobj_sysfs_ops };

static int __init teach_kobject_init(void)
{
	int error;

	init_completion(&object.released);
	error = kobject_init_and_add(&object.kobj, fixed ? &outside : &in_module, kernel_kobj, KBUILD_MODNAME);
	if (error) {
		kobject_put(&object.kobj);
		return error;
	}
	teach_holder_hold(&object.kobj);
	return 0;
}
module_init(teach_kobject_init);

static void teach_kobject_exit(void)
{
	teach_holder_drop_later();
	kobject_put(&object.kobj);
	wait_for_completion(&object.released);
}
module_exit(teach_kobject_exit);
MODULE_DESCRIPTION("a release method that outlives exit");
MODULE_LICENSE("GPL");
