#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "device/udp.h"
#include "device/udp_control.h"

enum {
	BIND_TRIES = 100,
	SEND_TRIES = 8,
	RECEIVE_TRIES = 8,
	DRAIN_MAX = 64, /* entries per call: a flood of ICMP must not hold a sender */
	BUFFER = 4 << 20,
	ERROR_CONTROL = 256,
};

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
static void set_buffer(int fd, int force, int plain)
{
	const int size = BUFFER;

	if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static int set_up(int fd, enum family family, uint32_t mark)
{
	const int error = family == FAMILY_V4 ? set_options(fd, options4, ELEMENTS(options4))
					      : set_options(fd, options6, ELEMENTS(options6));

	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	if (error || !mark)
		return error;
	return set_mark(fd, mark);
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

/* A socket on that port, or 0 for any, which *port then tells. Negative errno. */
static int open_family(enum family family, uint32_t mark, uint16_t *port)
{
	const int domain = family == FAMILY_V4 ? AF_INET : AF_INET6;
	const int fd = socket(domain, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = set_up(fd, family, mark);
	if (!error)
		error = bind_port(fd, family, port);
	if (!error)
		return fd;
	close(fd);
	return error;
}

static bool is_missing(int error)
{
	return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

/* The family the error belongs to is told for the words. */
static int open_both(uint16_t port, uint32_t mark, struct udp *ret, enum family *ret_family)
{
	struct udp u = { .port = port };

	*ret_family = FAMILY_V4;
	u.fd4 = open_family(FAMILY_V4, mark, &u.port);
	if (u.fd4 < 0 && !is_missing(u.fd4))
		return u.fd4;
	*ret_family = FAMILY_V6;
	u.fd6 = open_family(FAMILY_V6, mark, &u.port);
	if (u.fd6 < 0 && (u.fd4 < 0 || !is_missing(u.fd6))) {
		if (u.fd4 >= 0)
			close(u.fd4);
		return u.fd6;
	}
	*ret = (struct udp){ .fd4 = u.fd4 < 0 ? -1 : u.fd4,
			     .fd6 = u.fd6 < 0 ? -1 : u.fd6,
			     .port = u.port };
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

int udp_bind(uint16_t port, uint32_t mark, struct diag *why, struct udp *ret)
{
	enum family family = FAMILY_V4;
	int error = -EADDRINUSE;

	for (int i = 0; i < BIND_TRIES && error == -EADDRINUSE; ++i) {
		error = open_both(port, mark, ret, &family);
		if (port)
			break;
	}
	if (error)
		explain(why, error, port, mark, family);
	return error;
}

void udp_close(struct udp *u)
{
	if (u->fd4 >= 0)
		close(u->fd4);
	if (u->fd6 >= 0)
		close(u->fd6);
	*u = (struct udp){ .fd4 = -1, .fd6 = -1 };
}

int udp_set_mark(const struct udp *u, uint32_t mark)
{
	uint32_t before = 0;
	socklen_t len = sizeof(before);
	int error;

	if (u->fd4 >= 0) {
		if (getsockopt(u->fd4, SOL_SOCKET, SO_MARK, &before, &len) < 0)
			return -errno;
		error = set_mark(u->fd4, mark);
		if (error)
			return error;
	}
	error = u->fd6 >= 0 ? set_mark(u->fd6, mark) : 0;
	if (error && u->fd4 >= 0)
		(void)set_mark(u->fd4,
			       before); /* it was allowed a moment ago, and there is no third way */
	return error;
}

ssize_t udp_receive(int fd, uint8_t *buf, size_t room, struct udp_arrival *ret)
{
	uint8_t control[UDP_CONTROL_ROOM];
	struct sockaddr_storage from;
	struct iovec part = { .iov_len = room };
	struct msghdr m;
	ssize_t len;

	part.iov_base = buf;
	/* An error that an earlier send left behind is told here first, and is cleared by the
	 * telling. */
	for (int i = 0; i < RECEIVE_TRIES; ++i) {
		m = (struct msghdr){ .msg_name = &from,
				     .msg_namelen = sizeof(from),
				     .msg_iov = &part,
				     .msg_iovlen = 1,
				     .msg_control = control,
				     .msg_controllen = sizeof(control) };
		len = recvmsg(fd, &m, 0);
		if (len < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (len < 0)
			continue;
		if (m.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (!udp_parse_address(&from, m.msg_namelen, &ret->from))
			continue;
		udp_parse_control(control, m.msg_controllen, &ret->to, &ret->tos);
		return len;
	}
	return -EAGAIN;
}

static bool take_error(int fd, struct udp_error *ret)
{
	_Alignas(struct cmsghdr) uint8_t control[ERROR_CONTROL];
	struct sockaddr_storage to;
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };

	*ret = (struct udp_error){ 0 };
	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	if (!udp_parse_error(control, m.msg_controllen, ret))
		ret->error = EIO;
	if (!udp_parse_address(&to, m.msg_namelen, &ret->to))
		ret->to = (struct endpoint){ 0 };
	return true;
}

/* How many entries there were, and how many of them another host sent. */
static unsigned int drain(int fd, const struct udp_listener *listener, unsigned int *ret_remote)
{
	struct udp_error e;
	unsigned int n = 0;

	*ret_remote = 0;
	while (n < DRAIN_MAX && take_error(fd, &e)) {
		++n;
		*ret_remote += e.reporter.family != FAMILY_NONE;
		if (listener)
			listener->error(listener->ctx, &e);
	}
	return n;
}

unsigned int udp_drain_errors(int fd, const struct udp_listener *listener)
{
	unsigned int remote;

	return drain(fd, listener, &remote);
}

/* What the host answers when the source is not ours any more (faults.md, the measured errno map).
 */
static bool is_lost_source(int error)
{
	return error == EINVAL || error == ENETUNREACH || error == EADDRNOTAVAIL ||
	       error == ENODEV || error == EHOSTUNREACH;
}

/* Only an ICMP message makes an unconnected UDP socket say these. */
static bool is_always_remote(int error)
{
	return error == ECONNREFUSED || error == ENOPROTOOPT || error == EPROTO ||
	       error == EOPNOTSUPP;
}

/* What is decided by this very datagram or by load: a second try changes nothing. */
static bool is_final(int error)
{
	return error == EAGAIN || error == ENOBUFS || error == EPERM;
}

/*
 * Whether the error may be that of an earlier datagram. The queue can be empty then: another thread
 * was faster, or a full receive buffer left no room for the entry. So what remains doubtful is
 * tried once more.
 */
static bool may_be_pending(int fd, int error, const struct udp_listener *listener, bool *doubted)
{
	unsigned int remote;

	(void)drain(fd, listener, &remote);
	if (remote || is_always_remote(error))
		return true;
	if (*doubted || is_final(error))
		return false;
	*doubted = true;
	return true;
}

/* struct iovec is for both directions; sending reads only. */
union constant {
	const uint8_t *given;
	void *wanted;
};

/* NOLINTNEXTLINE(readability-function-size): one datagram, and what is known of it */
enum udp_sent udp_send(const struct udp *u, const uint8_t *buf, size_t len,
		       const struct endpoint *to, const struct source *source, uint8_t tos,
		       const struct udp_listener *listener, int *ret_error)
{
	const enum family family = to->ip.family == FAMILY_V4 ? FAMILY_V4 : FAMILY_V6;
	const int fd = family == FAMILY_V4 ? u->fd4 : u->fd6;
	bool has_source = source && source->ip.family == family;
	enum udp_sent sent = UDP_SENT;
	uint8_t control[UDP_CONTROL_ROOM];
	struct sockaddr_storage address;
	const union constant data = { .given = buf };
	struct iovec part = { data.wanted, len };
	struct msghdr m = { .msg_name = &address, .msg_iov = &part, .msg_iovlen = 1 };
	bool doubted = false;
	int error = EAFNOSUPPORT;

	m.msg_namelen = udp_write_address(to, &address);
	for (int i = 0; fd >= 0 && i < SEND_TRIES; ++i) {
		m.msg_controllen =
			udp_write_control(family, has_source ? source : NULL, tos, control);
		m.msg_control = m.msg_controllen ? control : NULL;
		if (sendmsg(fd, &m, MSG_NOSIGNAL) >= 0)
			return sent;
		error = errno;
		if (may_be_pending(fd, error, listener, &doubted))
			continue;
		if (!has_source || !is_lost_source(error))
			break;
		has_source = false;
		sent = UDP_SENT_WITHOUT_SOURCE;
	}
	*ret_error = error;
	return UDP_FAILED;
}
