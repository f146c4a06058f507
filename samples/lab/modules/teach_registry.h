/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TEACH_REGISTRY_H
#define TEACH_REGISTRY_H

struct module;

void teach_registry_add(struct module *owner);
void teach_registry_remove(struct module *owner);

#endif
