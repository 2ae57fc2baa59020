#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/netlink.h"
#include "net/observe.h"
#include "net/route_read.h"
#include "net/route_write.h"

/* A dump during which something changed is begun again, but not for ever: some hosts never rest. */
enum { TRIES = 10 };

struct dump {
	struct host_network *network;
	int fd;
	uint32_t seq;
	uint8_t family;
};

static int take(void *ctx, const struct nlmsghdr *message)
{
	const struct dump *d = ctx;

	return route_read(message, d->family, d->network);
}

static void forget(struct host_network *n, const struct host_network *before)
{
	n->link_count = before->link_count;
	n->address_count = before->address_count;
	n->route_count = before->route_count;
	n->rule_count = before->rule_count;
}

/* -EINTR after the last try: some rows may be missing, or there twice. */
static int dump(struct dump *d, uint16_t type)
{
	const struct host_network before = *d->network;
	struct route_request r;
	int status = -EINTR;

	for (int i = 0; i < TRIES && status == -EINTR; ++i) {
		forget(d->network, &before);
		route_write_dump(&r, type, d->family, ++d->seq);
		status = netlink_exchange(d->fd, (const struct nlmsghdr *)(const void *)r.bytes,
					  take, d);
	}
	return status;
}

/* What a kernel was built without is not there. What never rests was seen as well as may be. */
static bool is_fine(int status)
{
	return status == 0 || status == -EINTR || status == -EOPNOTSUPP || status == -EAFNOSUPPORT;
}

/* The number in a small file, or -1. */
static long read_number(const char *path)
{
	char line[32], *end;
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t len = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
	long number;

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return -1;
	line[len] = '\0';
	number = strtol(line, &end, 10);
	return end == line ? -1 : number;
}

static enum host_switch_state state_of(long number, bool on)
{
	return number < 0 ? HOST_UNKNOWN : on ? HOST_ON : HOST_OFF;
}

static void read_switches(struct host_switches *s)
{
	const long mark = read_number("/proc/sys/net/ipv4/conf/all/src_valid_mark");
	const long forward = read_number("/proc/sys/net/ipv4/ip_forward");
	const long forward6 = read_number("/proc/sys/net/ipv6/conf/all/forwarding");
	const long filter = read_number("/proc/sys/net/ipv4/conf/all/rp_filter");

	s->src_valid_mark = state_of(mark, mark > 0);
	s->ip_forward = state_of(forward, forward > 0);
	s->ip6_forward = state_of(forward6, forward6 > 0);
	s->rp_filter = state_of(filter, filter == 1);
}

static bool stands_in_path(const char *program)
{
	const char *path = getenv("PATH");
	char *copy = NULL, *rest, *folder;
	bool found = false;

	/* wg-quick runs as root, which looks where a user may not */
	if (asprintf(&copy, "%s:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
		     path ? path : "/usr/local/bin") < 0)
		return false;
	rest = copy;

	while (copy && !found && (folder = strsep(&rest, ":"))) {
		char *name;

		if (asprintf(&name, "%s/%s", folder, program) < 0)
			break;
		found = access(name, X_OK) == 0;
		free(name);
	}
	free(copy);
	return found;
}

int observe_network_over(int fd, struct host_network *ret)
{
	static const struct {
		uint16_t type;
		uint8_t family;
	} rows[] = {
		{ RTM_GETLINK, AF_UNSPEC }, { RTM_GETADDR, AF_INET },   { RTM_GETADDR, AF_INET6 },
		{ RTM_GETROUTE, AF_INET },  { RTM_GETROUTE, AF_INET6 }, { RTM_GETRULE, AF_INET },
		{ RTM_GETRULE, AF_INET6 },
	};

	struct dump d = { .network = ret, .fd = fd };
	int status = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && is_fine(status); ++i) {
		d.family = rows[i].family;
		status = dump(&d, rows[i].type);
	}
	return is_fine(status) ? 0 : status;
}

int observe_network(struct host_network *ret)
{
	const int fd = netlink_open(NETLINK_ROUTE);
	int status;

	if (fd < 0)
		return fd;
	status = observe_network_over(fd, ret);
	close(fd);
	read_switches(&ret->switches);
	/* without IPv6 in the kernel the file is missing, and that is as good as off */
	ret->ipv6_off = access("/proc/sys/net/ipv6", F_OK) != 0 ||
			read_number("/proc/sys/net/ipv6/conf/default/disable_ipv6") == 1;
	ret->has_resolvconf = stands_in_path("resolvconf");
	return status;
}
