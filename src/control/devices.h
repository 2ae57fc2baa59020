#ifndef CONTROL_DEVICES_H
#define CONTROL_DEVICES_H

#include <stddef.h>

#include "base/attr.h"
#include "control/backend.h"

/*
 * Which WireGuard devices there are, and the way to each by wg(8)'s rule (behaviour.md A.2): a
 * socket DIR/NAME.sock that takes connections goes before a kernel device of that name. A socket
 * that nobody serves any more is removed in passing, even by a reader.
 */
#define DEVICES_DIR "/var/run/wireguard"

enum device_kind { DEVICE_KERNEL, DEVICE_USERSPACE };

struct device_entry {
	char *name;
	enum device_kind kind;
};

struct device_list {
	struct device_entry *items;
	size_t count;
};

/* Kernel devices first, then sockets, each in the order found; a name may come twice. */
MUST_CHECK int devices_list(const char *dir, struct device_list *ret); /* untouched on failure */
void devices_done(struct device_list *l);

/*
 * The back end of one device. Borrows both strings. Nothing is opened before a call, and each call
 * decides anew. A get takes all in one piece. A diagnose is -EOPNOTSUPP of any but our engine; a
 * set may return a positive number (control/uapi_client.h): test for nonzero, and give the negated
 * number to strerror. Where a set of the kernel driver failed after some of it was applied, why
 * says how much.
 */
struct device {
	struct backend backend; /* its ctx is this very struct: do not move it */
	const char *dir;
	const char *name;
};

void device_init(struct device *d, const char *dir, const char *name);
/* By which of the two it is reached now. Says nothing about whether the kernel knows it. */
MUST_CHECK enum device_kind device_kind(const struct device *d);
/* Why a set of the kernel driver failed, and what may have changed all the same: the kernel applies
 * a request piece by piece, and takes nothing back. settled as wg_netlink_set gives it. */
void devices_explain_kernel(int error, size_t settled, const struct model *patch, struct diag *why);

#endif
