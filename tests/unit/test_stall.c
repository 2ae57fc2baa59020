#include "device/stall.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"

/* Pauses in ms of failures in a row. */
static const uint64_t pauses[] = { 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 16, 16 };

static void who_keeps_failing_sleeps_longer(void **state)
{
	struct stall s = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(pauses); ++i)
		assert_true(stall_failed(&s) == pauses[i] * NS_PER_MS);
	for (unsigned int i = 0; i < 100000; ++i)
		assert_true(stall_failed(&s) == STALL_MAX);
}

static void one_success_ends_it(void **state)
{
	struct stall s = { 0 };

	(void)state;
	for (size_t good = 0; good < ELEMENTS(pauses); ++good) {
		for (size_t i = 0; i < good; ++i)
			assert_true(stall_failed(&s) == pauses[i] * NS_PER_MS);
		stall_passed(&s);
	}
}

/* Who is stopped now and then and does nothing between is no failure; nor is what was mended. */
static void ten_seconds_of_failures_are_too_many(void **state)
{
	static const struct {
		int error;
		uint64_t at; /* s */
		bool is_hopeless;
	} rows[] = {
		{ -EINTR, 1, false },      { -EINTR, 90000, false }, { -ENOMEM, 90001, false },
		{ -ENOMEM, 90011, false }, { 0, 90012, false },      { -EBADF, 90013, false },
		{ -EBADF, 90020, false },  { -EINTR, 90024, false }, { -EIO, 90025, false },
		{ -EIO, 90026, false },    { -EBADF, 90035, false }, { -EBADF, 90036, true },
	};
	uint64_t since = 0;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		assert_int_equal(stall_is_hopeless(&since, rows[i].error, rows[i].at * NS_PER_S),
				 rows[i].is_hopeless);
}

static void it_is_told_now_and_then(void **state)
{
	static const struct {
		uint64_t now;
		bool tells;
	} rows[] = {
		{ 5, true },
		{ 6, false },
		{ 4 + STALL_TELL, false },
		{ 5 + STALL_TELL, true },
		{ 6 + STALL_TELL, false },
		{ 4 + 2 * STALL_TELL, false },
		{ 9 + 3 * STALL_TELL, true },
	};
	struct stall s = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		stall_passed(&s); /* one that comes and goes is not logged each time */
		assert_int_equal(stall_tells(&s, rows[i].now), rows[i].tells);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_keeps_failing_sleeps_longer),
		cmocka_unit_test(one_success_ends_it),
		cmocka_unit_test(ten_seconds_of_failures_are_too_many),
		cmocka_unit_test(it_is_told_now_and_then),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
