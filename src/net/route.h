#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/endpoint.h"
#include "net/item.h"

/*
 * Links, addresses, routes and rules over rtnetlink: what `ip` does, in one process. All give 0 or
 * a negative errno. Adding gives -EEXIST as the kernel says it, and -EACCES for an IPv6 address on
 * a link that has IPv6 switched off; removing what is not there is 0. An IPv6 route that is added
 * with metric 0 has 1024 then.
 */
MUST_CHECK int route_link_add(const char *name); /* type wireguard; -EOPNOTSUPP: no driver */
MUST_CHECK int route_link_remove(const char *name);
MUST_CHECK int route_link_up(const char *name, uint32_t mtu); /* mtu 0: as it is */
MUST_CHECK int route_item(const struct item *i, bool remove); /* ADDRESS, ROUTE, RULE, LINK_MTU */

/*
 * The route that a datagram to this endpoint with this mark would take. The port does not matter;
 * the scope is the link of a link-local one. -ENETUNREACH, -EHOSTUNREACH, -EACCES, -EINVAL: there
 * is none, or one that refuses (unreachable, prohibit, blackhole).
 */
struct route_path {
	uint32_t link; /* index */
	uint32_t mtu;  /* of the route, else of its link */
	struct ip source;
	struct ip via; /* FAMILY_NONE: on link */
};
MUST_CHECK int route_path(const struct endpoint *to, uint32_t mark, struct route_path *ret);

/*
 * A socket that hears of changes to links, addresses, routes and rules in the caller's namespace,
 * and goes on to hear of that one; readable when there is news. route_watch_read drains it: 1
 * something changed, or news were lost; 0 nothing that matters; negative errno.
 */
MUST_CHECK int route_watch_open(void);
MUST_CHECK int route_watch_read(int fd);

#endif
