/*
 * What splitting a super-packet and joining packets costs: ns per inner packet, best of several
 * rounds on memory that is in the cache, as it is right after a read or a cipher.
 *
 * usage: bench_offload [--json] [ROUNDS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "device/offload_join.h"
#include "device/offload_split.h"

enum { FRONT = 16, V4 = 20, REPEAT = 50, ROUNDS = 200 };

static uint8_t tun[OFFLOAD_HEADER + OFFLOAD_MAX], slots[1 << 20];
static size_t writes;

struct work {
	const char *name;
	uint8_t proto;
	uint16_t size;  /* payload of a packet */
	size_t packets; /* of a super-packet */
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* An IPv4 super-packet as the kernel hands it out. Its length. */
static size_t make(const struct work *w)
{
	const bool tcp = w->proto == OFFLOAD_PROTO_TCP;
	const size_t l4 = tcp ? OFFLOAD_TCP_HEADER : OFFLOAD_UDP_HEADER;
	const size_t len = V4 + l4 + w->size * w->packets;
	const struct offload_header h = {
		.flags = OFFLOAD_NEEDS_CSUM,
		.type = tcp ? OFFLOAD_GSO_TCPV4 : OFFLOAD_GSO_UDP_L4,
		.size = w->size,
		.start = V4,
		.offset = tcp ? OFFLOAD_TCP_CHECKSUM : OFFLOAD_UDP_CHECKSUM,
	};
	uint8_t *const p = tun + OFFLOAD_HEADER;

	memcpy(tun, &h, sizeof(h));
	for (size_t i = 0; i < len; ++i)
		p[i] = (uint8_t)(i * 7);
	memcpy(p,
	       (const uint8_t[V4]){ 0x45, [6] = 0x40, [8] = 64, w->proto, [12] = 10, 0, 0, 1, 10, 0,
				    0, 2 },
	       V4);
	p[V4 + 12] = 0x50;
	p[V4 + 13] = OFFLOAD_ACK;
	store16_be(p + V4 + h.offset, (uint16_t)~checksum_fold(checksum_add(
					      (uint32_t)(len - V4) + w->proto, p + 12, 8)));
	return len;
}

static void count_write(void *ctx, const struct iovec *parts, int count, size_t packets)
{
	(void)ctx;
	(void)parts;
	(void)count;
	(void)packets;
	++writes;
}

/* Every inner packet into a slot of its own. */
static void split(size_t len)
{
	struct offload_split s;
	uint8_t *at = slots;

	if (!offload_split_begin(&s, tun, tun + OFFLOAD_HEADER, len))
		abort();
	for (size_t i = s.count; i > 0; --i)
		at += FRONT + offload_split_next(&s, at + FRONT);
}

static void join(struct offload_join *j, const struct work *w)
{
	const size_t headers =
		V4 + (w->proto == OFFLOAD_PROTO_TCP ? OFFLOAD_TCP_HEADER : OFFLOAD_UDP_HEADER);
	const size_t len = headers + w->size;

	for (size_t i = 0; i < w->packets; ++i)
		offload_join_add(j, slots + i * (FRONT + len) + FRONT, len);
	offload_join_flush(j);
}

static void measure(const struct work *w, unsigned long rounds, bool json)
{
	static struct offload_join j;
	const struct offload_sink sink = { count_write, NULL };
	const size_t len = make(w);
	uint64_t best_split = UINT64_MAX, best_join = UINT64_MAX;

	offload_join_init(&j, &sink, OFFLOAD_ALL, true);
	writes = 0;
	for (unsigned long round = 0; round < rounds; ++round) {
		uint64_t splitting = 0, joining = 0;

		for (int i = 0; i < REPEAT; ++i) {
			const uint64_t begin = now();

			split(len);
			splitting += now() - begin;
			joining -= now();
			join(&j, w);
			joining += now();
		}
		best_split = splitting < best_split ? splitting : best_split;
		best_join = joining < best_join ? joining : best_join;
	}
	printf(json ? "{\"work\": \"%s\", \"split_ns\": %.1f, \"join_ns\": %.1f, \"per_write\": "
		      "%.1f}\n"
		    : "%-24s%10.1f%10.1f%16.1f\n",
	       w->name, (double)best_split / (double)(REPEAT * w->packets),
	       (double)best_join / (double)(REPEAT * w->packets),
	       (double)(rounds * REPEAT * w->packets) / (double)writes);
}

int main(int argc, char **argv)
{
	static const struct work works[] = {
		{ "TCP 1420", OFFLOAD_PROTO_TCP, 1380, 47 },
		{ "UDP 1420", OFFLOAD_PROTO_UDP, 1392, 47 },
		{ "UDP 64 of payload", OFFLOAD_PROTO_UDP, 64, 64 },
	};
	const bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	const unsigned long said = argc > 1 + json ? strtoul(argv[1 + json], NULL, 10) : 0;

	if (json)
		puts("[");
	else
		printf("%-24s%10s%10s%16s\n", "ns per packet", "split", "join", "packets a write");
	for (size_t i = 0; i < ELEMENTS(works); ++i) {
		if (json && i)
			putchar(',');
		measure(&works[i], said ? said : ROUNDS, json);
	}
	if (json)
		puts("]");
	return 0;
}
