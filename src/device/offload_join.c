#include "device/offload_join.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checksum.h"

enum {
	V4_ADDRESSES = 12, /* where the addresses stand, and behind them the ports */
	V6_ADDRESSES = 8,
	V4_PAIR = 8, /* bytes of both addresses */
	V6_PAIR = 32,
	PORTS = 4,
	V4_DF = 0x4000,
	TCP_FLAGS = OFFLOAD_ACK | OFFLOAD_PSH | OFFLOAD_ECE | OFFLOAD_CWR, /* no others join */
};

/* What a packet is, as far as joining goes. */
struct shape {
	enum offload_kind kind; /* PLAIN: not of a conversation that we follow */
	size_t start;           /* of the TCP or UDP header */
	size_t headers;
	size_t payload;
	bool may_join;
	bool is_pushed;
};

static size_t start_of(enum offload_kind kind)
{
	return offload_is_v4(kind) ? OFFLOAD_V4_HEADER : OFFLOAD_V6_HEADER;
}

static size_t field_of(enum offload_kind kind)
{
	return start_of(kind) +
	       (offload_is_tcp(kind) ? OFFLOAD_TCP_CHECKSUM : OFFLOAD_UDP_CHECKSUM);
}

/* The sum of the pseudo header (RFC 9293 3.1, RFC 8200 8.1). */
static uint32_t pseudo_sum(const uint8_t *packet, enum offload_kind kind, size_t len)
{
	const uint32_t seed = (offload_is_tcp(kind) ? OFFLOAD_PROTO_TCP : OFFLOAD_PROTO_UDP) +
			      (uint32_t)(len - start_of(kind));

	if (offload_is_v4(kind))
		return checksum_add(seed, packet + V4_ADDRESSES, V4_PAIR);
	return checksum_add(seed, packet + V6_ADDRESSES, V6_PAIR);
}

static bool checksums_are_right(const uint8_t *packet, size_t len, enum offload_kind kind)
{
	const size_t start = start_of(kind);
	const uint32_t sum = pseudo_sum(packet, kind, len);

	if (offload_is_v4(kind) && checksum_fold(checksum_add(0, packet, OFFLOAD_V4_HEADER)) != 0)
		return false;
	return checksum_fold(checksum_add(sum, packet + start, len - start)) == 0;
}

/* By the IP header alone: a whole packet of TCP or UDP without anything in between. */
static enum offload_kind kind_of(const uint8_t *packet, size_t len)
{
	const bool v4 = packet[0] == 0x45;
	const uint8_t proto = packet[v4 ? 9 : 6];

	if (v4 && (load16_be(packet + 2) != len || load16_be(packet + 6) & (uint16_t)~V4_DF))
		return OFFLOAD_PLAIN;
	if (!v4 &&
	    (packet[0] >> 4 != 6 || OFFLOAD_V6_HEADER + (size_t)load16_be(packet + 4) != len))
		return OFFLOAD_PLAIN;
	if (proto == OFFLOAD_PROTO_TCP)
		return v4 ? OFFLOAD_TCP4 : OFFLOAD_TCP6;
	if (proto == OFFLOAD_PROTO_UDP)
		return v4 ? OFFLOAD_UDP4 : OFFLOAD_UDP6;
	return OFFLOAD_PLAIN;
}

static bool tcp_may_join(const uint8_t *tcp, struct shape *s)
{
	const size_t header = (size_t)(tcp[12] >> 4) * 4;

	s->headers = s->start + header;
	s->is_pushed = tcp[13] & OFFLOAD_PSH;
	return header >= OFFLOAD_TCP_HEADER && (tcp[13] & OFFLOAD_ACK) && !(tcp[13] & ~TCP_FLAGS);
}

static bool udp_may_join(const uint8_t *udp, size_t len, struct shape *s)
{
	s->headers = s->start + OFFLOAD_UDP_HEADER;
	return load16_be(udp + 4) == len - s->start && load16_be(udp + OFFLOAD_UDP_CHECKSUM) != 0;
}

/* packet holds an IP header. */
static struct shape shape_of(const struct offload_join *j, const uint8_t *packet, size_t len)
{
	struct shape s = { .kind = kind_of(packet, len) };

	if (s.kind == OFFLOAD_PLAIN)
		return s;
	s.start = start_of(s.kind);
	if (len < s.start + (offload_is_tcp(s.kind) ? OFFLOAD_TCP_HEADER : OFFLOAD_UDP_HEADER)) {
		s.kind = OFFLOAD_PLAIN; /* it has no ports */
		return s;
	}
	s.may_join = offload_is_tcp(s.kind) ? tcp_may_join(packet + s.start, &s)
					    : udp_may_join(packet + s.start, len, &s);
	if (!s.may_join || s.headers >= len || !(j->kinds & s.kind)) {
		s.may_join = false;
		return s;
	}
	s.payload = len - s.headers;
	s.may_join = checksums_are_right(packet, len, s.kind);
	return s;
}

static void write_alone(const struct offload_join *j, uint8_t *packet, size_t len)
{
	const size_t header = j->has_header ? OFFLOAD_HEADER : 0;
	const struct iovec part = { packet - header, len + header };

	memset(packet - header, 0, header);
	j->sink.write(j->sink.ctx, &part, 1, 1);
}

static void write_virtio(const struct offload_run *r)
{
	struct offload_header h = {
		.flags = OFFLOAD_NEEDS_CSUM,
		.header = (uint16_t)r->headers,
		.size = (uint16_t)r->size,
		.start = (uint16_t)start_of(r->kind),
		.offset = offload_is_tcp(r->kind) ? OFFLOAD_TCP_CHECKSUM : OFFLOAD_UDP_CHECKSUM,
	};

	if (!offload_is_tcp(r->kind))
		h.type = OFFLOAD_GSO_UDP_L4;
	else
		h.type = r->kind == OFFLOAD_TCP4 ? OFFLOAD_GSO_TCPV4 : OFFLOAD_GSO_TCPV6;
	if (offload_is_tcp(r->kind) && r->first[h.start + 13] & OFFLOAD_CWR)
		h.type |= OFFLOAD_GSO_ECN;
	memcpy(r->first - OFFLOAD_HEADER, &h, sizeof(h));
}

/* The headers of the first packet become those of the whole. */
static void write_headers(const struct offload_run *r)
{
	uint8_t *const p = r->first;
	const size_t start = start_of(r->kind);

	if (offload_is_v4(r->kind)) {
		store16_be(p + 2, (uint16_t)r->total);
		store16_be(p + 10, 0);
		store16_be(p + 10, checksum_fold(checksum_add(0, p, OFFLOAD_V4_HEADER)));
	} else {
		store16_be(p + 4, (uint16_t)(r->total - OFFLOAD_V6_HEADER));
	}
	if (!offload_is_tcp(r->kind))
		store16_be(p + start + 4, (uint16_t)(r->total - start));
	else if (r->is_pushed)
		p[start + 13] |= OFFLOAD_PSH;
	store16_be(p + field_of(r->kind),
		   (uint16_t)~checksum_fold(pseudo_sum(p, r->kind, r->total)));
}

static void write_run(const struct offload_join *j, struct offload_run *r)
{
	if (r->count == 1) {
		write_alone(j, r->first, r->total);
		return;
	}
	write_virtio(r);
	write_headers(r);
	r->parts[0] =
		(struct iovec){ r->first - OFFLOAD_HEADER, OFFLOAD_HEADER + r->headers + r->size };
	j->sink.write(j->sink.ctx, r->parts, (int)r->count, r->count);
}

/* Write the run at this place of the order, and free it. */
static void end_run(struct offload_join *j, size_t place)
{
	const uint8_t which = j->order[place];

	write_run(j, &j->runs[which]);
	--j->used;
	memmove(j->order + place, j->order + place + 1, j->used - place);
	j->order[j->used] = which;
}

/* What is no packet of a conversation we follow may still belong to one: a fragment, IPsec. */
static void end_between(struct offload_join *j, const uint8_t *packet)
{
	const bool v4 = packet[0] >> 4 == 4;
	const size_t at = v4 ? V4_ADDRESSES : V6_ADDRESSES;
	const size_t len = v4 ? V4_PAIR : V6_PAIR;

	for (size_t i = 0; i < j->used;) {
		const struct offload_run *r = &j->runs[j->order[i]];

		if (offload_is_v4(r->kind) == v4 && memcmp(r->first + at, packet + at, len) == 0)
			end_run(j, i);
		else
			++i;
	}
}

/* Where in the order the run of this conversation is; j->used: there is none. */
static size_t find(const struct offload_join *j, const uint8_t *packet, enum offload_kind kind)
{
	const size_t at = offload_is_v4(kind) ? V4_ADDRESSES : V6_ADDRESSES;
	const size_t len = (offload_is_v4(kind) ? V4_PAIR : V6_PAIR) + PORTS;
	size_t i;

	for (i = 0; i < j->used; ++i) {
		const struct offload_run *r = &j->runs[j->order[i]];

		if (r->kind == kind && memcmp(r->first + at, packet + at, len) == 0)
			break;
	}
	return i;
}

static bool v4_follows(const struct offload_run *r, const uint8_t *p)
{
	const uint16_t first = load16_be(r->first + 4);
	const uint16_t id = load16_be(p + 4);

	if (p[1] != r->first[1] || p[8] != r->first[8] ||
	    load16_be(p + 6) != load16_be(r->first + 6))
		return false;
	if (r->is_fixed_id || (r->count == 1 && id == first && load16_be(p + 6) & V4_DF))
		return id == first;
	return id == (uint16_t)(first + r->count);
}

static bool v6_follows(const struct offload_run *r, const uint8_t *p)
{
	return memcmp(p, r->first, 4) == 0 && p[7] == r->first[7];
}

/* tcp, first: the TCP headers, `options` bytes of options behind tcp; byte 12 has their length. */
static bool tcp_follows(const struct offload_run *r, const uint8_t *first, const uint8_t *tcp,
			size_t options)
{
	const uint8_t differs = (first[13] ^ tcp[13]) & OFFLOAD_ECE;

	return load32_be(tcp + 4) == r->next && memcmp(tcp + 8, first + 8, 5) == 0 && !differs &&
	       !(tcp[13] & OFFLOAD_CWR) && memcmp(tcp + 14, first + 14, 2) == 0 &&
	       memcmp(tcp + 18, first + 18, 2 + options) == 0;
}

static bool follows(const struct offload_run *r, const uint8_t *p, const struct shape *s)
{
	const size_t most = offload_is_tcp(r->kind) ? OFFLOAD_RUN_PARTS : OFFLOAD_UDP_SEGMENTS;

	if (s->payload > r->size || r->count == most || r->total + s->payload > OFFLOAD_MAX)
		return false;
	if (offload_is_v4(r->kind) ? !v4_follows(r, p) : !v6_follows(r, p))
		return false;
	return !offload_is_tcp(r->kind) || tcp_follows(r, r->first + s->start, p + s->start,
						       s->headers - s->start - OFFLOAD_TCP_HEADER);
}

static void append(struct offload_run *r, uint8_t *packet, const struct shape *s)
{
	if (r->count == 1 && offload_is_v4(r->kind))
		r->is_fixed_id = load16_be(packet + 4) == load16_be(r->first + 4);
	r->parts[r->count++] = (struct iovec){ packet + s->headers, s->payload };
	r->total += s->payload;
	r->next += (uint32_t)s->payload;
	r->is_pushed = s->is_pushed;
}

static void open_run(struct offload_join *j, uint8_t *packet, const struct shape *s)
{
	struct offload_run *r;

	if (j->used == OFFLOAD_RUNS)
		end_run(j, 0);
	r = &j->runs[j->order[j->used++]];
	r->kind = s->kind;
	r->first = packet;
	r->headers = s->headers;
	r->size = s->payload;
	r->total = s->headers + s->payload;
	r->count = 1;
	r->next = offload_is_tcp(s->kind) ? load32_be(packet + s->start + 4) + (uint32_t)s->payload
					  : 0;
	r->is_fixed_id = false;
	r->is_pushed = false;
}

/* A packet of a conversation, behind what is open of it. */
static void add_to(struct offload_join *j, uint8_t *packet, size_t len, const struct shape *s)
{
	const size_t place = find(j, packet, s->kind);
	struct offload_run *const r = place < j->used ? &j->runs[j->order[place]] : NULL;

	if (r && s->may_join && follows(r, packet, s)) {
		append(r, packet, s);
		if (s->payload < r->size || s->is_pushed)
			end_run(j, place);
		return;
	}
	if (r)
		end_run(j, place);
	if (s->may_join && !s->is_pushed)
		open_run(j, packet, s);
	else
		write_alone(j, packet, len);
}

static bool has_ip_header(const uint8_t *packet, size_t len)
{
	if (len < OFFLOAD_V4_HEADER)
		return false;
	return packet[0] >> 4 == 4 || (packet[0] >> 4 == 6 && len >= OFFLOAD_V6_HEADER);
}

void offload_join_init(struct offload_join *j, const struct offload_sink *sink, unsigned int kinds,
		       bool has_header)
{
	assert(has_header || kinds == 0);
	j->sink = *sink;
	j->kinds = kinds;
	j->has_header = has_header;
	j->used = 0;
	for (size_t i = 0; i < OFFLOAD_RUNS; ++i)
		j->order[i] = (uint8_t)i;
}

void offload_join_add(struct offload_join *j, uint8_t *packet, size_t len)
{
	struct shape s;

	if (!j->kinds || !has_ip_header(packet, len)) {
		offload_join_flush(j);
		write_alone(j, packet, len);
		return;
	}
	s = shape_of(j, packet, len);
	if (s.kind != OFFLOAD_PLAIN) {
		add_to(j, packet, len, &s);
		return;
	}
	end_between(j, packet);
	write_alone(j, packet, len);
}

void offload_join_flush(struct offload_join *j)
{
	while (j->used)
		end_run(j, 0);
}
