// SPDX-License-Identifier: GPL-2.0
/*
 * A reference for each request, as SCSI drivers hold their own module: taken in process context, given back by the
 * completion in hardirq. That is right, since whoever has the device open holds the module, too.
 *
 * The bug is in the request that is cancelled: its completion never runs, and nobody puts in its place.
 *
 * Cure: who cancels a request does what its completion would have done.
 */
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);

static struct hrtimer requests[16];
static unsigned int count;

static enum hrtimer_restart teach_request_done(struct hrtimer *request)
{
	module_put(THIS_MODULE);
	return HRTIMER_NORESTART;
}

/* "+" is a request, "-" one that is cancelled at once. */
static ssize_t teach_request_write(struct file *file, const char __user *data, size_t size, loff_t *offset)
{
	struct hrtimer *request = &requests[count++ % ARRAY_SIZE(requests)];
	char first;

	if (get_user(first, data))
		return -EFAULT;
	__module_get(THIS_MODULE);
	hrtimer_start(request, ms_to_ktime(first == '-' ? 60000 : 50), HRTIMER_MODE_REL_HARD);
	if (first == '-' && hrtimer_cancel(request) && fixed)
		module_put(THIS_MODULE);
	return size;
}

static const struct file_operations operations = { .owner = THIS_MODULE, .write = teach_request_write };
TEACH_DEVICE(device, operations);

static int __init teach_request_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(requests); i++)
		hrtimer_setup(&requests[i], teach_request_done, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	return misc_register(&device);
}
module_init(teach_request_init);

static void teach_request_exit(void)
{
	misc_deregister(&device);
}
module_exit(teach_request_exit);
MODULE_DESCRIPTION("a reference for each request, given back in hardirq");
MODULE_LICENSE("GPL");
