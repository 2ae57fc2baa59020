#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "device/offload_join.h"
#include "device/offload_split.h"
#include "support_need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/*
 * The first byte: kinds that may be joined. Then packets, each with a control byte and two of
 * length in front: 1 flushes before it, 2 puts right checksums into it, 4 sets its lengths. All of
 * them come out, each once; those between the same two addresses in their order; each the same but
 * for an IPv4 ID that said nothing (DF).
 */
enum { FRONT = 16, MOST = 64, FLUSH = 1, SUMS = 2, LENGTHS = 4 };

struct packet {
	uint8_t *memory;
	uint8_t *copy;
	size_t len;
	bool is_seen;
};

static struct packet packets[MOST];
static size_t used;

static uint16_t sum(uint32_t seed, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; ++i)
		seed += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (seed >> 16)
		seed = (seed >> 16) + (seed & 0xffff);
	return (uint16_t)seed;
}

static bool is_v4(const uint8_t *p, size_t len)
{
	return len >= 20 && p[0] == 0x45;
}

static bool is_v6(const uint8_t *p, size_t len)
{
	return len >= 40 && p[0] >> 4 == 6;
}

/* Where the checksum of TCP or UDP is; 0: there is none. */
static size_t field_of(const uint8_t *p, size_t len)
{
	const size_t start = is_v4(p, len) ? 20 : 40;
	const uint8_t proto = p[start == 20 ? 9 : 6];
	const size_t field = start + (proto == 6 ? 16 : 6);

	return (proto == 6 || proto == 17) && field + 2 <= len ? field : 0;
}

static void set_lengths(uint8_t *p, size_t len)
{
	if (is_v4(p, len))
		store16_be(p + 2, (uint16_t)len);
	else if (is_v6(p, len))
		store16_be(p + 4, (uint16_t)(len - 40));
}

static void set_sums(uint8_t *p, size_t len)
{
	const size_t start = is_v4(p, len) ? 20 : 40;
	uint32_t seed;

	if (!is_v4(p, len) && !is_v6(p, len))
		return;
	if (start == 20) {
		store16_be(p + 10, 0);
		store16_be(p + 10, (uint16_t)~sum(0, p, 20));
	}
	if (!field_of(p, len))
		return;
	store16_be(p + field_of(p, len), 0);
	seed = (uint32_t)(len - start) + p[start == 20 ? 9 : 6];
	seed = start == 20 ? sum(seed, p + 12, 8) : sum(seed, p + 8, 32);
	seed = (uint16_t)~sum(seed, p + start, len - start);
	store16_be(p + field_of(p, len), seed ? (uint16_t)seed : 0xffff);
}

/* Two checksums of 0 are one; an ID with DF says nothing, and the header's checksum covers it. */
static bool is_same(const struct packet *want, const uint8_t *got, size_t len)
{
	uint8_t *p;
	bool same;
	size_t field;

	if (len != want->len)
		return false;
	p = need_room(len);
	memcpy(p, got, len);
	if (is_v4(p, len) && p[6] & 0x40 && sum(0, p, 20) == 0xffff)
		memcpy(p + 4, want->copy + 4, 2);
	if (is_v4(p, len) && sum(0, got, 20) == 0xffff && sum(0, want->copy, 20) == 0xffff)
		memcpy(p + 10, want->copy + 10, 2);
	field = is_v4(p, len) || is_v6(p, len) ? field_of(p, len) : 0;
	if (field && load16_be(p + field) == 0 && load16_be(want->copy + field) == 0xffff)
		memset(p + field, 0xff, 2);
	same = memcmp(p, want->copy, len) == 0;
	free(p);
	return same;
}

static bool is_between_same(const struct packet *a, const struct packet *b)
{
	if (is_v4(a->copy, a->len) && is_v4(b->copy, b->len))
		return memcmp(a->copy + 12, b->copy + 12, 12) == 0 && a->copy[9] == b->copy[9];
	if (is_v6(a->copy, a->len) && is_v6(b->copy, b->len))
		return a->len >= 44 && b->len >= 44 && a->copy[6] == b->copy[6] &&
		       memcmp(a->copy + 8, b->copy + 8, 36) == 0;
	return false;
}

/* It is one that was given and has not come yet, and none of its conversation before it is left. */
static void take_packet(const uint8_t *p, size_t len)
{
	size_t i = 0;

	while (i < used && (packets[i].is_seen || !is_same(&packets[i], p, len)))
		++i;
	need(i < used);
	packets[i].is_seen = true;
	for (size_t before = 0; before < i; ++before)
		need(packets[before].is_seen || packets[before].len < 24 || len < 24 ||
		     !is_between_same(&packets[before], &packets[i]));
}

static void take_write(void *ctx, const struct iovec *parts, int count, size_t n)
{
	uint8_t *const whole = need_room((size_t)OFFLOAD_HEADER + OFFLOAD_MAX);
	const bool has_header = *(const bool *)ctx;
	const size_t header = has_header ? OFFLOAD_HEADER : 0;
	struct offload_split s;
	size_t len = OFFLOAD_HEADER - header;

	memset(whole, 0, OFFLOAD_HEADER);
	need(count >= 1 && count <= OFFLOAD_RUN_PARTS);
	for (int i = 0; i < count; ++i) {
		need(len + parts[i].iov_len <= (size_t)OFFLOAD_HEADER + OFFLOAD_MAX);
		memcpy(whole + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	need(offload_split_begin(&s, whole, whole + OFFLOAD_HEADER, len - OFFLOAD_HEADER));
	need(s.count == n);
	for (size_t i = 0; i < n; ++i) {
		uint8_t *const one = need_room(s.size);

		take_packet(one, offload_split_next(&s, one));
		free(one);
	}
	free(whole);
}

static const uint8_t *give(struct offload_join *j, const uint8_t *at, const uint8_t *end)
{
	const uint8_t control = at[0];
	size_t len = load16_be(at + 1);
	struct packet *const p = &packets[used];

	at += 3;
	len = len < (size_t)(end - at) ? len : (size_t)(end - at);
	*p = (struct packet){ need_room(FRONT + len), need_room(len), len, false };
	memcpy(p->copy, at, len);
	if (control & LENGTHS)
		set_lengths(p->copy, len);
	if (control & SUMS)
		set_sums(p->copy, len);
	memcpy(p->memory + FRONT, p->copy, len);
	if (control & FLUSH)
		offload_join_flush(j);
	++used;
	offload_join_add(j, p->memory + FRONT, len);
	return at + len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct offload_join j;
	const uint8_t *const end = data + len;
	bool has_header = len == 0 || !(data[0] & 0x80);
	const struct offload_sink sink = { take_write, &has_header };

	used = 0;
	offload_join_init(&j, &sink, len && has_header ? data[0] & OFFLOAD_ALL : 0, has_header);
	for (const uint8_t *at = data + (len > 0); end - at >= 3 && used < MOST;)
		at = give(&j, at, end);
	offload_join_flush(&j);
	for (size_t i = 0; i < used; ++i) {
		need(packets[i].is_seen);
		free(packets[i].memory);
		free(packets[i].copy);
	}
	return 0;
}
