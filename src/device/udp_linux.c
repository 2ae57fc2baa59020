#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "device/udp.h"
#include "device/udp_control.h"
#include "device/udp_filter.h"

/* Binding a port: the sockets of both families and their options. */
enum { BIND_TRIES = 100, BUFFER_DATA = 4 << 20, BUFFER_LANE = 1 << 20 };

struct option {
	int level;
	int name;
	int value;
};

/*
 * IP_PMTUDISC_DONT leaves DF clear and fragments by the route's MTU. For IPv6 it makes a "packet
 * too big" lower the route's MTU only: later datagrams go out in smaller fragments, and no send
 * fails with EMSGSIZE for it.
 */
static const struct option options4[] = {
	{ IPPROTO_IP, IP_PKTINFO, 1 },
	{ IPPROTO_IP, IP_RECVTOS, 1 },
	{ IPPROTO_IP, IP_RECVERR, 1 },
	{ IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT },
};

static const struct option options6[] = {
	{ IPPROTO_IPV6, IPV6_V6ONLY, 1 },
	{ IPPROTO_IPV6, IPV6_RECVPKTINFO, 1 },
	{ IPPROTO_IPV6, IPV6_RECVTCLASS, 1 },
	{ IPPROTO_IPV6, IPV6_RECVERR, 1 },
	{ IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT },
	{ IPPROTO_IPV6, IPV6_DONTFRAG, 0 },
};

static int set_options(int fd, const struct option *options, size_t n)
{
	for (size_t i = 0; i < n; ++i) {
		const struct option *const o = &options[i];

		if (setsockopt(fd, o->level, o->name, &o->value, sizeof(o->value)) < 0)
			return -errno;
	}
	return 0;
}

static int set_mark(int fd, uint32_t mark)
{
	return setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) < 0 ? -errno : 0;
}

/* Best effort: without privilege the host's limit holds, and a small buffer is slower, not wrong.
 */
static void set_buffer(int fd, int force, int plain, int size)
{
	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static int set_up(int fd, enum family family, const struct udp_config *c, int buffer)
{
	const int joins = c->joins;
	const int error = family == FAMILY_V4 ? set_options(fd, options4, ELEMENTS(options4))
					      : set_options(fd, options6, ELEMENTS(options6));

	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, buffer);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, buffer);
	/* The lanes too: the kernel asks one socket of the group whether to join, by a hash of the
	 * addresses and without our filter. An old kernel hands datagrams over one by one. */
	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &joins, sizeof(joins));
	if (error || !c->mark)
		return error;
	return set_mark(fd, c->mark);
}

static int bind_port(int fd, enum family family, uint16_t *port)
{
	const struct endpoint any = { .ip.family = (uint8_t)family, .port = *port };
	struct sockaddr_storage address = { 0 };
	socklen_t len = udp_write_address(&any, &address);
	struct endpoint bound;

	if (bind(fd, (struct sockaddr *)&address, len) < 0)
		return -errno;
	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -errno;
	if (!udp_parse_address(&address, len, &bound))
		return -EAFNOSUPPORT;
	*port = bound.port;
	return 0;
}

static int open_socket(enum family family, const struct udp_config *c, int buffer)
{
	const int domain = family == FAMILY_V4 ? AF_INET : AF_INET6;
	const int fd = socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = set_up(fd, family, c, buffer);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static int share(int fd)
{
	const int on = 1;

	return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ? -errno : 0;
}

/* One more socket of the group; its number among them is by the order of binding. */
static int join_group(enum family family, const struct udp_config *c, int buffer, uint16_t port)
{
	const int fd = open_socket(family, c, buffer);
	int error;

	if (fd < 0)
		return fd;
	error = share(fd);
	if (!error)
		error = bind_port(fd, family, &port);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static void close_others(int sockets[static UDP_SOCKETS])
{
	for (int i = 1; i < UDP_SOCKETS; ++i) {
		if (sockets[i] >= 0)
			close(sockets[i]);
		sockets[i] = -1;
	}
}

static bool fill_group(enum family family, const struct udp_config *c, uint16_t port,
		       int sockets[static UDP_SOCKETS])
{
	const int workers = c->workers ? (int)c->workers : 1;

	if (share(sockets[0]))
		return false;
	for (int i = 1; i < workers; ++i) {
		sockets[i] = join_group(family, c, BUFFER_DATA, port);
		if (sockets[i] < 0)
			return false;
	}
	for (int i = UDP_LANE_PLAIN; i <= UDP_LANE_KNOWN; ++i) {
		sockets[i] = join_group(family, c, BUFFER_LANE, port);
		if (sockets[i] < 0)
			return false;
	}
	return udp_filter_attach(sockets[0], family, (unsigned int)workers, NULL) == 0;
}

/* The sockets of one family on that port, or 0 for any, which *port then tells. Negative errno. */
static int open_family(enum family family, const struct udp_config *c, uint16_t *port,
		       int sockets[static UDP_SOCKETS])
{
	const int fd = open_socket(family, c, BUFFER_DATA);
	int error;

	if (fd < 0)
		return fd;
	error = bind_port(fd, family, port);
	if (error) {
		close(fd);
		return error;
	}
	sockets[0] = fd;
	if (!fill_group(family, c, *port, sockets))
		close_others(sockets); /* one socket for all: slower under a flood, not wrong */
	return 0;
}

static bool is_missing(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

/* The family the error belongs to is told for the words. */
static int open_both(const struct udp_config *c, struct udp *ret, enum family *ret_family)
{
	struct udp u;
	int error4, error6;

	udp_init(&u);
	u.port = c->port;
	*ret_family = FAMILY_V4;
	error4 = open_family(FAMILY_V4, c, &u.port, u.v4);
	if (error4 && !is_missing(error4))
		return error4;
	*ret_family = FAMILY_V6;
	error6 = open_family(FAMILY_V6, c, &u.port, u.v6);
	if (error6 && (error4 || !is_missing(error6))) {
		udp_close(&u);
		return error6;
	}
	*ret = u;
	return 0;
}

enum { PORT_PRIVILEGED = 1024 };

static void explain(struct diag *why, int error, uint16_t port, uint32_t mark, enum family family)
{
	const char *const name = family == FAMILY_V4 ? "IPv4" : "IPv6";

	if (error == -EADDRINUSE)
		diag_set(why, DIAG_ERROR, "udp-port-taken", 0,
			 "UDP port %u is in use by another socket (%s); `ss -lunp` shows whose it "
			 "is",
			 (unsigned int)port, name);
	else if (error == -EACCES && port && port < PORT_PRIVILEGED)
		diag_set(why, DIAG_ERROR, "udp-port-denied", 0,
			 "UDP port %u (%s) needs the capability CAP_NET_BIND_SERVICE",
			 (unsigned int)port, name);
	else if (error == -EPERM && mark)
		diag_set(why, DIAG_ERROR, "udp-mark-denied", 0,
			 "the mark of the UDP sockets needs the capability CAP_NET_ADMIN");
	else
		diag_set(why, DIAG_ERROR, "udp-bind", 0, "no UDP port %u (%s) to be had: %s",
			 (unsigned int)port, name, strerrordesc_np(-error));
}

void udp_init(struct udp *u)
{
	u->port = 0;
	for (int i = 0; i < UDP_SOCKETS; ++i)
		u->v4[i] = u->v6[i] = -1;
}

int udp_bind(const struct udp_config *config, struct diag *why, struct udp *ret)
{
	enum family family = FAMILY_V4;
	int error = -EADDRINUSE;

	for (int i = 0; i < BIND_TRIES && error == -EADDRINUSE; ++i) {
		error = open_both(config, ret, &family);
		if (config->port)
			break;
	}
	if (error)
		explain(why, error, config->port, config->mark, family);
	return error;
}

void udp_close(struct udp *u)
{
	for (int i = 0; i < UDP_SOCKETS; ++i) {
		if (u->v4[i] >= 0)
			close(u->v4[i]);
		if (u->v6[i] >= 0)
			close(u->v6[i]);
	}
	udp_init(u);
}

bool udp_has_lanes(const struct udp *u)
{
	return (u->v4[0] < 0 || u->v4[UDP_LANE_KNOWN] >= 0) &&
	       (u->v6[0] < 0 || u->v6[UDP_LANE_KNOWN] >= 0);
}

void udp_to_fds(const struct udp *u, int ret[static 2 * UDP_SOCKETS])
{
	memcpy(ret, u->v4, sizeof(u->v4));
	memcpy(ret + UDP_SOCKETS, u->v6, sizeof(u->v6));
}

void udp_from_fds(const int fds[static 2 * UDP_SOCKETS], uint16_t port, struct udp *ret)
{
	memcpy(ret->v4, fds, sizeof(ret->v4));
	memcpy(ret->v6, fds + UDP_SOCKETS, sizeof(ret->v6));
	ret->port = port;
}

int udp_set_mark(const struct udp *u, uint32_t mark)
{
	int fds[2 * UDP_SOCKETS];
	uint32_t before[2 * UDP_SOCKETS];
	size_t done = 0;
	int error = 0;

	udp_to_fds(u, fds);
	for (; done < ELEMENTS(fds) && !error; ++done) {
		socklen_t len = sizeof(before[0]);

		if (fds[done] < 0)
			continue;
		if (getsockopt(fds[done], SOL_SOCKET, SO_MARK, &before[done], &len) < 0)
			error = -errno;
		else
			error = set_mark(fds[done], mark);
	}
	if (!error)
		return 0;
	for (--done; done-- > 0;) {
		if (fds[done] >= 0) /* it was allowed a moment ago, and there is no third way */
			(void)set_mark(fds[done], before[done]);
	}
	return error;
}
