#include "device/floor_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "wg/stamp.h"

#define S NS_PER_S
#define DAY (86400 * S)

/* In order, on one guard; the clock shows day 20000. */
static const struct {
	uint64_t boot;
	uint64_t floor;
	uint64_t kept;
	bool allowed;
} rows[] = {
	{ 1, 0, 0, true },
	{ 1, 20000 * DAY + 30 * S, 0, true },
	{ 1, 20000 * DAY + 60 * S, 0, true },
	{ 1, 20000 * DAY + 60 * S + 1, 0, false },
	{ 1, INT64_MAX, 0, false },
	{ 1, INT64_MAX, INT64_MAX - 2 * S - 1, false },
	/* the clock has gone back a day */
	{ 1, 20001 * DAY, 20001 * DAY, true },
	{ 1, 20001 * DAY - 9 * S, 20001 * DAY, true },
	{ 1, 20001 * DAY + 2 * S + 1, 20001 * DAY, false },
	{ 1, 20001 * DAY + 2 * S, 20001 * DAY, true },
	{ 2, 20001 * DAY + 4 * S, 20001 * DAY + 2 * S, false },
	{ S, 20001 * DAY + 4 * S, 20001 * DAY + 2 * S, false },
	{ S + 1, 20001 * DAY + 4 * S, 20001 * DAY + 2 * S, true },
	{ S + 2, 20001 * DAY + 4 * S, 20001 * DAY + 4 * S, true },
	{ S + 3, 20000 * DAY + 30 * S, 0, true }, /* of another key */
};

static void floors_of_honest_engines_are_kept(void **state)
{
	struct floor_guard g = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const struct moment now = { .boot = rows[i].boot, .real = 20000 * DAY };

		if (floor_guard_allows(&g, rows[i].floor, rows[i].kept, now) != rows[i].allowed)
			fail_msg("row %zu", i);
	}
}

/* The stamps themselves, over a clock that goes back: nothing that they ask for is refused. */
static void what_stamps_ask_for_is_allowed(void **state)
{
	struct floor_guard g = { 0 };
	struct moment now = { .boot = 1, .real = 20000 * DAY };
	uint64_t kept = 0, sent = 0;
	struct stamp s;

	(void)state;
	stamp_init(&s, 0);
	for (int i = 0; i < 5000; ++i) {
		(void)!stamp_next(&s, now, &sent);
		if (s.floor != kept) {
			assert_true(floor_guard_allows(&g, s.floor, kept, now));
			kept = s.floor;
		}
		now.boot += 5 * S;
		now.real += 5 * S;
		if (i % 1000 == 999)
			now.real -= 7200 * S;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(floors_of_honest_engines_are_kept),
		cmocka_unit_test(what_stamps_ask_for_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
