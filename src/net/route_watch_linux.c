#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "base/bytes.h"
#include "base/netlink.h"
#include "net/route.h"

enum { ROOM = 1 << 20 }; /* of the socket: a storm of routes is not lost at once */

int route_watch_open(void)
{
	static const int groups[] = { RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
				      RTNLGRP_IPV6_RULE };

	return netlink_listen(NETLINK_ROUTE, groups, ELEMENTS(groups), ROOM);
}

/*
 * A radio tells of its scans and a bridge of its ports as if the link had changed. What did change
 * is not told of, but for the flags: an mtu or a name may be new without any.
 */
static bool link_matters(const struct nlmsghdr *message)
{
	struct netlink_attribute a;
	struct netlink_walk w;
	struct ifinfomsg head;

	netlink_walk_message(&w, message, sizeof(head));
	if (w.broken)
		return true;
	memcpy(&head, mnl_nlmsg_get_payload(message), sizeof(head));
	if (head.ifi_family == AF_BRIDGE)
		return false;
	while (netlink_walk_next(&w, &a))
		if (a.type == IFLA_WIRELESS)
			return false;
	return true;
}

/* What the kernel caches of a path comes and goes by itself. */
static bool route_matters(const struct nlmsghdr *message)
{
	struct rtmsg head;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(head))
		return true;
	memcpy(&head, mnl_nlmsg_get_payload(message), sizeof(head));
	return !(head.rtm_flags & RTM_F_CLONED);
}

static bool matters(void *ctx, const struct nlmsghdr *message)
{
	(void)ctx;
	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_matters(message);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route_matters(message);
	default:
		return message->nlmsg_type >= NLMSG_MIN_TYPE;
	}
}

int route_watch_read(int fd)
{
	return netlink_drain(fd, matters, NULL);
}
