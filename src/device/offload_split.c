#include "device/offload_split.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum {
	EXT_HOP_BY_HOP = 0,
	EXT_ROUTING = 43,
	EXT_DESTINATION = 60,
	V4_FRAGMENT = 0x3fff, /* more fragments, or an offset */
	NOT_LAST = OFFLOAD_FIN | OFFLOAD_PSH,
};

static enum offload_kind kind_of(uint8_t type, uint8_t version)
{
	switch (type) {
	case OFFLOAD_GSO_TCPV4:
	case OFFLOAD_GSO_TCPV4 | OFFLOAD_GSO_ECN:
		return version == 4 ? OFFLOAD_TCP4 : OFFLOAD_PLAIN;
	case OFFLOAD_GSO_TCPV6:
	case OFFLOAD_GSO_TCPV6 | OFFLOAD_GSO_ECN:
		return version == 6 ? OFFLOAD_TCP6 : OFFLOAD_PLAIN;
	case OFFLOAD_GSO_UDP_L4:
		return version == 4 ? OFFLOAD_UDP4 : version == 6 ? OFFLOAD_UDP6 : OFFLOAD_PLAIN;
	default:
		return OFFLOAD_PLAIN;
	}
}

/* Bytes of the IP header without extension headers; 0: there is none. */
static size_t ip_header(const uint8_t *packet, size_t len)
{
	size_t header = 0;

	if (len && packet[0] >> 4 == 4)
		header = (size_t)(packet[0] & 0xf) * 4;
	else if (len && packet[0] >> 4 == 6)
		header = OFFLOAD_V6_HEADER;
	return header >= OFFLOAD_V4_HEADER && header <= len ? header : 0;
}

static bool v4_is_followed_by(const uint8_t *packet, size_t start, uint8_t proto)
{
	return (size_t)(packet[0] & 0xf) * 4 == start && packet[9] == proto &&
	       (load16_be(packet + 6) & V4_FRAGMENT) == 0;
}

/* start + 2 <= len */
static bool v6_is_followed_by(const uint8_t *packet, size_t start, uint8_t proto)
{
	uint8_t next = packet[6];
	size_t at = OFFLOAD_V6_HEADER;

	while (at < start &&
	       (next == EXT_HOP_BY_HOP || next == EXT_ROUTING || next == EXT_DESTINATION)) {
		next = packet[at];
		at += ((size_t)packet[at + 1] + 1) * 8;
	}
	return at == start && next == proto;
}

/* Bytes of the TCP or UDP header at start; 0: it does not fit. */
static size_t transport_header(const struct offload_split *s)
{
	const size_t room = s->len - s->start;
	size_t header = OFFLOAD_UDP_HEADER;

	if (offload_is_tcp(s->kind)) {
		if (room < OFFLOAD_TCP_HEADER)
			return 0;
		header = (size_t)(s->packet[s->start + 12] >> 4) * 4;
		if (header < OFFLOAD_TCP_HEADER)
			return 0;
	}
	return header <= room ? header : 0;
}

/* Whether the TCP or UDP header is where the virtio header has it. */
static bool is_followed_by(const struct offload_split *s, const struct offload_header *h)
{
	const uint8_t proto = offload_is_tcp(s->kind) ? OFFLOAD_PROTO_TCP : OFFLOAD_PROTO_UDP;

	if (h->offset != (offload_is_tcp(s->kind) ? OFFLOAD_TCP_CHECKSUM : OFFLOAD_UDP_CHECKSUM))
		return false;
	if (offload_is_v4(s->kind))
		return v4_is_followed_by(s->packet, s->start, proto);
	return v6_is_followed_by(s->packet, s->start, proto);
}

/* The checksum has a place of its own behind the IP header. */
static bool take_field(struct offload_split *s, const struct offload_header *h)
{
	const size_t ip = ip_header(s->packet, s->len);

	s->start = h->start;
	s->field = s->start + h->offset;
	return ip && s->start >= ip && s->field + 2 <= s->len;
}

static bool begin_plain(struct offload_split *s, const struct offload_header *h)
{
	s->kind = OFFLOAD_PLAIN;
	s->count = 1;
	s->size = s->last = s->len;
	s->field = 0;
	return !(h->flags & OFFLOAD_NEEDS_CSUM) || take_field(s, h);
}

static bool begin_segments(struct offload_split *s, const struct offload_header *h)
{
	size_t header, payload;

	s->kind = s->len ? kind_of(h->type, s->packet[0] >> 4) : OFFLOAD_PLAIN;
	if (s->kind == OFFLOAD_PLAIN || !(h->flags & OFFLOAD_NEEDS_CSUM) || !h->size)
		return false;
	if (!take_field(s, h) || !is_followed_by(s, h))
		return false;
	header = transport_header(s);
	s->headers = s->start + header;
	payload = s->len - s->headers;
	if (!header || !payload)
		return false;
	s->step = h->size;
	s->count = (payload + s->step - 1) / s->step;
	s->last = s->headers + payload - (s->count - 1) * s->step;
	s->size = s->count > 1 ? s->headers + s->step : s->last;
	return s->count <= OFFLOAD_SEGMENTS;
}

bool offload_split_begin(struct offload_split *s, const uint8_t header[static OFFLOAD_HEADER],
			 const uint8_t *packet, size_t len)
{
	struct offload_header h;

	memcpy(&h, header, sizeof(h));
	s->packet = packet;
	s->len = len;
	s->next = 0;
	if (len > OFFLOAD_MAX)
		return false;
	if (h.type == OFFLOAD_GSO_NONE)
		return begin_plain(s, &h);
	if (!begin_segments(s, &h))
		return false;
	/* the length of the whole is taken out of the sum: what is left holds for each segment */
	s->pseudo = load16_be(packet + s->field) + (uint32_t)(0xffff - (len - s->start));
	return true;
}

/* 0 goes out as 0xffff, an equal value: for UDP, 0 means no checksum. For TCP 0 is what everybody
 * sends. */
static void store_checksum(const struct offload_split *s, uint8_t *dst, uint32_t sum)
{
	const uint16_t folded = checksum_fold(sum);

	store16_be(dst + s->field, folded || offload_is_tcp(s->kind) ? folded : 0xffff);
}

static size_t next_plain(const struct offload_split *s, uint8_t *dst)
{
	uint32_t sum;

	if (!s->field) {
		memcpy(dst, s->packet, s->len);
		return s->len;
	}
	memcpy(dst, s->packet, s->start);
	sum = checksum_copy(0, dst + s->start, s->packet + s->start, s->len - s->start);
	store_checksum(s, dst, sum);
	return s->len;
}

static void write_ip(const struct offload_split *s, uint8_t *dst, size_t len)
{
	if (!offload_is_v4(s->kind)) {
		store16_be(dst + 4, (uint16_t)(len - OFFLOAD_V6_HEADER));
		return;
	}
	store16_be(dst + 2, (uint16_t)len);
	store16_be(dst + 4, (uint16_t)(load16_be(dst + 4) + s->next));
	store16_be(dst + 10, 0);
	store16_be(dst + 10, checksum_fold(checksum_add(0, dst, s->start)));
}

static void write_tcp(const struct offload_split *s, uint8_t *tcp, bool is_last)
{
	store32_be(tcp + 4, load32_be(tcp + 4) + (uint32_t)(s->next * s->step));
	if (!is_last)
		tcp[13] &= (uint8_t)~NOT_LAST;
	if (s->next > 0)
		tcp[13] &= (uint8_t)~OFFLOAD_CWR;
}

static void write_headers(const struct offload_split *s, uint8_t *dst, size_t len, bool is_last)
{
	memcpy(dst, s->packet, s->headers);
	write_ip(s, dst, len);
	if (offload_is_tcp(s->kind))
		write_tcp(s, dst + s->start, is_last);
	else
		store16_be(dst + s->start + 4, (uint16_t)(len - s->start));
	store16_be(dst + s->field, 0);
}

size_t offload_split_next(struct offload_split *s, uint8_t *dst)
{
	const bool is_last = s->next + 1 == s->count;
	const size_t len = is_last ? s->last : s->size;
	uint32_t sum = s->pseudo + (uint32_t)(len - s->start);

	if (s->kind == OFFLOAD_PLAIN)
		return next_plain(s, dst);
	write_headers(s, dst, len, is_last);
	sum = checksum_add(sum, dst + s->start, s->headers - s->start);
	sum = checksum_copy(sum, dst + s->headers, s->packet + s->headers + s->next * s->step,
			    len - s->headers);
	store_checksum(s, dst, sum);
	++s->next;
	return len;
}
