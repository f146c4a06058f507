/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TEACH_SERVER_H
#define TEACH_SERVER_H

struct module;

struct module *teach_server_owner(void);
/* Takes over the caller's reference to the server, and gives it back when the job is done. */
void teach_server_submit(void);

#endif
