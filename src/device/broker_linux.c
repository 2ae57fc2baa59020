#include "device/broker.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "device/channel.h"

/* 0: the monitor has answered, with what error soever. fds may be NULL where none can come. */
static int ask(const struct broker *b, const struct request *r, struct reply *ret, int *ret_fds,
	       size_t room, size_t *ret_count)
{
	ssize_t len;
	int error;

	*ret_count = 0;
	error = channel_send(b->requests, r, sizeof(*r), NULL, 0);
	if (error)
		return error == -EPIPE || error == -ECONNRESET ? -EPIPE : error;
	len = channel_receive(b->requests, ret, sizeof(*ret), ret_fds, room, ret_count);
	if (len < 0)
		return len == -EMFILE ? -EMFILE : -EPIPE;
	return len == sizeof(*ret) ? 0 : -EPIPE;
}

/* A question whose answer is an errno. */
static int ask_plain(const struct broker *b, const struct request *r, struct reply *ret)
{
	size_t count;
	const int error = ask(b, r, ret, NULL, 0, &count);

	return error ? error : ret->error;
}

/* The descriptors to their places; false: they are not as many as the answer says. */
static bool place(uint32_t sockets, const int *fds, size_t count, int ret[static UDP_FDS])
{
	size_t used = 0;

	for (unsigned int i = 0; i < UDP_FDS; ++i) {
		ret[i] = -1;
		if (sockets >> i & 1 && used < count)
			ret[i] = fds[used++];
	}
	return used == count && used == (size_t)__builtin_popcount(sockets) && used > 0;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; ++i)
		close(fds[i]);
}

int broker_bind(const struct broker *b, uint16_t port, uint32_t mark, struct diag *why,
		struct udp *ret)
{
	const struct request r = { .kind = REQUEST_BIND, .port = port, .mark = mark };
	int fds[CHANNEL_FDS_MAX], placed[UDP_FDS];
	struct reply reply = { 0 };
	size_t count;
	int error;

	error = ask(b, &r, &reply, fds, CHANNEL_FDS_MAX, &count);
	if (!error && !reply.error && !place(reply.sockets, fds, count, placed))
		error = -EPROTO;
	if (!error)
		error = reply.error;
	if (error) {
		close_all(fds, count);
		reply.text[sizeof(reply.text) - 1] = '\0';
		diag_set(why, DIAG_ERROR, "udp-bind", 0, "%s",
			 reply.text[0] ? reply.text : strerrordesc_np(-error));
		return error;
	}
	udp_from_fds(placed, (uint16_t)reply.port, ret);
	return 0;
}

static void tell(const struct broker *b, const struct request *r)
{
	struct reply reply;
	const int error = ask_plain(b, r, &reply);

	if (error && error != -EPIPE)
		log_line(LOG_ERROR, "the monitor refuses request %u: %s", (unsigned int)r->kind,
			 strerrordesc_np(-error));
}

void broker_use(const struct broker *b)
{
	tell(b, &(struct request){ .kind = REQUEST_USE });
}

void broker_drop(const struct broker *b)
{
	tell(b, &(struct request){ .kind = REQUEST_DROP });
}

int broker_set_mark(const struct broker *b, uint32_t mark)
{
	struct reply reply;

	return ask_plain(b, &(struct request){ .kind = REQUEST_MARK, .mark = mark }, &reply);
}

uint64_t broker_read_floor(const struct broker *b, const struct key_public *key)
{
	struct reply reply;

	if (ask_plain(b, &(struct request){ .kind = REQUEST_READ_FLOOR, .key = *key }, &reply))
		return 0;
	return reply.floor;
}

int broker_write_floor(const struct broker *b, const struct key_public *key, uint64_t floor)
{
	struct reply reply;

	return ask_plain(
		b, &(struct request){ .kind = REQUEST_WRITE_FLOOR, .key = *key, .floor = floor },
		&reply);
}

void broker_running(const struct broker *b)
{
	tell(b, &(struct request){ .kind = REQUEST_RUNNING });
}

bool broker_news(const struct broker *b, struct news *ret)
{
	const ssize_t len = channel_take(b->news, ret, sizeof(*ret));

	if (len == -EAGAIN)
		return false;
	if (len != sizeof(*ret))
		*ret = (struct news){ .kind = NEWS_END };
	return true;
}
