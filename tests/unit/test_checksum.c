#include "base/checksum.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guarded.h"
#include "packets.h"
#include "support.h"

enum { MOST = 70000, ROUNDS = 300 };

static uint8_t bytes[MOST], copy[MOST + 2];

static uint16_t ours(uint32_t seed, const uint8_t *p, size_t len)
{
	return (uint16_t)~checksum_fold(checksum_add(seed, p, len));
}

static void check(const uint8_t *p, size_t len)
{
	const uint16_t want = packet_sum(0, p, len);

	memset(copy, 0xa5, len + 2);
	assert_int_equal(ours(0, p, len), want);
	assert_int_equal((uint16_t)~checksum_fold(checksum_copy(0, copy + 1, p, len)), want);
	assert_memory_equal(copy + 1, p, len);
	assert_int_equal(copy[0], 0xa5);
	assert_int_equal(copy[len + 1], 0xa5);
}

static void every_length_and_alignment(void **state)
{
	uint64_t random = 1;

	(void)state;
	test_random_fill(&random, bytes, sizeof(bytes));
	for (size_t len = 0; len < 400; ++len)
		for (size_t at = 0; at < 17; ++at)
			check(bytes + at, len);
	for (size_t i = 0; i < ROUNDS; ++i)
		check(bytes + test_random_below(&random, 64),
		      test_random_below(&random, MOST - 64));
}

/* All carries that there can be; and 0 only for nothing but zeros. */
static void carries(void **state)
{
	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	for (size_t len = 0; len < MOST; len += 97)
		check(bytes, len);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(ours(0, bytes, MOST), 0);
	bytes[MOST - 1] = 1;
	assert_int_equal(ours(0xfffe, bytes, MOST), 0xffff);
	assert_int_equal(ours(0xffff, bytes, MOST), 1);
}

static void runs_and_numbers_add_up(void **state)
{
	uint64_t random = 2;

	(void)state;
	test_random_fill(&random, bytes, sizeof(bytes));
	for (size_t i = 0; i < ROUNDS; ++i) {
		const size_t cut = 2 * test_random_below(&random, 200), len = cut + i;
		const uint16_t seed = (uint16_t)test_random(&random);
		uint32_t sum = checksum_add(seed, bytes, cut);

		sum = checksum_copy(sum, copy, bytes + cut, len - cut);
		assert_int_equal((uint16_t)~checksum_fold(sum), packet_sum(seed, bytes, len));
	}
}

static void no_byte_behind_is_read(void **state)
{
	(void)state;
	for (size_t len = 0; len < 200; ++len) {
		uint8_t *const place = test_guarded(len);

		memset(place, 0x5a, len);
		check(place, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length_and_alignment),
		cmocka_unit_test(carries),
		cmocka_unit_test(runs_and_numbers_add_up),
		cmocka_unit_test(no_byte_behind_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
