#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "device/udp.h"
#include "device/udp_control.h"

/* Sending and receiving on bound sockets, and what the network says of what was sent. */
enum {
	SEND_TRIES = 8,
	RECEIVE_TRIES = 8,
	DRAIN_MAX = 64, /* entries per call: a flood of ICMP must not hold a sender */
	ERROR_CONTROL = 256,
};

struct place { /* what the kernel fills beside the bytes of a slot */
	_Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_ROOM];
	struct sockaddr_storage from;
	struct iovec part;
};

static void prepare(const struct udp_slot *slot, struct place *p, struct mmsghdr *m)
{
	p->part = (struct iovec){ slot->bytes, slot->room };
	m->msg_hdr = (struct msghdr){ .msg_name = &p->from,
				      .msg_namelen = sizeof(p->from),
				      .msg_iov = &p->part,
				      .msg_iovlen = 1,
				      .msg_control = p->control,
				      .msg_controllen = sizeof(p->control) };
}

static void finish(struct udp_slot *slot, const struct place *p, const struct mmsghdr *m)
{
	const struct msghdr *h = &m->msg_hdr;
	struct udp_extra extra;

	udp_parse_control(p->control, h->msg_controllen, &extra);
	slot->arrival = (struct udp_arrival){ .to = extra.to, .tos = extra.tos };
	slot->is_cut = h->msg_flags & MSG_TRUNC;
	slot->len = slot->is_cut ? 0 : m->msg_len;
	slot->segment = extra.segment && extra.segment < slot->len ? extra.segment : slot->len;
	if (!udp_parse_address(&p->from, h->msg_namelen, &slot->arrival.from))
		slot->len = slot->segment = 0; /* of nobody: as if it were empty */
}

int udp_receive(int fd, struct udp_slot *slots, unsigned int n)
{
	struct mmsghdr messages[UDP_SLOTS_MAX];
	struct place places[UDP_SLOTS_MAX];
	int got = -1;

	for (unsigned int i = 0; i < n; ++i)
		prepare(&slots[i], &places[i], &messages[i]);
	/* An error that an earlier send left behind is told here first, and is cleared by the
	 * telling. */
	for (int i = 0; i < RECEIVE_TRIES && got < 0; ++i) {
		got = recvmmsg(fd, messages, n, MSG_DONTWAIT, NULL);
		if (got < 0 && errno == EAGAIN)
			break;
	}
	if (got <= 0)
		return got < 0 ? -errno : -EAGAIN;
	for (int i = 0; i < got; ++i)
		finish(&slots[i], &places[i], &messages[i]);
	return got;
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

/* What the segmentation of a batch can be refused with; each datagram alone may still go. */
static bool is_batch_error(int error)
{
	return error == EIO || error == EMSGSIZE || error == EINVAL;
}

/* struct iovec is for both directions; sending reads only. */
union constant {
	const uint8_t *given;
	void *wanted;
};

struct letter { /* what the kernel reads beside the bytes of a message */
	_Alignas(struct cmsghdr) uint8_t control[UDP_CONTROL_ROOM];
	struct sockaddr_storage to;
	struct iovec part;
};

static void address(const struct udp_message *message, bool with_source, struct letter *l,
		    struct msghdr *ret)
{
	static const struct source none;
	const enum family family = message->to.ip.family == FAMILY_V4 ? FAMILY_V4 : FAMILY_V6;
	const union constant data = { .given = message->bytes };

	l->part = (struct iovec){ data.wanted, message->len };
	*ret = (struct msghdr){ .msg_name = &l->to, .msg_iov = &l->part, .msg_iovlen = 1 };
	ret->msg_namelen = udp_write_address(&message->to, &l->to);
	ret->msg_controllen = udp_write_control(family, with_source ? &message->source : &none,
						message->tos, message->segment, l->control);
	ret->msg_control = ret->msg_controllen ? l->control : NULL;
}

/* One try. 0 or a positive errno. */
static int try_send(int fd, const struct udp_message *message, bool with_source)
{
	struct letter letter;
	struct msghdr m;

	address(message, with_source, &letter, &m);
	return sendmsg(fd, &m, MSG_NOSIGNAL) >= 0 ? 0 : errno;
}

enum udp_sent udp_send(int fd, const struct udp_message *message,
		       const struct udp_listener *listener, int *ret_error)
{
	bool has_source = message->source.ip.family == message->to.ip.family;
	enum udp_sent sent = UDP_SENT;
	bool doubted = false;
	int error = EAFNOSUPPORT;

	for (int i = 0; fd >= 0 && i < SEND_TRIES; ++i) {
		error = try_send(fd, message, has_source);
		if (!error)
			return sent;
		if (may_be_pending(fd, error, listener, &doubted))
			continue;
		if (message->segment && is_batch_error(error)) {
			*ret_error = error;
			return UDP_BATCH_REFUSED;
		}
		if (!has_source || !is_lost_source(error))
			break;
		has_source = false;
		sent = UDP_SENT_WITHOUT_SOURCE;
	}
	*ret_error = error;
	return UDP_FAILED;
}

unsigned int udp_send_batch(int fd, const struct udp_message *messages, unsigned int n,
			    const struct udp_listener *listener)
{
	struct mmsghdr headers[UDP_SLOTS_MAX];
	struct letter letters[UDP_SLOTS_MAX];
	unsigned int sent = 0, at = 0, tries = 0;

	for (unsigned int i = 0; i < n; ++i)
		address(&messages[i], true, &letters[i], &headers[i].msg_hdr);
	while (fd >= 0 && at < n) {
		const int got = sendmmsg(fd, headers + at, n - at, MSG_NOSIGNAL);

		if (got > 0) {
			sent += (unsigned int)got;
			at += (unsigned int)got;
			tries = 0;
			continue;
		}
		/* Once more: it may be the fate of an earlier one that we were told. */
		(void)udp_drain_errors(fd, listener);
		at += tries;
		tries = !tries;
	}
	return sent;
}
