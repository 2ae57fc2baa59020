#ifndef CONTROL_WG_NETLINK_H
#define CONTROL_WG_NETLINK_H

#include <stddef.h>

#include "base/attr.h"
#include "model/model.h"

/*
 * The kernel driver, through generic netlink (behaviour.md C). Each call opens a socket of its own
 * in the caller's namespace and needs CAP_NET_ADMIN there. All return 0 or a negative errno:
 * -EPROTONOSUPPORT without the driver, -ENODEV, -EOPNOTSUPP for a link of another kind, -EPERM,
 * -ENAMETOOLONG, or what the kernel refuses a set with.
 */

/* Inited, empty; empty on failure. Starts again, without limit, when the device changed meanwhile.
 */
MUST_CHECK int wg_netlink_get(const char *name, struct model *ret);
/*
 * In as many requests as it takes: the kernel applies each for itself and stops at the first thing
 * it refuses. ret_peers is how many peers of the patch earlier requests have settled: 0 if the
 * first one failed. A name that is too long is cut, as wg(8) does.
 */
MUST_CHECK int wg_netlink_set(const char *name, const struct model *patch, size_t *ret_peers);

/* The links of kind "wireguard", in the kernel's order; found keeps nothing, negative stops. */
typedef int wg_netlink_found(void *ctx, const char *name);
MUST_CHECK int wg_netlink_list(wg_netlink_found *found, void *ctx);

/* The same over a socket that stays the caller's: what a test puts a kernel of its own behind. */
MUST_CHECK int wg_netlink_get_over(int fd, const char *name, struct model *ret);
MUST_CHECK int wg_netlink_set_over(int fd, const char *name, const struct model *patch,
				   size_t *ret_peers);
MUST_CHECK int wg_netlink_list_over(int fd, wg_netlink_found *found, void *ctx);

#endif
