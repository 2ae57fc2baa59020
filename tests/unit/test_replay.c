#include "wg/replay.h"

#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

enum { W = REPLAY_WINDOW, SPAN = 200000 };

static const struct {
	uint64_t counter;
	bool accept;
} rows[] = {
	{ 0, true },
	{ 1, true },
	{ 1, false },
	{ 9, true },
	{ 8, true },
	{ 7, true },
	{ 7, false },
	{ W, true },
	{ W - 1, true },
	{ W - 1, false },
	{ W - 2, true },
	{ 2, true },
	{ 2, false },
	{ W + 16, true },
	{ 3, false },
	{ W + 16, false },
	{ 4 * W, true },
	{ 3 * W + 1, true },
	{ 10, false },
	{ 3 * W, false },
	{ 3 * W - 1, false },
	{ 3 * W + 2, true },
	{ 3 * W + 1, false },
	{ 0, false },
	{ UINT64_MAX - 1, true },
	{ 5 * W, false },
	{ UINT64_MAX, false },
};

static void rows_are_judged_in_order(void **state)
{
	struct replay r = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		assert_int_equal(replay_accept(&r, rows[i].counter), rows[i].accept);
}

static void whole_window_backwards(void **state)
{
	struct replay r = { 0 };

	(void)state;
	for (uint64_t i = W; i-- > 0;)
		assert_true(replay_accept(&r, i));
	for (uint64_t i = 0; i < W; ++i)
		assert_false(replay_accept(&r, i));
}

static void in_order_over_three_windows(void **state)
{
	struct replay r = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 3 * W; ++i)
		assert_true(replay_accept(&r, i));
}

static void same_slot_one_lap_later(void **state)
{
	struct replay r = { 0 };

	(void)state;
	for (uint64_t lap = 0; lap < 3; ++lap)
		assert_true(replay_accept(&r, 5 + lap * REPLAY_WORDS * 64));
}

/* One step beyond the whole window forgets each old word, also the one that the step lands in. */
static void long_step_forgets_everything(void **state)
{
	(void)state;
	for (uint64_t words = REPLAY_WORDS - 2; words <= REPLAY_WORDS + 2; ++words) {
		struct replay r = { 0 };
		const uint64_t top = (REPLAY_WORDS + words) * 64;

		for (uint64_t i = 0; i < REPLAY_WORDS * UINT64_C(64); ++i)
			assert_true(replay_accept(&r, i));
		assert_true(replay_accept(&r, top));
		for (uint64_t i = top - W + 1; i < top; ++i)
			assert_int_equal(replay_accept(&r, i), i >= REPLAY_WORDS * UINT64_C(64));
	}
}

/* The same rule, written with one byte per counter. */
static bool naive_accept(uint8_t *seen, uint64_t *next, uint64_t counter)
{
	if (seen[counter] || (*next > counter && *next - counter > W))
		return false;
	seen[counter] = 1;
	if (counter >= *next)
		*next = counter + 1;
	return true;
}

static void against_naive(uint64_t seed, uint64_t reach)
{
	static uint8_t seen[SPAN];
	struct replay r = { 0 };
	uint64_t base = 0, next = 0;

	memset(seen, 0, sizeof(seen));
	while (base + reach < SPAN) {
		const uint64_t counter = base + test_random_below(&seed, reach);

		assert_int_equal(replay_accept(&r, counter), naive_accept(seen, &next, counter));
		base += test_random_below(&seed, 40);
	}
}

static void fh12_window_matches_bitmap_oracle(void **state)
{
	(void)state;
	static_assert(REPLAY_WINDOW >= 8128, "as wide as the kernel driver's");
	for (uint64_t seed = 0; seed < 50; ++seed) {
		against_naive(seed, 100);
		against_naive(seed, W);
		against_naive(seed, 12000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_judged_in_order),
		cmocka_unit_test(whole_window_backwards),
		cmocka_unit_test(in_order_over_three_windows),
		cmocka_unit_test(same_slot_one_lap_later),
		cmocka_unit_test(long_step_forgets_everything),
		cmocka_unit_test(fh12_window_matches_bitmap_oracle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
