#ifndef NET_ROUTE_READ_H
#define NET_ROUTE_READ_H

#include <linux/netlink.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/host_facts.h"
#include "net/route.h"

/*
 * What rtnetlink tells, bytes to facts. Pure, and trusts nothing: a message that is broken, of
 * another family than asked for, or of a kind that no fact is made of is left out; a fact that is
 * missing proves nothing.
 */

/* One message of a dump of links, addresses, routes or rules, appended. family: AF_INET, AF_INET6,
 * or AF_UNSPEC for any. 0 or -ENOMEM. */
MUST_CHECK int route_read(const struct nlmsghdr *message, uint8_t family, struct host_network *n);
/* The answer to the question for one route; mtu 0: that of the link. -EPROTO: it is none. */
MUST_CHECK int route_read_path(const struct nlmsghdr *message, struct route_path *ret);

#endif
