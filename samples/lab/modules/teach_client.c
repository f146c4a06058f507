// SPDX-License-Identifier: GPL-2.0
/*
 * A leak on one of two paths. Each job takes a reference to the server and hands it over, to be given back by the
 * server when the job is done. A job that is called off before it is handed over keeps its reference, so the server
 * cannot be unloaded any more, even without its client.
 *
 * Cure: what was not handed over is still one's own to put.
 */
#include "teach.h"
#include "teach_server.h"

static bool fixed;
module_param(fixed, bool, 0);

/* "+" is a job, "-" one that is called off. */
static ssize_t teach_client_write(struct file *file, const char __user *data, size_t size, loff_t *offset)
{
	char first;

	if (get_user(first, data))
		return -EFAULT;
	if (!try_module_get(teach_server_owner()))
		return -ENODEV;
	if (first == '-') {
		if (fixed)
			module_put(teach_server_owner());
		return size;
	}
	teach_server_submit();
	return size;
}

static const struct file_operations operations = { .owner = THIS_MODULE, .write = teach_client_write };
TEACH_DEVICE(device, operations);
module_misc_device(device);
MODULE_DESCRIPTION("a leak on one of two paths");
MODULE_LICENSE("GPL");
