#include "device/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"

static void the_pause_grows_up_to_a_minute(void **state)
{
	static const uint64_t pauses[] = { 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60 };
	struct backoff b = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(pauses); ++i)
		assert_int_equal(backoff_died(&b, BACKOFF_QUICK - 1), pauses[i] * NS_PER_S);
	for (int i = 0; i < 1000; ++i)
		assert_int_equal(backoff_died(&b, 0), 60 * NS_PER_S);
}

static void a_long_life_forgives(void **state)
{
	struct backoff b = { 0 };

	(void)state;
	for (int i = 0; i < 100; ++i)
		(void)backoff_died(&b, 0);
	assert_int_equal(backoff_died(&b, BACKOFF_QUICK), 0);
	assert_int_equal(b.quick, 0);
	for (int i = 0; i < 1000; ++i)
		assert_int_equal(backoff_died(&b, BACKOFF_QUICK + 1), 0);
	assert_int_equal(backoff_died(&b, 0), 0);
	assert_int_equal(b.quick, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pause_grows_up_to_a_minute),
		cmocka_unit_test(a_long_life_forgives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
