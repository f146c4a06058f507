/* SPDX-License-Identifier: GPL-2.0 */
/* What the teaching modules share: names that changed between kernels, and a device file in one line. */
#ifndef TEACH_H
#define TEACH_H

#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/timer.h>
#include <linux/version.h>

/* 6.2 renamed del_timer_sync(). */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_shutdown_sync del_timer_sync
#endif

/* 6.13 folded the function into the setup. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup(struct hrtimer *timer, enum hrtimer_restart (*function)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

/* /dev/NAME with these operations. */
#define TEACH_DEVICE(device, file_operations)                                                                  \
	static struct miscdevice device = {                                                                    \
		.minor = MISC_DYNAMIC_MINOR,                                                                   \
		.name = KBUILD_MODNAME,                                                                        \
		.fops = &file_operations,                                                                      \
	}

#endif
