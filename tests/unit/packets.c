#include "packets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static bool is_v4(const uint8_t *p)
{
	return p[0] >> 4 == 4;
}

static uint8_t proto_of(const uint8_t *p)
{
	if (is_v4(p))
		return p[9];
	return p[6] == 60 ? p[40] : p[6];
}

size_t packet_start(const uint8_t *p)
{
	if (is_v4(p))
		return (size_t)(p[0] & 15) * 4;
	return p[6] == 60 ? 48 + (size_t)p[41] * 8 : 40;
}

size_t packet_field(const uint8_t *p)
{
	return packet_start(p) + (proto_of(p) == 6 ? 16 : 6);
}

size_t packet_headers(const uint8_t *p)
{
	const size_t start = packet_start(p);

	return start + (proto_of(p) == 6 ? (size_t)(p[start + 12] >> 4) * 4 : 8);
}

uint16_t packet_sum(uint16_t seed, const uint8_t *p, size_t len)
{
	uint32_t sum = seed;

	for (size_t i = 0; i < len; ++i) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

static uint16_t pseudo(const uint8_t *p, size_t len)
{
	uint8_t tail[4] = { 0, proto_of(p) };
	const uint16_t seed = is_v4(p) ? packet_sum(0, p + 12, 8) : packet_sum(0, p + 8, 32);

	store16_be(tail + 2, (uint16_t)(len - packet_start(p)));
	return packet_sum(seed, tail, sizeof(tail));
}

void packet_unfinish(uint8_t *p, size_t len)
{
	if (is_v4(p)) {
		store16_be(p + 10, 0);
		store16_be(p + 10, (uint16_t)~packet_sum(0, p, packet_start(p)));
	}
	store16_be(p + packet_field(p), pseudo(p, len));
}

void packet_finish(uint8_t *p, size_t len)
{
	const size_t start = packet_start(p);
	uint16_t sum;

	packet_unfinish(p, len);
	sum = (uint16_t)~packet_sum(0, p + start, len - start);
	store16_be(p + packet_field(p), proto_of(p) == 17 && !sum ? 0xffff : sum);
}

bool packet_is_right(const uint8_t *p, size_t len)
{
	const size_t start = packet_start(p);

	if (is_v4(p) && (load16_be(p + 2) != len || packet_sum(0, p, start) != 0xffff))
		return false;
	if (!is_v4(p) && load16_be(p + 4) + 40u != len)
		return false;
	if (proto_of(p) == 17 &&
	    (load16_be(p + start + 4) != len - start || !load16_be(p + start + 6)))
		return false;
	return packet_sum(pseudo(p, len), p + start, len - start) == 0xffff;
}

static bool is_same_sum(uint16_t a, uint16_t b)
{
	return a == b || (a == 0 && b == 0xffff) || (a == 0xffff && b == 0);
}

bool packet_is_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	static uint8_t copy[PACKET_ROOM];
	const size_t field = packet_field(a);

	if (a_len != b_len || packet_field(b) != field)
		return false;
	memcpy(copy, b, b_len);
	if (is_v4(a) && is_same_sum(load16_be(a + 10), load16_be(b + 10)))
		memcpy(copy + 10, a + 10, 2);
	if (is_same_sum(load16_be(a + field), load16_be(b + field)))
		memcpy(copy + field, a + field, 2);
	return memcmp(copy, a, a_len) == 0;
}

static size_t build_ip(const struct packet_spec *s, uint8_t *p, size_t behind)
{
	const uint8_t proto = s->kind == OFFLOAD_TCP4 || s->kind == OFFLOAD_TCP6 ? 6 : 17;

	if (s->kind == OFFLOAD_TCP4 || s->kind == OFFLOAD_UDP4) {
		const uint8_t fixed[20] = { (uint8_t)(0x45 + s->between / 4),
					    [6] = 0x40,
					    [8] = 64,
					    proto,
					    [12] = 10,
					    0,
					    1,
					    s->host,
					    10,
					    0,
					    2,
					    s->host };

		memcpy(p, fixed, 20);
		memset(p + 20, 1, s->between);
		store16_be(p + 2, (uint16_t)(20 + s->between + behind));
		store16_be(p + 4, s->id);
		return 20 + s->between;
	}
	memset(p, 0, 40 + s->between);
	p[0] = 0x60;
	p[3] = 7;
	store16_be(p + 4, (uint16_t)(s->between + behind));
	p[6] = s->between ? 60 : proto;
	p[7] = 64;
	p[8] = p[24] = 0xfd;
	p[9] = 1;
	p[25] = 2;
	p[23] = p[39] = s->host;
	if (s->between) {
		p[40] = proto;
		p[41] = (uint8_t)(s->between / 8 - 1);
	}
	return 40 + s->between;
}

static size_t build_tcp(const struct packet_spec *s, uint8_t *tcp)
{
	memset(tcp, 0, 20);
	store16_be(tcp, 1000);
	store16_be(tcp + 2, s->port);
	store32_be(tcp + 4, s->seq);
	store32_be(tcp + 8, 0x01020304);
	tcp[12] = (uint8_t)((20 + s->options) / 4 << 4);
	tcp[13] = 0x10 | s->flags;
	store16_be(tcp + 14, 500);
	memset(tcp + 20, 1, s->options);
	return 20 + s->options;
}

static size_t build_udp(const struct packet_spec *s, uint8_t *udp)
{
	store16_be(udp, 1000);
	store16_be(udp + 2, s->port);
	store16_be(udp + 4, (uint16_t)(8 + s->payload));
	store16_be(udp + 6, 0);
	return 8;
}

size_t packet_build(const struct packet_spec *s, uint8_t *ret)
{
	const bool tcp = s->kind == OFFLOAD_TCP4 || s->kind == OFFLOAD_TCP6;
	const size_t header = tcp ? 20 + s->options : 8;
	size_t at = build_ip(s, ret, header + s->payload);

	at += tcp ? build_tcp(s, ret + at) : build_udp(s, ret + at);
	for (size_t i = 0; i < s->payload; ++i)
		ret[at + i] = (uint8_t)(s->fill + i * 7 + (i >> 8));
	packet_finish(ret, at + s->payload);
	return at + s->payload;
}

void packet_list_add(struct packet_list *l, const uint8_t *p, size_t len)
{
	assert_true(l->count < ELEMENTS(l->rows) && l->used + len <= sizeof(l->bytes));
	memcpy(l->bytes + l->used, p, len);
	l->rows[l->count].at = l->used;
	l->rows[l->count++].len = len;
	l->used += len;
}

const uint8_t *packet_list_at(const struct packet_list *l, size_t i, size_t *ret_len)
{
	assert_true(i < l->count);
	*ret_len = l->rows[i].len;
	return l->bytes + l->rows[i].at;
}

static void list_segment(struct packet_list *l, const uint8_t *p, size_t len, size_t size,
			 size_t number)
{
	static uint8_t one[PACKET_ROOM];
	const size_t headers = packet_headers(p), start = packet_start(p);
	size_t n = 0;

	memcpy(one, p, headers);
	for (size_t i = number * size; headers + i < len && n < size; ++i)
		one[headers + n++] = p[headers + i];
	if (is_v4(p)) {
		store16_be(one + 2, (uint16_t)(headers + n));
		store16_be(one + 4, (uint16_t)(load16_be(p + 4) + number));
	} else {
		store16_be(one + 4, (uint16_t)(headers + n - 40));
	}
	if (proto_of(p) == 17) {
		store16_be(one + start + 4, (uint16_t)(8 + n));
	} else {
		store32_be(one + start + 4, load32_be(p + start + 4) + (uint32_t)(number * size));
		if (number)
			one[start + 13] &= 0x7f;
		if (headers + (number + 1) * size < len)
			one[start + 13] &= 0xf6;
	}
	packet_finish(one, headers + n);
	packet_list_add(l, one, headers + n);
}

void packet_list_split(struct packet_list *l, const uint8_t *header, const uint8_t *p, size_t len)
{
	struct offload_header h;

	memcpy(&h, header, sizeof(h));
	if (h.type == 0) {
		assert_int_equal(h.flags, 0);
		packet_list_add(l, p, len);
		return;
	}
	assert_true(h.size > 0 && len > packet_headers(p));
	for (size_t i = 0; packet_headers(p) + i * h.size < len; ++i)
		list_segment(l, p, len, h.size, i);
}

void packet_header(const uint8_t *p, size_t size, uint8_t ret[static OFFLOAD_HEADER])
{
	const bool tcp = proto_of(p) == 6;
	struct offload_header h = { .flags = 1,
				    .type = !tcp       ? 5
					    : is_v4(p) ? 1
						       : 4,
				    .header = (uint16_t)packet_headers(p),
				    .size = (uint16_t)size,
				    .start = (uint16_t)packet_start(p),
				    .offset = tcp ? 16 : 6 };

	if (tcp && p[packet_start(p) + 13] & 0x80)
		h.type |= 0x80;
	memcpy(ret, &h, sizeof(h));
}
