#include "device/icmp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "guarded.h"
#include "packets.h"
#include "support.h"

enum { UDP = 17, TCP = 6, ICMP = 1, ICMP6 = 58, ROUNDS = 2000 };

static const uint8_t from4[4] = { 10, 1, 2, 3 }, to4[4] = { 10, 9, 8, 7 };
static const uint8_t from6[16] = { 0xfd, 1, [15] = 2 }, to6[16] = { 0xfd, 2, [15] = 9 };

static void make4(uint8_t *p, size_t len, uint8_t proto)
{
	for (size_t i = 0; i < len; ++i)
		p[i] = (uint8_t)(i * 7);
	p[0] = 0x45;
	store16_be(p + 2, (uint16_t)len);
	store16_be(p + 6, 0);
	p[9] = proto;
	memcpy(p + 12, from4, 4);
	memcpy(p + 16, to4, 4);
}

static void make6(uint8_t *p, size_t len, uint8_t proto)
{
	for (size_t i = 0; i < len; ++i)
		p[i] = (uint8_t)(i * 7);
	p[0] = 0x60;
	store16_be(p + 4, (uint16_t)(len - 40));
	p[6] = proto;
	memcpy(p + 8, from6, 16);
	memcpy(p + 24, to6, 16);
}

static void check4(const uint8_t *packet, const uint8_t *answer, size_t len)
{
	const size_t whole = load16_be(packet + 2);

	assert_int_equal(len, whole + 28 > 576 ? 576 : whole + 28);
	assert_int_equal(answer[0], 0x45);
	assert_int_equal(load16_be(answer + 2), len);
	assert_int_equal(answer[9], ICMP);
	assert_memory_equal(answer + 12, packet + 16, 4);
	assert_memory_equal(answer + 16, packet + 12, 4);
	assert_int_equal(packet_sum(0, answer, 20), 0xffff);
	assert_int_equal(load16_be(answer + 20), 0x0301);
	assert_int_equal(load32_be(answer + 24), 0);
	assert_int_equal(packet_sum(0, answer + 20, len - 20), 0xffff);
	assert_memory_equal(answer + 28, packet, len - 28);
}

static void check6(const uint8_t *packet, const uint8_t *answer, size_t len)
{
	const size_t whole = 40 + (size_t)load16_be(packet + 4);
	uint16_t pseudo;

	assert_int_equal(len, whole + 48 > 1280 ? 1280 : whole + 48);
	assert_int_equal(load32_be(answer), 0x60000000);
	assert_int_equal(load16_be(answer + 4), len - 40);
	assert_int_equal(answer[6], ICMP6);
	assert_memory_equal(answer + 8, packet + 24, 16);
	assert_memory_equal(answer + 24, packet + 8, 16);
	assert_int_equal(load16_be(answer + 40), 0x0103);
	assert_int_equal(load32_be(answer + 44), 0);
	pseudo = packet_sum((uint16_t)(len - 40 + ICMP6), answer + 8, 32);
	assert_int_equal(packet_sum(pseudo, answer + 40, len - 40), 0xffff);
	assert_memory_equal(answer + 48, packet, len - 48);
}

/* Whether an answer was given; one that was is right. */
static bool answers(const uint8_t *packet, size_t len)
{
	uint8_t answer[ICMP_ROOM];
	uint8_t *const place = test_guarded(len);
	size_t got;

	memcpy(place, packet, len);
	memset(answer, 0xa5, sizeof(answer));
	got = icmp_unreachable(place, len, answer);
	if (!got)
		return false;
	if (packet[0] >> 4 == 4)
		check4(packet, answer, got);
	else
		check6(packet, answer, got);
	return true;
}

static void every_length_is_quoted_up_to_the_limit(void **state)
{
	uint8_t p[2000];

	(void)state;
	for (size_t len = 20; len <= sizeof(p); ++len) {
		make4(p, len, UDP);
		assert_true(answers(p, len));
	}
	for (size_t len = 40; len <= sizeof(p); ++len) {
		make6(p, len, TCP);
		assert_true(answers(p, len));
	}
}

static void what_stands_behind_the_packet_is_not_quoted(void **state)
{
	uint8_t p[200];

	(void)state;
	make4(p, sizeof(p), UDP);
	store16_be(p + 2, 100);
	assert_true(answers(p, sizeof(p)));
	make6(p, sizeof(p), UDP);
	store16_be(p + 4, 60);
	assert_true(answers(p, sizeof(p)));
}

static void what_is_no_packet_gets_no_answer(void **state)
{
	uint8_t p[64];

	(void)state;
	make4(p, sizeof(p), UDP);
	assert_false(answers(p, 63));
	store16_be(p + 2, 19);
	assert_false(answers(p, sizeof(p)));
	make4(p, sizeof(p), UDP);
	p[0] = 0x44;
	assert_false(answers(p, sizeof(p)));
	p[0] = 0x4f;
	assert_true(answers(p, sizeof(p)));
	store16_be(p + 2, 59);
	assert_false(answers(p, sizeof(p)));
	make6(p, sizeof(p), UDP);
	assert_false(answers(p, 63));
	for (unsigned int version = 0; version < 16; ++version) {
		make4(p, sizeof(p), UDP);
		p[0] = (uint8_t)(version << 4 | 5);
		if (version != 4 && version != 6)
			assert_false(answers(p, sizeof(p)));
	}
}

static void only_the_first_fragment_gets_one(void **state)
{
	uint8_t p[64];

	(void)state;
	for (unsigned int bits = 0; bits < 0x10000; ++bits) {
		make4(p, sizeof(p), UDP);
		store16_be(p + 6, (uint16_t)bits);
		assert_int_equal(answers(p, sizeof(p)), (bits & 0x1fff) == 0);
		make6(p, sizeof(p), 44);
		p[40] = UDP;
		store16_be(p + 42, (uint16_t)bits);
		assert_int_equal(answers(p, sizeof(p)), bits >> 3 == 0);
	}
}

static void never_about_an_icmp_error(void **state)
{
	static const uint8_t errors4[] = { 3, 4, 5, 11, 12 };
	uint8_t p[64];

	(void)state;
	for (unsigned int type = 0; type < 256; ++type) {
		make4(p, sizeof(p), ICMP);
		p[20] = (uint8_t)type;
		assert_int_equal(answers(p, sizeof(p)),
				 !memchr(errors4, (int)type, sizeof(errors4)));
		make6(p, sizeof(p), ICMP6);
		p[40] = (uint8_t)type;
		assert_int_equal(answers(p, sizeof(p)), type >= 128 && type != 137);
	}
	make4(p, 20, ICMP);
	assert_false(answers(p, 20));
	make6(p, 40, ICMP6);
	assert_false(answers(p, 40));
	make4(p, sizeof(p), ICMP); /* behind options */
	p[0] = 0x46;
	p[20] = 8;
	p[24] = 3;
	assert_false(answers(p, sizeof(p)));
}

static const struct {
	uint8_t ip[4];
	bool host;
} addresses4[] = {
	{ { 0, 0, 0, 0 }, false },    { { 0, 1, 2, 3 }, false },
	{ { 1, 0, 0, 0 }, true },     { { 126, 255, 255, 255 }, true },
	{ { 127, 0, 0, 1 }, false },  { { 128, 0, 0, 1 }, true },
	{ { 169, 254, 1, 1 }, true }, { { 223, 255, 1, 1 }, true },
	{ { 224, 0, 0, 1 }, false },  { { 239, 1, 1, 1 }, false },
	{ { 240, 0, 0, 1 }, false },  { { 255, 255, 255, 255 }, false },
};

static const struct {
	uint8_t ip[16];
	bool host;
} addresses6[] = {
	{ { 0 }, false },
	{ { [15] = 1 }, false },
	{ { [15] = 2 }, true },
	{ { [14] = 1 }, true },
	{ { 0x20, 1 }, true },
	{ { 0xfe, 0x80, [15] = 1 }, true },
	{ { 0xff, 2, [15] = 1 }, false },
	{ { 0xff, 0x0e, [15] = 1 }, false },
};

static void only_between_two_hosts(void **state)
{
	uint8_t p[64];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(addresses4); ++i) {
		make4(p, sizeof(p), UDP);
		memcpy(p + 12, addresses4[i].ip, 4);
		assert_int_equal(answers(p, sizeof(p)), addresses4[i].host);
		make4(p, sizeof(p), UDP);
		memcpy(p + 16, addresses4[i].ip, 4);
		assert_int_equal(answers(p, sizeof(p)), addresses4[i].host);
	}
	for (size_t i = 0; i < ELEMENTS(addresses6); ++i) {
		make6(p, sizeof(p), UDP);
		memcpy(p + 8, addresses6[i].ip, 16);
		assert_int_equal(answers(p, sizeof(p)), addresses6[i].host);
		make6(p, sizeof(p), UDP);
		memcpy(p + 24, addresses6[i].ip, 16);
		assert_int_equal(answers(p, sizeof(p)), addresses6[i].host);
	}
}

/* Next header and length field of each extension, then the ICMPv6 type behind them. */
static const struct {
	struct {
		uint8_t proto;
		uint8_t words;
		uint8_t len;
	} chain[4];
	bool answer_error;
	bool answer_echo;
} chains[] = {
	{ { { 0, 0, 8 } }, false, true },
	{ { { 43, 1, 16 } }, false, true },
	{ { { 60, 2, 24 } }, false, true },
	{ { { 44, 9, 8 } }, false, true },
	{ { { 51, 4, 24 } }, false, true },
	{ { { 51, 1, 12 } }, false, true },
	{ { { 0, 0, 8 }, { 43, 0, 8 }, { 60, 1, 16 }, { 51, 0, 8 } }, false, true },
	{ { { 50, 0, 8 } }, true, true }, /* ESP hides what is behind it */
};

static size_t make_chain(uint8_t *p, size_t row, uint8_t type)
{
	size_t at = 40, before = 6;

	for (size_t i = 0; i < 4 && chains[row].chain[i].len; ++i) {
		memset(p + at, 0, chains[row].chain[i].len);
		p[before] = chains[row].chain[i].proto;
		p[at + 1] = chains[row].chain[i].words;
		before = at;
		at += chains[row].chain[i].len;
	}
	p[before] = ICMP6;
	p[at] = type;
	return at + 1;
}

static void extension_headers_are_followed(void **state)
{
	uint8_t p[200];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(chains); ++i) {
		size_t len;

		make6(p, sizeof(p), 0);
		len = make_chain(p, i, 1);
		assert_int_equal(answers(p, sizeof(p)), chains[i].answer_error);
		(void)make_chain(p, i, 128);
		assert_int_equal(answers(p, sizeof(p)), chains[i].answer_echo);
		store16_be(p + 4, (uint16_t)(len - 40));
		assert_int_equal(answers(p, len), chains[i].answer_echo);
		for (size_t cut = 41; cut < len && !chains[i].answer_error; ++cut) {
			store16_be(p + 4, (uint16_t)(cut - 40));
			assert_false(answers(p, cut));
		}
	}
}

static void random_shape(uint64_t *seed, uint8_t *p, size_t len)
{
	test_random_fill(seed, p, len);
	switch (test_random_below(seed, 4)) {
	case 0:
		return;
	case 1:
		if (len >= 20)
			make4(p, len, (uint8_t)test_random(seed));
		break;
	case 2:
		if (len >= 40)
			make6(p, len, (uint8_t)(test_random(seed) % 64));
		break;
	default:
		if (len)
			p[0] = (uint8_t)(0x40 | (test_random(seed) & 0x2f));
	}
	for (unsigned int i = 0; len && i < 2; ++i)
		p[test_random_below(seed, len)] = (uint8_t)test_random(seed);
}

static void fa7_icmp_for_every_inner_shape(void **state)
{
	uint8_t p[100];
	uint64_t seed = 7;
	size_t given = 0;

	(void)state;
	for (size_t len = 0; len <= sizeof(p); ++len) {
		for (int i = 0; i < ROUNDS; ++i) {
			random_shape(&seed, p, len);
			given += answers(p, len);
		}
	}
	assert_true(given > ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_is_quoted_up_to_the_limit),
		cmocka_unit_test(what_stands_behind_the_packet_is_not_quoted),
		cmocka_unit_test(what_is_no_packet_gets_no_answer),
		cmocka_unit_test(only_the_first_fragment_gets_one),
		cmocka_unit_test(never_about_an_icmp_error),
		cmocka_unit_test(only_between_two_hosts),
		cmocka_unit_test(extension_headers_are_followed),
		cmocka_unit_test(fa7_icmp_for_every_inner_shape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
