#include "device/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"

static void the_pause_grows_and_then_there_is_no_more(void **state)
{
	static const uint64_t pauses[] = { 0, 0, 0, 0, 1, 2, 4, 8, 16 };
	struct backoff b = { 0 };
	uint64_t pause = 77;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(pauses); ++i) {
		assert_true(backoff_died(&b, BACKOFF_QUICK - 1, &pause));
		assert_int_equal(pause, pauses[i] * NS_PER_S);
	}
	assert_false(backoff_died(&b, 0, &pause));
	assert_int_equal(pause, 16 * NS_PER_S);
}

static void a_long_life_forgives(void **state)
{
	struct backoff b = { 0 };
	uint64_t pause;

	(void)state;
	for (int i = 0; i < BACKOFF_DEATHS - 1; ++i)
		assert_true(backoff_died(&b, 0, &pause));
	assert_true(backoff_died(&b, BACKOFF_QUICK, &pause));
	assert_int_equal(pause, 0);
	assert_int_equal(b.quick, 0);
	for (int i = 0; i < 1000; ++i)
		assert_true(backoff_died(&b, BACKOFF_QUICK + 1, &pause));
	assert_true(backoff_died(&b, 0, &pause));
	assert_int_equal(b.quick, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pause_grows_and_then_there_is_no_more),
		cmocka_unit_test(a_long_life_forgives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
