/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TEACH_HOLDER_H
#define TEACH_HOLDER_H

#include <linux/completion.h>
#include <linux/kobject.h>

/* As struct dm_kobject_holder: what the release method outside the module needs to know. */
struct teach_object {
	struct kobject kobj;
	struct completion released;
};

void teach_holder_hold(struct kobject *kobj);
void teach_holder_drop_later(void);
void teach_holder_release(struct kobject *kobj);

#endif
