#include "device/offload_split.h"

#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "guarded.h"
#include "packets.h"
#include "support.h"

enum { FIN = 1, PSH = 8, ECE = 0x40, CWR = 0x80, ROUNDS = 600 };

static_assert(sizeof(struct virtio_net_hdr) == OFFLOAD_HEADER);
static_assert(offsetof(struct virtio_net_hdr, hdr_len) == offsetof(struct offload_header, header));
static_assert(offsetof(struct virtio_net_hdr, gso_size) == offsetof(struct offload_header, size));
static_assert(offsetof(struct virtio_net_hdr, csum_start) ==
	      offsetof(struct offload_header, start));
static_assert(offsetof(struct virtio_net_hdr, csum_offset) ==
	      offsetof(struct offload_header, offset));
static_assert(VIRTIO_NET_HDR_F_NEEDS_CSUM == (int)OFFLOAD_NEEDS_CSUM);
static_assert(VIRTIO_NET_HDR_GSO_NONE == (int)OFFLOAD_GSO_NONE);
static_assert(VIRTIO_NET_HDR_GSO_TCPV4 == (int)OFFLOAD_GSO_TCPV4);
static_assert(VIRTIO_NET_HDR_GSO_TCPV6 == (int)OFFLOAD_GSO_TCPV6);
static_assert(VIRTIO_NET_HDR_GSO_ECN == (int)OFFLOAD_GSO_ECN);
static_assert((int)OFFLOAD_GSO_UDP_L4 == 5); /* younger than the headers of Debian 12 may be */

static uint8_t packet[PACKET_ROOM], original[PACKET_ROOM], out[PACKET_ROOM];
static uint8_t header[OFFLOAD_HEADER];
static struct packet_list want;

/* Ours against the slow one. */
static void check_split(size_t len)
{
	struct offload_split s;
	size_t got, wanted;

	want.count = want.used = 0;
	packet_list_split(&want, header, packet, len);
	memcpy(original, packet, len);
	assert_true(offload_split_begin(&s, header, packet, len));
	assert_int_equal(s.count, want.count);
	for (size_t i = 0; i < want.count; ++i) {
		const uint8_t *const p = packet_list_at(&want, i, &wanted);

		memset(out, 0xa5, s.size + 1);
		got = offload_split_next(&s, out);
		assert_int_equal(got, i + 1 < s.count ? s.size : s.last);
		assert_int_equal(got, wanted);
		assert_memory_equal(out, p, got);
		assert_true(packet_is_right(out, got));
		assert_int_equal(out[s.size], 0xa5);
	}
	assert_memory_equal(original, packet, len);
}

static size_t make_super(const struct packet_spec *spec, size_t size)
{
	const size_t len = packet_build(spec, packet);

	packet_unfinish(packet, len);
	packet_header(packet, size, header);
	return len;
}

static void super_packets_of_every_kind(void **state)
{
	static const struct {
		struct packet_spec spec;
		size_t size;
		size_t count;
		size_t last;
	} rows[] = {
		{ { .kind = OFFLOAD_TCP4, .payload = 3000 }, 1380, 3, 40 + 240 },
		{ { .kind = OFFLOAD_TCP4, .payload = 2760 }, 1380, 2, 40 + 1380 },
		{ { .kind = OFFLOAD_TCP4, .payload = 1 }, 1380, 1, 41 },
		{ { .kind = OFFLOAD_TCP4, .payload = 1380 }, 1380, 1, 40 + 1380 },
		{ { .kind = OFFLOAD_TCP4, .payload = 1381 }, 1380, 2, 41 },
		{ { .kind = OFFLOAD_TCP4, .payload = 65495 }, 1368, 48, 40 + 1199 },
		{ { .kind = OFFLOAD_TCP4, .payload = 60000, .options = 12 }, 1368, 44, 52 + 1176 },
		{ { .kind = OFFLOAD_TCP4, .payload = 700, .options = 40 }, 8, 88, 80 + 4 },
		{ { .kind = OFFLOAD_TCP4, .payload = 99, .between = 40 }, 10, 10, 80 + 9 },
		{ { .kind = OFFLOAD_TCP4, .payload = 99, .flags = FIN | PSH }, 10, 10, 40 + 9 },
		{ { .kind = OFFLOAD_TCP4, .payload = 99, .flags = CWR | ECE }, 10, 10, 40 + 9 },
		{ { .kind = OFFLOAD_TCP4, .payload = 9, .flags = CWR | PSH | FIN }, 10, 1, 49 },
		{ { .kind = OFFLOAD_TCP4, .payload = 99, .id = 0xfffa }, 10, 10, 40 + 9 },
		{ { .kind = OFFLOAD_TCP4, .payload = 99, .seq = 0xfffffff0 }, 10, 10, 40 + 9 },
		{ { .kind = OFFLOAD_TCP4, .payload = 65495 }, 8, 8187, 40 + 7 },
		{ { .kind = OFFLOAD_TCP6, .payload = 3000, .options = 12 }, 1348, 3, 72 + 304 },
		{ { .kind = OFFLOAD_TCP6, .payload = 99, .flags = 0xff & ~4 }, 33, 3, 60 + 33 },
		{ { .kind = OFFLOAD_TCP6, .payload = 99, .between = 8 }, 50, 2, 68 + 49 },
		{ { .kind = OFFLOAD_TCP6, .payload = 99, .between = 264 }, 50, 2, 324 + 49 },
		{ { .kind = OFFLOAD_UDP4, .payload = 3000 }, 1392, 3, 28 + 216 },
		{ { .kind = OFFLOAD_UDP4, .payload = 64 }, 1, 64, 29 },
		{ { .kind = OFFLOAD_UDP4, .payload = 64, .between = 4 }, 32, 2, 32 + 32 },
		{ { .kind = OFFLOAD_UDP6, .payload = 3000 }, 1372, 3, 48 + 256 },
		{ { .kind = OFFLOAD_UDP6, .payload = 99, .between = 16 }, 98, 2, 65 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const size_t len = make_super(&rows[i].spec, rows[i].size);
		struct offload_split s;

		assert_true(offload_split_begin(&s, header, packet, len));
		assert_int_equal(s.kind, rows[i].spec.kind);
		assert_int_equal(s.count, rows[i].count);
		assert_int_equal(s.last, rows[i].last);
		assert_int_equal(s.size,
				 s.count == 1 ? s.last : packet_headers(packet) + rows[i].size);
		check_split(len);
	}
}

static struct packet_spec random_spec(uint64_t *seed)
{
	struct packet_spec s = { .kind = (enum offload_kind)(1 << test_random_below(seed, 4)),
				 .host = (uint8_t)test_random(seed),
				 .port = (uint16_t)test_random(seed),
				 .id = (uint16_t)test_random(seed),
				 .seq = (uint32_t)test_random(seed),
				 .flags = (uint8_t)test_random(seed),
				 .options = 4 * test_random_below(seed, 11),
				 .between = 8 * test_random_below(seed, 6),
				 .fill = (uint8_t)test_random(seed) };

	s.payload = 1 + test_random_below(seed, test_random_below(seed, 20) ? 3000 : 65000);
	return s;
}

static void random_ones_as_the_slow_splitter(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (int i = 0; i < ROUNDS; ++i) {
		const struct packet_spec spec = random_spec(&seed);
		const size_t size = 8 + test_random_below(&seed, spec.payload > 3000 ? 1400 : 200);

		check_split(make_super(&spec, size));
	}
}

/* The checksum of the second of two segments with this word first in it. */
static uint16_t second_checksum(const struct packet_spec *spec, uint16_t word)
{
	struct offload_split s;
	size_t len = packet_build(spec, packet);

	store16_be(packet + packet_headers(packet) + 10, word);
	packet_unfinish(packet, len);
	packet_header(packet, 10, header);
	assert_true(offload_split_begin(&s, header, packet, len));
	(void)offload_split_next(&s, out);
	len = offload_split_next(&s, out);
	assert_true(packet_is_right(out, len));
	return load16_be(out + packet_field(out));
}

/* UDP: 0 would say that there is no checksum; TCP: 0 is what everybody sends. */
static void a_checksum_of_zero(void **state)
{
	static const struct {
		enum offload_kind kind;
		uint16_t wanted;
	} rows[] = {
		{ OFFLOAD_TCP4, 0 },
		{ OFFLOAD_TCP6, 0 },
		{ OFFLOAD_UDP4, 0xffff },
		{ OFFLOAD_UDP6, 0xffff },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const struct packet_spec spec = { .kind = rows[i].kind, .payload = 20 };
		const uint16_t word = second_checksum(&spec, 0);

		assert_int_not_equal(word, 0);
		assert_int_equal(second_checksum(&spec, word), rows[i].wanted);
	}
}

/* With a routing header the sum is over the last address, which stands elsewhere: what the kernel
 * has put into the field counts. */
static void the_pseudo_header_is_the_kernels(void **state)
{
	const struct packet_spec spec = { .kind = OFFLOAD_TCP6, .payload = 2000, .between = 24 };
	const size_t len = make_super(&spec, 900);
	struct offload_split s;

	(void)state;
	packet[6] = 43;
	packet[39] = 1; /* the next hop; the one summed was 0 */
	assert_true(offload_split_begin(&s, header, packet, len));
	for (size_t i = 0; i < s.count; ++i) {
		const size_t got = offload_split_next(&s, out);

		out[6] = 60;
		out[39] = 0;
		assert_true(packet_is_right(out, got));
	}
}

static void plain_packets_pass(void **state)
{
	uint64_t seed = 4;
	struct offload_split s;

	(void)state;
	memset(header, 0, sizeof(header));
	for (size_t len = 0; len < 3000; ++len) {
		test_random_fill(&seed, packet, len);
		header[0] = len % 2 ? 0 : 0xfe; /* flags that are not ours */
		memset(out, 0xa5, len + 1);
		assert_true(offload_split_begin(&s, header, packet, len));
		assert_true(s.kind == OFFLOAD_PLAIN && s.count == 1);
		assert_true(s.size == len && s.last == len);
		assert_int_equal(offload_split_next(&s, out), len);
		assert_memory_equal(out, packet, len);
		assert_int_equal(out[len], 0xa5);
	}
}

static void an_unfinished_checksum_is_finished(void **state)
{
	static uint8_t finished[PACKET_ROOM];
	uint64_t seed = 5;

	(void)state;
	for (int i = 0; i < ROUNDS; ++i) {
		const struct packet_spec spec = random_spec(&seed);
		const size_t len = packet_build(&spec, finished);
		struct offload_split s;

		memcpy(packet, finished, len);
		packet_unfinish(packet, len);
		packet_header(packet, 0, header);
		header[1] = 0;
		memset(out, 0xa5, len + 1);
		assert_true(offload_split_begin(&s, header, packet, len));
		assert_true(s.count == 1 && s.size == len && s.last == len);
		assert_int_equal(offload_split_next(&s, out), len);
		assert_true(packet_is_right(out, len));
		assert_true(packet_is_same(finished, len, out, len));
		assert_int_equal(out[len], 0xa5);
	}
}

/* 0 goes out as 0xffff: a protocol for which 0 means none may stand here. */
static void an_unfinished_checksum_of_zero(void **state)
{
	const struct packet_spec spec = { .kind = OFFLOAD_UDP4, .payload = 20 };
	const size_t len = packet_build(&spec, packet), field = packet_field(packet);
	struct offload_split s;

	(void)state;
	store16_be(packet + len - 2, 0);
	packet_finish(packet, len);
	memcpy(packet + len - 2, packet + field, 2);
	packet_unfinish(packet, len);
	packet_header(packet, 0, header);
	header[1] = 0;
	assert_true(offload_split_begin(&s, header, packet, len));
	assert_int_equal(offload_split_next(&s, out), len);
	assert_int_equal(load16_be(out + field), 0xffff);
}

enum part { FLAGS, TYPE, HINT, SIZE, START, OFFSET, BYTE };

static void patch(enum part part, size_t at, uint16_t value)
{
	struct offload_header h;

	memcpy(&h, header, sizeof(h));
	switch (part) {
	case FLAGS:
		h.flags = (uint8_t)value;
		break;
	case TYPE:
		h.type = (uint8_t)value;
		break;
	case HINT:
		h.header = value;
		break;
	case SIZE:
		h.size = value;
		break;
	case START:
		h.start = value;
		break;
	case OFFSET:
		h.offset = value;
		break;
	case BYTE:
		packet[at] = (uint8_t)value;
		break;
	}
	memcpy(header, &h, sizeof(h));
}

/* One thing of a good super-packet of 1000 bytes payload changed. */
static void contradictions_are_refused(void **state)
{
	static const struct {
		enum offload_kind kind;
		size_t between;
		enum part part;
		size_t at;
		uint16_t value;
		bool good;
	} rows[] = {
		{ OFFLOAD_TCP4, 0, HINT, 0, 0, true },
		{ OFFLOAD_TCP4, 0, HINT, 0, 65535, true },
		{ OFFLOAD_TCP4, 0, FLAGS, 0, 0, false },
		{ OFFLOAD_TCP4, 0, FLAGS, 0, 2, false },
		{ OFFLOAD_TCP4, 0, FLAGS, 0, 3, true },
		{ OFFLOAD_TCP4, 0, TYPE, 0, 4, false }, /* another IP version */
		{ OFFLOAD_TCP6, 0, TYPE, 0, 1, false },
		{ OFFLOAD_TCP4, 0, TYPE, 0, 0x81, true }, /* ECN */
		{ OFFLOAD_TCP6, 0, TYPE, 0, 0x84, true },
		{ OFFLOAD_TCP6, 0, TYPE, 0, 0x81, false },
		{ OFFLOAD_TCP4, 0, TYPE, 0, 0x84, false },
		{ OFFLOAD_UDP4, 0, TYPE, 0, 0x85, false }, /* ECN is TCP's */
		{ OFFLOAD_TCP4, 0, TYPE, 0, 0x80, false },
		{ OFFLOAD_UDP4, 0, TYPE, 0, 3, false }, /* UFO */
		{ OFFLOAD_TCP4, 0, TYPE, 0, 2, false },
		{ OFFLOAD_TCP4, 0, TYPE, 0, 6, false },
		{ OFFLOAD_TCP4, 0, TYPE, 0, 0xff, false },
		{ OFFLOAD_TCP4, 0, TYPE, 0, 5, false }, /* TCP as UDP */
		{ OFFLOAD_UDP4, 0, TYPE, 0, 1, false },
		{ OFFLOAD_TCP4, 0, SIZE, 0, 0, false },
		{ OFFLOAD_TCP4, 0, SIZE, 0, 65535, true },
		{ OFFLOAD_TCP4, 0, START, 0, 0, false },
		{ OFFLOAD_TCP4, 0, START, 0, 16, false },
		{ OFFLOAD_TCP4, 0, START, 0, 24, false },
		{ OFFLOAD_TCP4, 0, START, 0, 65535, false },
		{ OFFLOAD_TCP4, 8, START, 0, 20, false },
		{ OFFLOAD_TCP6, 0, START, 0, 20, false },
		{ OFFLOAD_TCP6, 0, START, 0, 48, false },
		{ OFFLOAD_TCP6, 16, START, 0, 48, false },
		{ OFFLOAD_TCP6, 16, START, 0, 40, false },
		{ OFFLOAD_TCP6, 16, START, 0, 57, false },
		{ OFFLOAD_TCP4, 0, OFFSET, 0, 6, false },
		{ OFFLOAD_UDP4, 0, OFFSET, 0, 16, false },
		{ OFFLOAD_TCP4, 0, OFFSET, 0, 65535, false },
		{ OFFLOAD_TCP4, 0, BYTE, 0, 0x46, false }, /* header length */
		{ OFFLOAD_TCP4, 0, BYTE, 0, 0x44, false },
		{ OFFLOAD_TCP4, 0, BYTE, 0, 0x55, false }, /* version */
		{ OFFLOAD_UDP4, 0, BYTE, 0, 0x65, false },
		{ OFFLOAD_UDP6, 0, BYTE, 0, 0x50, false },
		{ OFFLOAD_TCP4, 0, BYTE, 6, 0x20, false }, /* fragments */
		{ OFFLOAD_TCP4, 0, BYTE, 6, 0x10, false },
		{ OFFLOAD_TCP4, 0, BYTE, 7, 1, false },
		{ OFFLOAD_TCP4, 0, BYTE, 6, 0, true },   /* no DF */
		{ OFFLOAD_TCP4, 0, BYTE, 9, 17, false }, /* protocol */
		{ OFFLOAD_UDP4, 0, BYTE, 9, 6, false },
		{ OFFLOAD_TCP6, 0, BYTE, 6, 17, false },
		{ OFFLOAD_TCP6, 8, BYTE, 40, 17, false },
		{ OFFLOAD_TCP6, 8, BYTE, 6, 44, false }, /* fragment header */
		{ OFFLOAD_TCP6, 8, BYTE, 6, 0, true },   /* hop by hop */
		{ OFFLOAD_TCP6, 8, BYTE, 6, 43, true },  /* routing */
		{ OFFLOAD_TCP6, 8, BYTE, 6, 6, false },
		{ OFFLOAD_TCP6, 8, BYTE, 40, 60, false }, /* goes on */
		{ OFFLOAD_TCP6, 8, BYTE, 41, 1, false },
		{ OFFLOAD_TCP6, 8, BYTE, 41, 255, false },
		{ OFFLOAD_TCP4, 0, BYTE, 32, 0x40, false }, /* TCP header length */
		{ OFFLOAD_TCP4, 0, BYTE, 32, 0x60, true },
		{ OFFLOAD_TCP4, 0, BYTE, 2, 0, true }, /* lengths are written, not read */
		{ OFFLOAD_UDP6, 0, BYTE, 44, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const struct packet_spec spec = { .kind = rows[i].kind,
						  .payload = 1000,
						  .between = rows[i].between };
		const size_t len = make_super(&spec, 100);
		struct offload_split s;

		patch(rows[i].part, rows[i].at, rows[i].value);
		if (offload_split_begin(&s, header, packet, len) != rows[i].good)
			fail_msg("row %zu", i);
	}
}

/* Every length of a super-packet: refused until the first payload byte is there. */
static void cut_packets_are_refused(void **state)
{
	static const struct packet_spec specs[] = {
		{ .kind = OFFLOAD_TCP4, .payload = 40, .options = 12 },
		{ .kind = OFFLOAD_TCP6, .payload = 40, .between = 8 },
		{ .kind = OFFLOAD_UDP4, .payload = 40, .between = 8 },
		{ .kind = OFFLOAD_UDP6, .payload = 40 },
	};
	struct offload_split s;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(specs); ++i) {
		const size_t whole = make_super(&specs[i], 10);

		for (size_t len = 0; len <= whole; ++len) {
			uint8_t *const place = test_guarded(len);

			memcpy(place, packet, len);
			assert_int_equal(offload_split_begin(&s, header, place, len),
					 len > packet_headers(packet));
		}
	}
}

/* An extension header longer than the packet. */
static void extension_headers_end_before_start(void **state)
{
	const struct packet_spec spec = { .kind = OFFLOAD_TCP6, .payload = 40, .between = 8 };
	const size_t len = make_super(&spec, 10);
	uint8_t *const place = test_guarded(len);
	struct offload_split s;

	(void)state;
	for (uint16_t longer = 1; longer < 256; ++longer) {
		memcpy(place, packet, len);
		place[40] = 60;
		place[41] = (uint8_t)longer;
		assert_false(offload_split_begin(&s, header, place, len));
	}
}

static void limits(void **state)
{
	const struct packet_spec spec = { .kind = OFFLOAD_UDP4, .payload = 8192 };
	const struct packet_spec more = { .kind = OFFLOAD_UDP4, .payload = 8193 };
	struct offload_split s;
	size_t len = make_super(&spec, 1);

	(void)state;
	assert_true(offload_split_begin(&s, header, packet, len));
	assert_int_equal(s.count, OFFLOAD_SEGMENTS);
	len = make_super(&more, 1);
	assert_false(offload_split_begin(&s, header, packet, len));
	assert_true(offload_split_begin(&s, (const uint8_t[OFFLOAD_HEADER]){ 0 }, packet, 65535));
	assert_false(offload_split_begin(&s, (const uint8_t[OFFLOAD_HEADER]){ 0 }, packet, 65536));
}

/* Where an unfinished checksum of a plain packet may stand. */
static void a_checksum_has_a_place_behind_the_ip_header(void **state)
{
	static const struct {
		uint8_t first;
		size_t len;
		uint16_t start;
		uint16_t offset;
		bool good;
	} rows[] = {
		{ 0x45, 60, 20, 16, true },     { 0x45, 60, 20, 0, true },
		{ 0x45, 60, 19, 16, false },    { 0x46, 60, 20, 16, false },
		{ 0x46, 60, 24, 16, true },     { 0x44, 60, 20, 16, false },
		{ 0x4f, 59, 60, 0, false },     { 0x45, 60, 58, 0, true },
		{ 0x45, 60, 59, 0, false },     { 0x45, 60, 20, 38, true },
		{ 0x45, 60, 20, 39, false },    { 0x45, 60, 65535, 65535, false },
		{ 0x45, 60, 20, 65535, false }, { 0x60, 60, 40, 6, true },
		{ 0x60, 60, 39, 6, false },     { 0x60, 39, 20, 6, false },
		{ 0x50, 60, 40, 6, false },     { 0x45, 0, 0, 0, false },
	};
	struct offload_split s;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const struct offload_header h = { .flags = 1,
						  .start = rows[i].start,
						  .offset = rows[i].offset };
		uint8_t *const place = test_guarded(rows[i].len);

		memset(place, rows[i].first, rows[i].len);
		memcpy(header, &h, sizeof(h));
		if (offload_split_begin(&s, header, place, rows[i].len) != rows[i].good)
			fail_msg("row %zu", i);
	}
}

/* Anything at all: no crash, nothing read or written beyond, lengths as promised. */
static void random_bytes(void **state)
{
	uint64_t seed = 6;
	size_t good = 0;

	(void)state;
	for (int i = 0; i < 20 * ROUNDS; ++i) {
		struct packet_spec spec = random_spec(&seed);
		struct offload_split s;
		size_t len;
		uint8_t *place;

		spec.payload = 1 + test_random_below(&seed, 400);
		len = make_super(&spec, 8 + test_random_below(&seed, 100));
		for (uint64_t n = test_random_below(&seed, 4); n > 0; --n)
			packet[test_random_below(&seed, 100)] = (uint8_t)test_random(&seed);
		for (uint64_t n = test_random_below(&seed, 3); n > 0; --n)
			header[test_random_below(&seed, 10)] =
				(uint8_t)test_random_below(&seed, 90);
		len -= test_random_below(&seed, 2) ? test_random_below(&seed, len) : 0;
		place = test_guarded(len);
		memcpy(place, packet, len);
		if (!offload_split_begin(&s, header, place, len))
			continue;
		++good;
		assert_true(s.size <= len && s.last <= s.size && s.count <= len);
		for (size_t n = 0; n < s.count; ++n) {
			out[s.size] = 0xa5;
			assert_int_equal(offload_split_next(&s, out),
					 n + 1 < s.count ? s.size : s.last);
			assert_int_equal(out[s.size], 0xa5);
		}
	}
	assert_true(good > ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(super_packets_of_every_kind),
		cmocka_unit_test(random_ones_as_the_slow_splitter),
		cmocka_unit_test(a_checksum_of_zero),
		cmocka_unit_test(the_pseudo_header_is_the_kernels),
		cmocka_unit_test(plain_packets_pass),
		cmocka_unit_test(an_unfinished_checksum_is_finished),
		cmocka_unit_test(an_unfinished_checksum_of_zero),
		cmocka_unit_test(contradictions_are_refused),
		cmocka_unit_test(cut_packets_are_refused),
		cmocka_unit_test(extension_headers_end_before_start),
		cmocka_unit_test(limits),
		cmocka_unit_test(a_checksum_has_a_place_behind_the_ip_header),
		cmocka_unit_test(random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
