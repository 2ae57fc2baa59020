#include "base/netlink.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libmnl/libmnl.h>

enum { TYPE_MASK = 0xffff & ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER) };

/* The number at the front of a NLMSG_ERROR or NLMSG_DONE: negative, or 0. */
static int errno_of(const struct nlmsghdr *message, bool is_optional)
{
	int error;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(error))
		return is_optional ? 0 : -EPROTO;
	memcpy(&error, mnl_nlmsg_get_payload(message), sizeof(error));
	return error > 0 || error == INT_MIN ? -EPROTO : error;
}

/* As netlink_take. */
static int take_message(const struct nlmsghdr *message, netlink_handler *handle, void *ctx)
{
	int error;

	switch (message->nlmsg_type) {
	case NLMSG_ERROR:
		return errno_of(message, false);
	case NLMSG_DONE:
		return errno_of(message, true);
	default:
		if (message->nlmsg_type < NLMSG_MIN_TYPE)
			return 1;
		error = handle(ctx, message);
		return error ? error : 1;
	}
}

/* Not mnl_nlmsg_ok: it takes a length beyond INT_MAX for a negative one, which fits anywhere. */
static bool fits(const struct nlmsghdr *message, size_t left)
{
	return left >= sizeof(*message) && message->nlmsg_len >= sizeof(*message) &&
	       message->nlmsg_len <= left;
}

int netlink_take(const void *bytes, size_t len, uint32_t seq, netlink_handler *handle, void *ctx,
		 bool *ret_changed)
{
	const uint8_t *at = bytes;
	int status = 1;

	if (!len)
		return -EPROTO;
	while (status == 1 && len) {
		const struct nlmsghdr *message = (const void *)at;
		size_t step;

		if (!fits(message, len) || message->nlmsg_seq != seq)
			return -EPROTO;
		if (message->nlmsg_flags & NLM_F_DUMP_INTR)
			*ret_changed = true;
		status = take_message(message, handle, ctx);
		/* the last one's padding may be left out */
		step = netlink_align(message->nlmsg_len);
		step = step < len ? step : len;
		at += step;
		len -= step;
	}
	return status;
}

int netlink_open(int protocol)
{
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	return fd < 0 ? -errno : fd;
}

static int send_request(int fd, const struct nlmsghdr *request)
{
	ssize_t sent;

	do
		sent = send(fd, request, request->nlmsg_len, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

/* Cut short is as good as nothing: what is missing can't be asked for. */
static int receive(int fd, void *piece, size_t *ret_len)
{
	ssize_t len;

	do
		len = recv(fd, piece, NETLINK_PIECE, MSG_TRUNC);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	*ret_len = (size_t)len;
	return len > NETLINK_PIECE ? -EMSGSIZE : 0;
}

static int hear(int fd, uint32_t seq, void *piece, netlink_handler *handle, void *ctx)
{
	bool changed = false;
	int status = 1;
	size_t len = 0;

	while (status == 1) {
		const int error = receive(fd, piece, &len);

		if (error)
			return error;
		status = netlink_take(piece, len, seq, handle, ctx, &changed);
	}
	return !status && changed ? -EINTR : status;
}

int netlink_exchange(int fd, const struct nlmsghdr *request, netlink_handler *handle, void *ctx)
{
	void *piece = malloc(NETLINK_PIECE);
	int error;

	if (!piece)
		return -ENOMEM;
	error = send_request(fd, request);
	if (!error)
		error = hear(fd, request->nlmsg_seq, piece, handle, ctx);
	explicit_bzero(piece, NETLINK_PIECE);
	free(piece);
	return error;
}

void netlink_walk_message(struct netlink_walk *w, const struct nlmsghdr *message, size_t header)
{
	const size_t len = mnl_nlmsg_get_payload_len(message), skip = netlink_align(header);

	*w = (struct netlink_walk){ .broken = len < skip };
	if (w->broken)
		return;
	w->at = (const uint8_t *)mnl_nlmsg_get_payload(message) + skip;
	w->left = len - skip;
}

void netlink_walk_nest(struct netlink_walk *w, const struct netlink_attribute *nest)
{
	*w = (struct netlink_walk){ .at = nest->bytes, .left = nest->len };
}

bool netlink_walk_next(struct netlink_walk *w, struct netlink_attribute *ret)
{
	struct nlattr header;
	size_t step;

	if (w->broken || !w->left)
		return false;
	if (w->left >= sizeof(header))
		memcpy(&header, w->at, sizeof(header));
	if (w->left < sizeof(header) || header.nla_len < sizeof(header) ||
	    header.nla_len > w->left) {
		w->broken = true;
		return false;
	}
	*ret = (struct netlink_attribute){ .type = header.nla_type & TYPE_MASK,
					   .len = header.nla_len - sizeof(header),
					   .bytes = w->at + sizeof(header) };
	step = netlink_align(header.nla_len);
	step = step < w->left ? step : w->left;
	w->at += step;
	w->left -= step;
	return true;
}

/* News */

/* Without a number of its own it would be taken for the kernel, and told nothing. */
static bool has_number(int fd)
{
	const struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	return bind(fd, (const struct sockaddr *)&any, sizeof(any)) == 0;
}

static bool join(int fd, const int *groups, size_t count)
{
	for (size_t i = 0; i < count; ++i)
		if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
			       sizeof(groups[i])) < 0)
			return false;
	return true;
}

int netlink_listen(int protocol, const int *groups, size_t count, int room)
{
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	int status;

	if (fd < 0)
		return -errno;
	if (room && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)); /* as may be */
	if (has_number(fd) && join(fd, groups, count))
		return fd;
	status = -errno;
	close(fd);
	return status;
}

bool netlink_any(const void *bytes, size_t len, netlink_news *is_news, void *ctx)
{
	const uint8_t *at = bytes;
	bool any = false;

	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *message = (const void *)at;
		size_t step;

		if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > len)
			return true;
		any |= is_news(ctx, message);
		step = netlink_align(message->nlmsg_len);
		step = step < len ? step : len;
		at += step;
		len -= step;
	}
	return any;
}

/* 1, 0, or a negative errno: -EAGAIN when it is empty. */
static int hear_once(int fd, uint8_t *piece, netlink_news *is_news, void *ctx)
{
	struct sockaddr_nl from = { 0 };
	socklen_t from_len = sizeof(from);
	const ssize_t len =
		recvfrom(fd, piece, NETLINK_PIECE, MSG_TRUNC, (struct sockaddr *)&from, &from_len);

	if (len < 0)
		return errno == ENOBUFS ? 1 : errno == EINTR ? 0 : -errno;
	if (from.nl_pid != 0)
		return 0; /* not of the kernel */
	return len > NETLINK_PIECE || netlink_any(piece, (size_t)len, is_news, ctx);
}

int netlink_drain(int fd, netlink_news *is_news, void *ctx)
{
	uint8_t *const piece = malloc(NETLINK_PIECE);
	bool changed = false;
	int status = 0;

	if (!piece)
		return -ENOMEM;
	while (status >= 0) {
		status = hear_once(fd, piece, is_news, ctx);
		changed |= status == 1;
	}
	free(piece);
	return status == -EAGAIN ? changed : status;
}
