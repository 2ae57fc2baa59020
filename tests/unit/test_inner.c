#include "wg/inner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

/* What the header says, and how many bytes there are. */
static const struct {
	uint8_t first; /* version and, for version 4, header length in words */
	uint16_t says; /* total length of version 4, payload length of version 6 */
	size_t len;
	enum inner_error expect;
	size_t true_len;
} rows[] = {
	{ 0x45, 20, 20, INNER_OK, 20 },
	{ 0x45, 20, 1500, INNER_OK, 20 },
	{ 0x45, 84, 96, INNER_OK, 84 },
	{ 0x45, 96, 96, INNER_OK, 96 },
	{ 0x45, 97, 96, INNER_BAD_LENGTH, 0 },
	{ 0x45, 65535, 96, INNER_BAD_LENGTH, 0 },
	{ 0x45, 19, 96, INNER_BAD_LENGTH, 0 },
	{ 0x45, 0, 96, INNER_BAD_LENGTH, 0 },
	{ 0x45, 20, 19, INNER_BAD_LENGTH, 0 },
	{ 0x44, 40, 40, INNER_BAD_LENGTH, 0 },
	{ 0x40, 40, 40, INNER_BAD_LENGTH, 0 },
	{ 0x46, 24, 24, INNER_OK, 24 },
	{ 0x46, 23, 24, INNER_BAD_LENGTH, 0 },
	{ 0x4f, 60, 64, INNER_OK, 60 },
	{ 0x4f, 59, 64, INNER_BAD_LENGTH, 0 },
	{ 0x4f, 60, 59, INNER_BAD_LENGTH, 0 },
	{ 0x60, 0, 40, INNER_OK, 40 },
	{ 0x60, 0, 39, INNER_BAD_LENGTH, 0 },
	{ 0x60, 1, 40, INNER_BAD_LENGTH, 0 },
	{ 0x60, 8, 48, INNER_OK, 48 },
	{ 0x60, 8, 64, INNER_OK, 48 },
	{ 0x6f, 65495, 65535, INNER_OK, 65535 },
	{ 0x60, 65535, 65535, INNER_BAD_LENGTH, 0 },
	{ 0x60, 65535, 65575, INNER_OK, 65575 },
	{ 0x00, 0, 64, INNER_BAD_VERSION, 0 },
	{ 0x55, 20, 64, INNER_BAD_VERSION, 0 },
	{ 0x75, 20, 64, INNER_BAD_VERSION, 0 },
	{ 0xf5, 20, 1, INNER_BAD_VERSION, 0 },
};

static void write_header(uint8_t *packet, size_t len, uint8_t first, uint16_t says)
{
	const size_t at = first >> 4 == 4 ? 2 : 4;
	uint8_t bytes[2];

	store16_be(bytes, says);
	if (len > 0)
		packet[0] = first;
	for (size_t i = 0; i < 2; ++i) {
		if (at + i < len)
			packet[at + i] = bytes[i];
	}
}

static void length_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		uint8_t *packet = calloc(1, rows[i].len);
		struct inner in = { .len = 12345 };

		assert_non_null(packet);
		write_header(packet, rows[i].len, rows[i].first, rows[i].says);
		assert_int_equal(inner_parse(packet, rows[i].len, &in), rows[i].expect);
		assert_int_equal(in.len, rows[i].expect == INNER_OK ? rows[i].true_len : 12345);
		free(packet);
	}
}

static void fields_of_both_versions(void **state)
{
	uint8_t v4[28], v6[40];
	struct ip none = { 0 };
	struct inner in;

	(void)state;
	test_from_hex("45b9001c00000000401100000a0102c3fffefdfc0102030405060708", v4, 28);
	assert_int_equal(inner_parse(v4, 28, &in), INNER_OK);
	assert_int_equal(in.len, 28);
	assert_int_equal(in.tos, 0xb9);
	assert_int_equal(in.src.family, FAMILY_V4);
	assert_int_equal(in.dst.family, FAMILY_V4);
	assert_memory_equal(in.src.bytes, v4 + 12, 4);
	assert_memory_equal(in.dst.bytes, v4 + 16, 4);
	assert_memory_equal(in.src.bytes + 4, none.bytes, 12);
	assert_memory_equal(in.dst.bytes + 4, none.bytes, 12);

	test_from_hex("6b91234500003b4020010db8000000000000000000000001"
		      "fe80000000000000abcdef0123456789",
		      v6, 40);
	assert_int_equal(inner_parse(v6, 40, &in), INNER_OK);
	assert_int_equal(in.len, 40);
	assert_int_equal(in.tos, 0xb9);
	assert_int_equal(in.src.family, FAMILY_V6);
	assert_int_equal(in.dst.family, FAMILY_V6);
	assert_memory_equal(in.src.bytes, v6 + 8, 16);
	assert_memory_equal(in.dst.bytes, v6 + 24, 16);
}

static const struct {
	const char *packet;
	uint16_t src, dst;
} port_rows[] = {
	{ "4500001c00000000401100000a0102c3fffefdfcca6cca6d00080000", 0xca6c, 0xca6d },
	/* the first fragment has the ports, a later one has payload there */
	{ "4500001c00002000401100000a0102c3fffefdfcca6cca6d00080000", 0xca6c, 0xca6d },
	{ "4500001c00000001401100000a0102c3fffefdfcca6cca6d00080000", 0, 0 },
	/* TCP, cut off behind the source port, options before the ports */
	{ "4500001c00000000400600000a0102c3fffefdfcca6cca6d00080000", 0, 0 },
	{ "4500001600000000401100000a0102c3fffefdfcca6c", 0, 0 },
	{ "4600001c00000000401100000a0102c3fffefdfc01010101ca6cca6d", 0xca6c, 0xca6d },
	{ "6000000000041140fe800000000000000000000000000001fe8000000000000000000000000000020035003"
	  "6",
	  0x35, 0x36 },
	{ "6000000000042c40fe800000000000000000000000000001fe8000000000000000000000000000020035003"
	  "6",
	  0, 0 },
};

static void udp_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(port_rows); ++i) {
		const size_t len = strlen(port_rows[i].packet) / 2;
		uint8_t packet[64];
		struct inner in;

		test_from_hex(port_rows[i].packet, packet, len);
		assert_int_equal(inner_parse(packet, len, &in), INNER_OK);
		assert_int_equal(in.udp_src, port_rows[i].src);
		assert_int_equal(in.udp_dst, port_rows[i].dst);
	}
}

/* The rules once more, in the order in which a person would check them. */
static enum inner_error naive_parse(const uint8_t *p, size_t len, size_t *ret_len)
{
	if (len > 0 && p[0] / 16 != 4 && p[0] / 16 != 6)
		return INNER_BAD_VERSION;
	if (len < 20 || (p[0] / 16 == 6 && len < 40))
		return INNER_BAD_LENGTH;
	if (p[0] / 16 == 6)
		*ret_len = 40 + 256 * (size_t)p[4] + p[5];
	else
		*ret_len = 256 * (size_t)p[2] + p[3];
	if (p[0] / 16 == 4 && (p[0] % 16 < 5 || *ret_len < 4 * (size_t)(p[0] % 16)))
		return INNER_BAD_LENGTH;
	return *ret_len > len ? INNER_BAD_LENGTH : INNER_OK;
}

static void try_lie(uint64_t *seed, size_t len, uint8_t first, uint16_t says)
{
	uint8_t *packet = malloc(len);
	struct inner in = { 0 };
	enum inner_error expect;
	size_t true_len = 0;

	assert_true(packet || len == 0);
	test_random_fill(seed, packet, len);
	write_header(packet, len, first, says);
	expect = naive_parse(packet, len, &true_len);
	assert_int_equal(inner_parse(packet, len, &in), expect);
	if (expect == INNER_OK) {
		assert_int_equal(in.len, true_len);
		inner_ecn_decapsulate(packet, 3);
	}
	free(packet);
}

/* All lengths 0..64, all first bytes, with headers that lie by little and by much. */
static void fa5_inner_lengths_and_versions(void **state)
{
	static const uint16_t lies[] = { 0,  1,  7,  8,  15, 16, 19, 20, 21,    23,   24,
					 25, 39, 40, 41, 59, 60, 61, 64, 65495, 65535 };
	uint64_t seed = 5;

	(void)state;
	for (size_t len = 0; len <= 64; ++len) {
		for (unsigned int first = 0; first < 256; ++first) {
			for (size_t i = 0; i < ELEMENTS(lies); ++i)
				try_lie(&seed, len, (uint8_t)first, lies[i]);
			try_lie(&seed, len, (uint8_t)first, (uint16_t)len);
			try_lie(&seed, len, (uint8_t)first, (uint16_t)(len + 1));
			try_lie(&seed, len, (uint8_t)first, (uint16_t)(len - 40));
			try_lie(&seed, len, (uint8_t)first, (uint16_t)(len - 39));
		}
	}
}

static const struct {
	size_t len;
	size_t mtu;
	size_t padded;
} pad_rows[] = {
	{ 0, 1420, 0 },       { 1, 1420, 16 },      { 15, 1420, 16 },     { 16, 1420, 16 },
	{ 17, 1420, 32 },     { 1408, 1420, 1408 }, { 1409, 1420, 1420 }, { 1419, 1420, 1420 },
	{ 1420, 1420, 1420 }, { 1421, 1420, 1436 }, { 2840, 1420, 2840 }, { 2841, 1420, 2856 },
	{ 2839, 1420, 2840 }, { 1, 0, 16 },         { 1500, 0, 1504 },    { 0, 0, 0 },
	{ 65519, 0, 65520 },  { 5, 7, 7 },          { 7, 7, 7 },          { 8, 7, 14 },
	{ 20, 1, 20 },        { 576, 576, 576 },    { 570, 576, 576 },
};

static void fa9_padding_never_beyond_mtu(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(pad_rows); ++i)
		assert_int_equal(inner_padded(pad_rows[i].len, pad_rows[i].mtu),
				 pad_rows[i].padded);
	for (size_t mtu = 0; mtu < 1600; mtu += mtu < 100 ? 1 : 37) {
		for (size_t len = 0; len < 3000; ++len) {
			const size_t padded = inner_padded(len, mtu);

			assert_true(padded >= len && padded - len < 16);
			assert_true(padded % 16 == 0 || (mtu && padded % mtu == 0) || len > mtu);
			assert_true(!mtu || len > mtu || padded <= mtu);
		}
	}
}

static void ecn_encapsulate_rows(void **state)
{
	(void)state;
	for (unsigned int tos = 0; tos < 256; ++tos) {
		const uint8_t expect[] = { 0, 1, 2, 2 };

		assert_int_equal(inner_ecn_encapsulate((uint8_t)tos), expect[tos % 4]);
	}
}

/* Inner and outer ECN: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
static const uint8_t ecn_after[4][4] = {
	{ 0, 0, 0, 0 },
	{ 1, 1, 1, 3 },
	{ 2, 1, 2, 3 },
	{ 3, 3, 3, 3 },
};

/* RFC 791: the ones' complement sum over all words of the header, its checksum counted, is all
 * ones. */
static bool checksum_is_right(const uint8_t *packet)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 4 * (size_t)(packet[0] & 15); i += 2)
		sum += load16_be(packet + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void set_checksum(uint8_t *packet)
{
	uint32_t sum = 0;

	store16_be(packet + 10, 0);
	for (size_t i = 0; i < 4 * (size_t)(packet[0] & 15); i += 2)
		sum += load16_be(packet + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	store16_be(packet + 10, (uint16_t)~sum);
}

static void check_decapsulate_v4(uint64_t *seed, unsigned int tos, unsigned int outer)
{
	uint8_t packet[24], before[24];

	test_random_fill(seed, packet, sizeof(packet));
	packet[0] = 0x45 + (uint8_t)test_random_below(seed, 2);
	packet[1] = (uint8_t)tos;
	set_checksum(packet);
	memcpy(before, packet, sizeof(packet));
	inner_ecn_decapsulate(packet, (uint8_t)outer);
	assert_true(checksum_is_right(packet));
	assert_int_equal(packet[1], (tos & 0xfc) | ecn_after[tos % 4][outer % 4]);
	if (packet[1] == before[1])
		assert_memory_equal(packet, before, sizeof(packet));
	before[1] = packet[1];
	memcpy(before + 10, packet + 10, 2);
	assert_memory_equal(packet, before, sizeof(packet));
}

static void check_decapsulate_v6(uint64_t *seed, unsigned int tos, unsigned int outer)
{
	const unsigned int expect = (tos & 0xfc) | ecn_after[tos % 4][outer % 4];
	uint8_t packet[40], before[40];

	test_random_fill(seed, packet, sizeof(packet));
	packet[0] = (uint8_t)(0x60 | tos >> 4);
	packet[1] = (uint8_t)((tos & 15) << 4 | (packet[1] & 15));
	memcpy(before, packet, sizeof(packet));
	inner_ecn_decapsulate(packet, (uint8_t)outer);
	before[1] = (uint8_t)((expect & 15) << 4 | (before[1] & 15));
	assert_memory_equal(packet, before, sizeof(packet));
}

static void ecn_decapsulate_rows(void **state)
{
	uint64_t seed = 6;

	(void)state;
	for (unsigned int tos = 0; tos < 256; ++tos) {
		for (unsigned int outer = 0; outer < 256; outer += outer < 4 ? 1 : 21) {
			for (unsigned int i = 0; i < 20; ++i) {
				check_decapsulate_v4(&seed, tos, outer);
				check_decapsulate_v6(&seed, tos, outer);
			}
		}
	}
}

/* A checksum that was wrong stays as wrong as it was: the damage must not be hidden. */
static void ecn_does_not_mend_a_wrong_checksum(void **state)
{
	uint8_t packet[20] = { 0x45, 2, 0, 20 };

	(void)state;
	set_checksum(packet);
	packet[11] ^= 0x10;
	inner_ecn_decapsulate(packet, 3);
	assert_int_equal(packet[1], 3);
	assert_false(checksum_is_right(packet));
	packet[11] ^= 0x10;
	assert_true(checksum_is_right(packet));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(length_rows),
		cmocka_unit_test(fields_of_both_versions),
		cmocka_unit_test(udp_ports),
		cmocka_unit_test(fa5_inner_lengths_and_versions),
		cmocka_unit_test(fa9_padding_never_beyond_mtu),
		cmocka_unit_test(ecn_encapsulate_rows),
		cmocka_unit_test(ecn_decapsulate_rows),
		cmocka_unit_test(ecn_does_not_mend_a_wrong_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
