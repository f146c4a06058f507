// SPDX-License-Identifier: GPL-2.0
/*
 * RCU callbacks that are pending when their module is freed, as net/smc had (4ead9c96d528).
 *
 * Nodes are freed after a grace period by a callback in this module, the last one when it goes. The grace period
 * being over does not mean that the callback has run: on a busy CPU callbacks queue up, and synchronize_rcu() does
 * not wait for them.
 *
 * Cure: rcu_barrier() in exit, after the last call_rcu().
 */
#include <linux/delay.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include "teach.h"

static bool fixed;
module_param(fixed, bool, 0);
/* What one callback has to do; here it is made long, so that they queue up. */
static unsigned int delay_ms = 20;
module_param(delay_ms, uint, 0);

struct teach_node {
	struct rcu_head rcu;
};

static void teach_rcu_free(struct rcu_head *head)
{
	mdelay(delay_ms);
	kfree(container_of(head, struct teach_node, rcu));
}

static struct teach_node *last;

/* echo N > /sys/module/teach_rcu/parameters/retire: N nodes are no longer needed. */
static int teach_rcu_retire(const char *value, const struct kernel_param *parameter)
{
	unsigned int count;
	int error = kstrtouint(value, 0, &count);

	while (!error && count--) {
		struct teach_node *node = kzalloc(sizeof(*node), GFP_KERNEL);

		if (!node)
			return -ENOMEM;
		call_rcu(&node->rcu, teach_rcu_free);
	}
	return error;
}
module_param_call(retire, teach_rcu_retire, NULL, NULL, 0200);

static int __init teach_rcu_init(void)
{
	last = kzalloc(sizeof(*last), GFP_KERNEL);
	return last ? 0 : -ENOMEM;
}
module_init(teach_rcu_init);

static void teach_rcu_exit(void)
{
	call_rcu(&last->rcu, teach_rcu_free);
	if (fixed)
		rcu_barrier();
}
module_exit(teach_rcu_exit);
MODULE_DESCRIPTION("RCU callbacks that outlive their module");
MODULE_LICENSE("GPL");
