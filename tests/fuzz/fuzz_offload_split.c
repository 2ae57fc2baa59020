#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "device/offload_join.h"
#include "device/offload_split.h"
#include "support_need.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/*
 * A virtio header and a packet, as a TUN gives them. What is split is joined, and what was joined
 * is split: the same packets, in the same order. Each stands in memory of just its size.
 */
enum { FRONT = 16, MOST = 256 };

struct packet {
	uint8_t *memory;
	uint8_t *copy; /* joining changes the headers */
	size_t len;
};

static struct packet packets[MOST];
static size_t used, seen;

static void free_packets(void)
{
	for (size_t i = 0; i < used; ++i) {
		free(packets[i].memory);
		free(packets[i].copy);
	}
	used = 0;
}

static void keep(struct offload_split *s)
{
	uint8_t *const exact = need_room(s->size);
	struct packet *const p = &packets[used++];

	p->len = offload_split_next(s, exact);
	need(p->len == (used == s->count ? s->last : s->size));
	p->copy = exact;
	p->memory = need_room(FRONT + p->len);
	memcpy(p->memory + FRONT, exact, p->len);
}

static void compare(const struct packet *want, const uint8_t *got, size_t len)
{
	need(len == want->len && memcmp(got, want->copy, len) == 0);
}

static void take_write(void *ctx, const struct iovec *parts, int count, size_t n)
{
	uint8_t *const whole = need_room((size_t)OFFLOAD_HEADER + OFFLOAD_MAX);
	struct offload_split s;
	size_t len = 0;

	(void)ctx;
	need(count >= 1 && count <= OFFLOAD_RUN_PARTS);
	for (int i = 0; i < count; ++i) {
		need(len + parts[i].iov_len <= (size_t)OFFLOAD_HEADER + OFFLOAD_MAX);
		memcpy(whole + len, parts[i].iov_base, parts[i].iov_len);
		len += parts[i].iov_len;
	}
	need(offload_split_begin(&s, whole, whole + OFFLOAD_HEADER, len - OFFLOAD_HEADER));
	need(s.count == n && seen + n <= used);
	for (size_t i = 0; i < n; ++i) {
		uint8_t *const one = need_room(s.size);

		compare(&packets[seen++], one, offload_split_next(&s, one));
		free(one);
	}
	free(whole);
}

static void join_again(void)
{
	static struct offload_join j;
	const struct offload_sink sink = { take_write, NULL };

	seen = 0;
	offload_join_init(&j, &sink, OFFLOAD_ALL, true);
	for (size_t i = 0; i < used; ++i)
		offload_join_add(&j, packets[i].memory + FRONT, packets[i].len);
	offload_join_flush(&j);
	need(seen == used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct offload_split s;

	if (len < OFFLOAD_HEADER ||
	    !offload_split_begin(&s, data, data + OFFLOAD_HEADER, len - OFFLOAD_HEADER))
		return 0;
	need(s.count >= 1 && s.count <= OFFLOAD_SEGMENTS && s.last <= s.size);
	for (size_t i = 0; i < s.count && i < MOST; ++i)
		keep(&s);
	join_again();
	free_packets();
	return 0;
}
