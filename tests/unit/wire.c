#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include <cmocka.h>

#include "base/bytes.h"

/* TOS and segment stand where the host reads them. */
static void read_control(const struct msghdr *m, uint8_t *ret_tos, uint16_t *ret_segment,
			 bool *ret_source)
{
	*ret_tos = 0;
	*ret_segment = 0;
	*ret_source = false;
	for (size_t at = 0; m->msg_control && at + sizeof(struct cmsghdr) <= m->msg_controllen;) {
		const uint8_t *const bytes = (const uint8_t *)m->msg_control + at;
		struct cmsghdr c;
		int value;

		memcpy(&c, bytes, sizeof(c));
		memcpy(&value, bytes + CMSG_LEN(0), sizeof(value));
		if (c.cmsg_level == IPPROTO_IP && c.cmsg_type == IP_TOS)
			*ret_tos = (uint8_t)value;
		if (c.cmsg_level == IPPROTO_IP && c.cmsg_type == IP_PKTINFO)
			*ret_source = true;
		if (c.cmsg_level == IPPROTO_UDP && c.cmsg_type == UDP_SEGMENT)
			memcpy(ret_segment, bytes + CMSG_LEN(0), sizeof(*ret_segment));
		at += CMSG_ALIGN(c.cmsg_len);
	}
}

static int refusal(struct wire *w, uint16_t segment, bool with_source)
{
	if (with_source && w->source_error)
		return w->source_error;
	if (segment)
		return w->batch_error && segment >= w->batch_limit ? w->batch_error : 0;
	return w->lost_every && ++w->singles % w->lost_every == 0 ? EPERM : 0;
}

static void take(struct wire *w, const uint8_t *bytes, size_t len, size_t segment, uint8_t tos)
{
	const size_t step = segment ? segment : len;
	size_t n = 0;

	assert_true(w->count < WIRE_CALLS);
	for (size_t at = 0; at < len; at += step, ++n) {
		w->tos[w->datagrams.count] = tos;
		packet_list_add(&w->datagrams, bytes + at, len - at < step ? len - at : step);
	}
	/* what a host takes at most, and what this must never ask for */
	assert_true(len <= UDP_PAYLOAD_MAX && n <= UDP_SEGMENTS_MAX && (!segment || n > 1));
	w->calls[w->count++] = n;
	w->bytes += len;
}

ssize_t wire_sendmsg(struct wire *w, const struct msghdr *m)
{
	uint16_t segment;
	uint8_t tos;
	bool with_source;

	assert_int_equal(m->msg_iovlen, 1);
	read_control(m, &tos, &segment, &with_source);
	errno = refusal(w, segment, with_source);
	if (errno) {
		++w->refused;
		return -1;
	}
	w->with_source += with_source;
	take(w, m->msg_iov[0].iov_base, m->msg_iov[0].iov_len, segment, tos);
	return (ssize_t)m->msg_iov[0].iov_len;
}

void wire_forget(struct wire *w)
{
	memset(w, 0, offsetof(struct wire, datagrams));
	w->datagrams.count = w->datagrams.used = 0;
	w->want.count = w->want.used = 0;
	memset(w->plane.d[0].counts, 0, sizeof(w->plane.d[0].counts));
}

void wire_begin(struct wire *w)
{
	plane_init(&w->plane);
	atomic_store(&w->plane.d[0].sockets[0][0], eventfd(0, EFD_CLOEXEC));
	wire_forget(w);
}

/* A multiple of 16, but never beyond the MTU. */
static size_t padded(const struct wire *w, size_t len)
{
	while (len % 16 && len < atomic_load(&w->plane.d[0].mtu))
		++len;
	return len;
}

/* Open what was sent: counters in order, the right padding, all zero. */
void wire_open(struct wire *w, uint64_t first)
{
	static uint8_t message[PACKET_ROOM];
	const struct session *s = plane_receiving(&w->plane);

	w->got.count = w->got.used = 0;
	for (size_t i = 0; i < w->datagrams.count; ++i) {
		struct session_packet p = { .message = message };
		const uint8_t *const at = packet_list_at(&w->datagrams, i, &p.len);
		struct inner inner;

		memcpy(message, at, p.len);
		assert_int_equal(load32_le(message), MESSAGE_DATA);
		assert_int_equal(load32_le(message + 4), s->local_index);
		session_open(&s->keys.receive, &p, 1);
		assert_true(p.ok);
		assert_int_equal(p.counter, first + i);
		assert_int_equal(inner_parse(message + 16, p.len, &inner), INNER_OK);
		assert_int_equal(p.len, padded(w, inner.len));
		for (size_t k = inner.len; k < p.len; ++k)
			assert_int_equal(message[16 + k], 0);
		packet_list_add(&w->got, message + 16, inner.len);
	}
	plane_compare(&w->want, &w->got);
}

void wire_drain(struct wire *w)
{
	const uint64_t first = w->plane.pair.host[0].peer->current->send_next;

	assert_true(outbound_drain(&w->plane.out));
	wire_open(w, first);
	assert_int_equal(plane_count(&w->plane, 0, COUNT_UDP_SENDS), w->count + w->refused / 2);
	assert_int_equal(plane_count(&w->plane, 0, COUNT_UDP_SEND_PACKETS), w->want.count);
}

/* The sends, as in "64 1". NULL: one for each packet. */
void wire_check_calls(const struct wire *w, const char *calls)
{
	char *end;
	size_t n = 0;

	for (; calls && *calls; calls = end, ++n) {
		const unsigned long packets = strtoul(calls, &end, 10);

		assert_true(n < w->count);
		assert_int_equal(w->calls[n], packets);
	}
	assert_int_equal(w->count, calls ? n : w->want.count);
}

void wire_feed_super(struct wire *w, enum offload_kind kind, size_t size, size_t payload,
		     uint8_t fill)
{
	static uint8_t packet[PACKET_ROOM];
	const struct packet_spec spec = {
		.kind = kind,
		.host = 1,
		.port = 5001,
		.seq = 77,
		.id = 9,
		.flags = 0x08,
		.options = 12 * offload_is_tcp(kind),
		.payload = payload,
		.fill = fill,
	};
	const size_t len = packet_build(&spec, packet);
	uint8_t header[OFFLOAD_HEADER];

	packet_unfinish(packet, len);
	packet_header(packet, size, header);
	packet_list_split(&w->want, header, packet, len);
	plane_feed(&w->plane, header, packet, len);
}

size_t wire_build(const struct wire *w, char letter, unsigned int number, uint8_t *ret)
{
	const struct packet_spec spec = {
		.kind = letter == 'c' ? OFFLOAD_UDP6 : OFFLOAD_UDP4,
		.host = letter == 'b' ? 2 : 1,
		.port = w->plane.pair.host[1].endpoint.port,
		.id = (uint16_t)number,
		.payload = letter == 's'   ? 20
			   : letter == 'l' ? 500
					   : 100,
		.fill = (uint8_t)number,
	};
	const uint8_t tos[] = { ['A'] = 2, ['E'] = 3, ['D'] = 0xb9 };
	const size_t len = packet_build(&spec, ret);

	if ((size_t)letter < ELEMENTS(tos) && tos[(size_t)letter])
		ret[1] = tos[(size_t)letter];
	if (letter == 'm' || letter == 'L')
		store16_be(ret + 20, w->plane.pair.host[0].endpoint.port);
	if (letter == 'L') {
		memcpy(ret + 12, w->plane.pair.host[0].endpoint.ip.bytes, 4);
		memcpy(ret + 16, w->plane.pair.host[1].endpoint.ip.bytes, 4);
	}
	if (letter == 'u')
		ret[18] = 9;
	packet_finish(ret, len);
	return len;
}

void wire_feed(struct wire *w, const char *packets)
{
	uint8_t packet[1024];

	for (unsigned int i = 0; packets[i]; ++i) {
		const size_t len = wire_build(w, packets[i], i, packet);

		plane_feed(&w->plane, NULL, packet, len);
		if (strchr("Lu", packets[i]) == NULL)
			packet_list_add(&w->want, packet, len);
	}
}
