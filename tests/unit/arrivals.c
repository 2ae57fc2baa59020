#include "arrivals.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

enum { INNER = ARRIVALS_SIZE - MESSAGE_OVERHEAD, CE = 3, IFINDEX = 1 };

void arrivals_forget(struct arrivals *a)
{
	memset(a, 0, offsetof(struct arrivals, number));
	a->want.count = a->want.used = 0;
	memset(a->plane.d[1].counts, 0, sizeof(a->plane.d[1].counts));
}

static enum offload_kind kind_of(char letter)
{
	switch (letter) {
	case 'U':
		return OFFLOAD_UDP6;
	case 'T':
		return OFFLOAD_TCP4;
	case 'S':
		return OFFLOAD_TCP6;
	default:
		return OFFLOAD_UDP4;
	}
}

static void mark(uint8_t *packet, uint8_t ecn)
{
	const bool is_v4 = packet[0] >> 4 == 4;

	packet[1] = (uint8_t)(is_v4 ? ecn : ecn << 4);
	packet_finish(packet, INNER);
}

/* The next packet of its conversation, ECT(0). */
static void build(struct arrivals *a, char letter, uint8_t ret[static INNER])
{
	const enum offload_kind kind = kind_of(letter);
	const size_t headers =
		(offload_is_v4(kind) ? 20U : 40U) + (offload_is_tcp(kind) ? 20U : 8U);
	const struct packet_spec spec = {
		.kind = kind,
		.host = 1,
		.port = 7,
		.id = (uint16_t)a->seq[kind],
		.seq = a->seq[kind] * (uint32_t)(INNER - headers),
		.payload = INNER - headers,
		.fill = (uint8_t)++a->number,
	};

	assert_int_equal(packet_build(&spec, ret), INNER);
	mark(ret, 2);
}

static void seal(struct session *s, const uint8_t *plain, size_t len, uint8_t *ret)
{
	struct session_packet p = { .message = ret, .len = len, .padded = len };

	if (len)
		memcpy(ret + sizeof(struct message_data), plain, len);
	assert_true(session_reserve(s, 1, &p.counter));
	assert_true(session_seal(&s->keys.send, s->remote_index, &p, 1));
}

static void reject(struct arrivals *a, const struct arrivals_slot *slot, enum reject_reason reason)
{
	++a->rejects[reason];
	a->blamed[reason] = slot->from.port;
}

static void add_authentic(struct arrivals *a, const struct arrivals_slot *slot, char letter,
			  uint8_t *ret)
{
	const struct peer *peer = a->plane.pair.host[0].peer;
	uint8_t packet[INNER];

	build(a, letter, packet);
	if (letter == 'n')
		packet[14] = 9;
	if (letter == 'v')
		packet[0] = 0x50;
	if (letter == 'x')
		packet[3] = INNER + 1;
	seal(letter == 'p' ? peer->previous : peer->current, packet, INNER, ret);
	a->is_authentic = true;
	a->last_from = slot->from;
	a->last_to = slot->to;
	if (letter == 'n')
		++a->rejects[REJECT_INNER_SOURCE]; /* the inner source is blamed */
	else if (letter == 'v')
		reject(a, slot, REJECT_INNER_VERSION);
	else if (letter == 'x')
		reject(a, slot, REJECT_INNER_LENGTH);
	if (strchr("nvx", letter))
		return;
	memcpy(a->last_good, ret, ARRIVALS_SIZE);
	++a->seq[kind_of(letter)];
	if (slot->tos == CE)
		mark(packet, CE);
	packet_list_add(&a->want, packet, INNER);
}

static void add_other(struct arrivals *a, struct arrivals_slot *slot, char letter, uint8_t *ret)
{
	static const struct {
		char letter;
		enum reject_reason reason;
	} rows[] = {
		{ 'b', REJECT_TAG },  { 'i', REJECT_INDEX }, { 'r', REJECT_REPLAY },
		{ 'G', REJECT_TYPE }, { 't', REJECT_TYPE },  { 'c', REJECT_TYPE },
		{ 'e', REJECT_TYPE },
	};
	uint8_t packet[INNER];

	build(a, 'g', packet);
	seal(a->plane.pair.host[0].peer->current, packet, INNER, ret);
	if (letter == 'b')
		ret[20] ^= 1;
	if (letter == 'i')
		ret[6] ^= 0x55;
	if (letter == 'r')
		memcpy(ret, a->last_good, ARRIVALS_SIZE);
	if (letter == 'G')
		ret[3] = 1;
	if (letter == 'h')
		store32_le(ret, MESSAGE_INITIATION);
	a->handshakes += letter == 'h';
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		if (rows[i].letter == letter)
			reject(a, slot, rows[i].reason);
	}
}

static void add_keepalive(struct arrivals *a, const struct arrivals_slot *slot, uint8_t *ret)
{
	seal(a->plane.pair.host[0].peer->current, NULL, 0, ret);
	++a->keepalives;
	a->is_authentic = true;
	a->last_from = slot->from;
	a->last_to = slot->to;
}

static void add(struct arrivals *a, struct arrivals_slot *slot, char letter)
{
	uint8_t *const at = slot->bytes + slot->len;

	assert_true(slot->len % ARRIVALS_SIZE == 0);
	assert_true(slot->len + ARRIVALS_SIZE <= sizeof(slot->bytes));
	if (letter == 'k')
		add_keepalive(a, slot, at);
	else if (strchr("gUTSpnvx", letter))
		add_authentic(a, slot, letter, at);
	else
		add_other(a, slot, letter, at);
	slot->len += letter == 'k' ? MESSAGE_DATA_MIN : ARRIVALS_SIZE;
	if (letter == 't')
		slot->len -= ARRIVALS_SIZE - MESSAGE_DATA_MIN + 1;
	if (letter == 'e')
		slot->len = 0;
	slot->is_cut = letter == 'c';
	a->datagrams += letter != 'e' && letter != 'c';
}

void arrivals_add(struct arrivals *a, const char *words)
{
	while (*words) {
		struct arrivals_slot *const slot = &a->slots[a->slot_count++];

		assert_true(a->slot_count <= ARRIVALS_SLOTS);
		memset(slot, 0, sizeof(*slot));
		slot->from = a->plane.pair.host[0].endpoint;
		slot->to = a->plane.pair.host[1].endpoint.ip;
		for (; *words && *words != ' '; ++words) {
			if (*words == '@')
				slot->from.port = ARRIVALS_PORT;
			else if (*words == '^')
				slot->tos = CE;
			else if (*words == '%')
				slot->to.bytes[3] ^= 8;
			else
				add(a, slot, *words);
		}
		words += *words == ' ';
	}
}

static size_t put(uint8_t *control, size_t at, int level, int type, const void *data, size_t len)
{
	const struct cmsghdr c = { .cmsg_len = CMSG_LEN(len),
				   .cmsg_level = level,
				   .cmsg_type = type };

	memcpy(control + at, &c, sizeof(c));
	memcpy(control + at + CMSG_LEN(0), data, len);
	return at + CMSG_SPACE(len);
}

static void fill(const struct arrivals_slot *slot, struct mmsghdr *message)
{
	struct msghdr *const m = &message->msg_hdr;
	const int segment = ARRIVALS_SIZE;
	struct in_pktinfo info = { .ipi_ifindex = IFINDEX };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(slot->from.port) };
	size_t at = 0;

	assert_true(slot->len <= m->msg_iov[0].iov_len);
	memcpy(m->msg_iov[0].iov_base, slot->bytes, slot->len);
	message->msg_len = (unsigned int)slot->len;
	m->msg_flags = slot->is_cut ? MSG_TRUNC : 0;
	memcpy(&from.sin_addr, slot->from.ip.bytes, 4);
	memcpy(m->msg_name, &from, sizeof(from));
	m->msg_namelen = sizeof(from);
	memcpy(&info.ipi_spec_dst, slot->to.bytes, 4);
	at = put(m->msg_control, at, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	at = put(m->msg_control, at, IPPROTO_IP, IP_TOS, &slot->tos, 1);
	if (slot->len > ARRIVALS_SIZE)
		at = put(m->msg_control, at, IPPROTO_UDP, UDP_GRO, &segment, sizeof(segment));
	assert_true(at <= m->msg_controllen);
	m->msg_controllen = at;
}

int arrivals_recvmmsg(struct arrivals *a, struct mmsghdr *messages, unsigned int n)
{
	unsigned int i = 0;

	for (; i < n && a->next < a->slot_count; ++i)
		fill(&a->slots[a->next++], &messages[i]);
	errno = EAGAIN;
	return i ? (int)i : -1;
}

static bool is_of(const uint8_t *packet, enum offload_kind kind)
{
	const bool is_v4 = packet[0] >> 4 == 4;

	return is_v4 == offload_is_v4(kind) &&
	       packet[is_v4 ? 9 : 6] == (offload_is_tcp(kind) ? 6 : 17);
}

static void pick(const struct packet_list *from, enum offload_kind kind, struct packet_list *ret)
{
	ret->count = ret->used = 0;
	for (size_t i = 0; i < from->count; ++i) {
		size_t len;
		const uint8_t *const packet = packet_list_at(from, i, &len);

		if (is_of(packet, kind))
			packet_list_add(ret, packet, len);
	}
}

void arrivals_compare(struct arrivals *a)
{
	static uint8_t record[PLANE_RECORD];
	static struct packet_list want, got;
	ssize_t n;

	a->got.count = a->got.used = 0;
	while ((n = plane_take(&a->plane, 1, record)) >= 0) {
		const size_t header = (size_t)a->plane.d[1].tun.header;
		const uint8_t none[OFFLOAD_HEADER] = { 0 };

		assert_true((size_t)n > header);
		packet_list_split(&a->got, header ? record : none, record + header,
				  (size_t)n - header);
	}
	assert_int_equal(a->got.count, a->want.count);
	for (unsigned int kind = OFFLOAD_TCP4; kind <= OFFLOAD_UDP6; kind *= 2) {
		pick(&a->want, (enum offload_kind)kind, &want);
		pick(&a->got, (enum offload_kind)kind, &got);
		plane_compare(&want, &got);
	}
}
