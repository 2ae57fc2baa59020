#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

#include "base/netlink.h"
#include "net/route.h"

enum { ROOM = 1 << 20 }; /* of the socket: a storm of routes is not lost at once */

/* Without a number of its own it would be taken for the kernel, and told nothing. */
static bool has_number(int fd)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	return bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;
}

static bool join(int fd)
{
	static const int groups[] = { RTNLGRP_LINK,       RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,
				      RTNLGRP_IPV6_RULE };

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); ++i)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return false;
	return true;
}

int route_watch_open(void)
{
	const int room = ROOM;
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int status;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)); /* as may be */
	if (has_number(fd) && join(fd))
		return fd;
	status = -errno;
	close(fd);
	return status;
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

static bool matters(const struct nlmsghdr *message)
{
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

static bool any_matters(const uint8_t *bytes, size_t len)
{
	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *message = (const void *)bytes;
		size_t step;

		if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > len)
			return true; /* not understood is as good as lost */
		if (matters(message))
			return true;
		step = netlink_align(message->nlmsg_len);
		step = step < len ? step : len;
		bytes += step;
		len -= step;
	}
	return false;
}

/* 1, 0, or a negative errno: -EAGAIN when it is empty. */
static int read_once(int fd, uint8_t *piece)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	const ssize_t len =
		recvfrom(fd, piece, NETLINK_PIECE, MSG_TRUNC, (struct sockaddr *)&from, &from_len);

	if (len < 0)
		return errno == ENOBUFS ? 1 : errno == EINTR ? 0 : -errno;
	if (from.nl_pid != 0)
		return 0; /* not of the kernel */
	return len > NETLINK_PIECE || any_matters(piece, (size_t)len);
}

int route_watch_read(int fd)
{
	uint8_t *const piece = malloc(NETLINK_PIECE);
	bool changed = false;
	int status = 0;

	if (!piece)
		return -ENOMEM;
	while (status >= 0) {
		status = read_once(fd, piece);
		changed |= status == 1;
	}
	free(piece);
	return status == -EAGAIN ? changed : status;
}
