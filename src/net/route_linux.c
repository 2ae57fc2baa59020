#include "net/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <unistd.h>

#include "base/netlink.h"
#include "net/route_read.h"
#include "net/route_write.h"

static int take_nothing(void *ctx, const struct nlmsghdr *message)
{
	(void)ctx;
	(void)message;
	return 0;
}

static int take_path(void *ctx, const struct nlmsghdr *message)
{
	return route_read_path(message, ctx);
}

static int take_link(void *ctx, const struct nlmsghdr *message)
{
	return route_read(message, AF_UNSPEC, ctx);
}

static int exchange_over(int fd, const struct route_request *r, netlink_handler *handle, void *ctx)
{
	return netlink_exchange(fd, (const struct nlmsghdr *)(const void *)r->bytes, handle, ctx);
}

static int exchange(const struct route_request *r)
{
	const int fd = netlink_open(NETLINK_ROUTE);
	int status;

	if (fd < 0)
		return fd;
	status = exchange_over(fd, r, take_nothing, NULL);
	close(fd);
	return status;
}

/*
 * What the kernel says of a thing that is not there, by kind. Without IPv6 in the kernel nothing of
 * it can be there either.
 */
static bool is_gone(enum item_kind kind, int status)
{
	if (status == -ENODEV || status == -EAFNOSUPPORT || status == -EOPNOTSUPP)
		return true;
	if (kind == ITEM_ADDRESS)
		return status == -EADDRNOTAVAIL || status == -ENXIO;
	return status == (kind == ITEM_ROUTE ? -ESRCH : -ENOENT);
}

int route_link_add(const char *name)
{
	struct route_request r;

	route_write_link_add(&r, name, "wireguard");
	return exchange(&r);
}

int route_link_remove(const char *name)
{
	struct route_request r;
	int status;

	route_write_link_remove(&r, name);
	status = exchange(&r);
	return status == -ENODEV ? 0 : status;
}

int route_link_up(const char *name, uint32_t mtu)
{
	struct route_request r;

	route_write_link_change(&r, name, true, mtu);
	return exchange(&r);
}

static bool has_link(const struct item *i)
{
	return i->kind == ITEM_ADDRESS || (i->kind == ITEM_ROUTE && i->route == HOST_UNICAST);
}

static int change_mtu(const struct item *i, bool remove)
{
	struct route_request r;

	if (remove)
		return 0; /* gone with the link */
	route_write_link_change(&r, i->link, false, i->number);
	return exchange(&r);
}

int route_item(const struct item *i, bool remove)
{
	struct route_request r;
	uint32_t link = 0;
	int status;

	if (i->kind == ITEM_LINK_MTU)
		return change_mtu(i, remove);
	if (has_link(i)) {
		link = if_nametoindex(i->link);
		if (link == 0)
			return remove ? 0 : -ENODEV;
	}
	status = route_write_item(&r, i, link, remove);
	if (status == 0)
		status = exchange(&r);
	return remove && is_gone(i->kind, status) ? 0 : status;
}

/* Of the link, where the route has none. */
static int find_mtu(int fd, struct route_path *path)
{
	struct host_facts h;
	struct route_request r;
	const struct host_link *link;
	int status;

	host_facts_init(&h);
	route_write_link_get(&r, path->link);
	status = exchange_over(fd, &r, take_link, &h.network);
	link = host_link_by_index(&h.network, path->link);
	if (link)
		path->mtu = link->mtu;
	host_facts_done(&h);
	return status;
}

int route_path(const struct endpoint *to, uint32_t mark, struct route_path *ret)
{
	struct route_path path = { 0 };
	struct route_request r;
	int status;
	const int fd = netlink_open(NETLINK_ROUTE);

	if (fd < 0)
		return fd;
	route_write_path(&r, to, mark);
	status = exchange_over(fd, &r, take_path, &path);
	if (status == 0 && path.mtu == 0)
		status = find_mtu(fd, &path);
	close(fd);
	if (status == 0)
		*ret = path;
	return status;
}
