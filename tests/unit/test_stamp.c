#include "wg/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

#define DAY (24 * 3600 * NS_PER_S)
#define YEAR (365 * DAY)

/* 2026-11-22, and a machine that has been up for an hour. */
static const uint64_t today = 1795305600 * NS_PER_S;
static const uint64_t hour = 3600 * NS_PER_S;

/* A host with a clock that can be set, and the disk on which the floor is kept. */
#define T0 (UINT64_C(1700000000) * NS_PER_S)

struct host {
	struct stamp stamp;
	struct moment now;
	uint64_t sent; /* highest stamp that a peer may have seen */
	uint64_t disk;
	uint64_t to_peer; /* what the engine of this run remembers of it */
};

static void boot(struct host *h, uint64_t real)
{
	h->now = (struct moment){ .boot = 5 * NS_PER_S, .real = real };
	stamp_init(&h->stamp, h->disk);
	h->to_peer = 0;
}

static void pass(struct host *h, uint64_t ns)
{
	h->now.boot += ns;
	h->now.real += ns;
}

/* One initiation: the stamp rises, on the wire too, and is valid TAI64N. */
static uint64_t initiate(struct host *h)
{
	const uint64_t last = h->to_peer, floor = h->stamp.floor;
	const uint64_t stamp = stamp_next(&h->stamp, h->now, &h->to_peer);
	const uint64_t reserve = stamp > (h->now.real >> 63 ? UINT64_C(1) << 63 : h->now.real)
					 ? STAMP_FLOOR_AHEAD_SHORT
					 : STAMP_FLOOR_AHEAD;
	uint8_t wire[STAMP_LEN], before[STAMP_LEN];

	assert_true(stamp > (last ? last : floor));
	stamp_write(stamp, wire);
	stamp_write(last ? last : floor, before);
	assert_true(stamp_is_later(wire, before));
	assert_false(stamp_is_later(before, wire));
	assert_int_equal(load64_be(wire), UINT64_C(0x400000000000000a) + stamp / NS_PER_S);
	assert_true(load32_be(wire + 8) < 1000000000);
	assert_int_equal(load32_be(wire + 8) & 0xffffff, 0);
	assert_true(h->stamp.floor == floor || h->stamp.floor == stamp + reserve);
	assert_true(h->stamp.floor >= floor);
	h->disk = h->stamp.floor;
	if (stamp > h->sent)
		h->sent = stamp;
	return stamp;
}

static uint64_t rounded(uint64_t real)
{
	return real - real % NS_PER_S + (real % NS_PER_S & ~UINT64_C(0xffffff));
}

static const struct {
	uint64_t stamp;
	const char *wire;
} wire_rows[] = {
	{ 0, "400000000000000a00000000" },
	{ 1, "400000000000000a00000001" },
	{ 1700000000 * NS_PER_S + 0x12000000, "400000006553f10a12000000" },
	{ 2 * NS_PER_S - 1, "400000000000000b3b9ac9ff" },
};

static void wire_form(void **state)
{
	uint8_t wire[STAMP_LEN], expect[STAMP_LEN];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(wire_rows); ++i) {
		stamp_write(wire_rows[i].stamp, wire);
		test_from_hex(wire_rows[i].wire, expect, STAMP_LEN);
		assert_memory_equal(wire, expect, STAMP_LEN);
	}
}

/* Each of the twelve bytes decides, the earlier one first, as unsigned numbers. */
static void later_compares_all_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < STAMP_LEN; ++i) {
		uint8_t a[STAMP_LEN] = { 0 }, b[STAMP_LEN] = { 0 };

		assert_false(stamp_is_later(a, b));
		a[i] = 0x80;
		b[i] = 0x7f;
		assert_true(stamp_is_later(a, b));
		assert_false(stamp_is_later(b, a));
		if (i + 1 < STAMP_LEN)
			b[i + 1] = 0xff;
		assert_true(stamp_is_later(a, b));
	}
}

static void fh14_stamp_is_valid_tai64n(void **state)
{
	struct host h = { 0 };
	uint64_t seed = 1;

	(void)state;
	boot(&h, today);
	for (unsigned int i = 0; i < 100000; ++i) {
		const uint64_t stamp = initiate(&h);

		if (rounded(h.now.real) > h.sent)
			assert_int_equal(stamp, rounded(h.now.real));
		assert_true(stamp <= h.now.real);
		pass(&h, (STAMP_GRAIN << 1) + test_random_below(&seed, NS_PER_S));
	}
}

/* Sixty to the second at a clock that stands still: the 61st is in the next second, with 0 ns. */
static void many_within_one_grain(void **state)
{
	struct host h = { 0 };

	(void)state;
	boot(&h, today + 5);
	for (uint64_t i = 0; i < 10000; ++i)
		assert_int_equal(initiate(&h), today + i / 60 * NS_PER_S + i % 60 * STAMP_GRAIN);
	pass(&h, 200 * NS_PER_S);
	assert_int_equal(initiate(&h), today + 200 * NS_PER_S);
}

/* The floor is at most 30 s above what was sent, and rarely written. */
static void floor_is_close_and_seldom_raised(void **state)
{
	struct host h = { 0 };
	uint64_t raised = 0;

	(void)state;
	boot(&h, today);
	for (unsigned int i = 0; i < 7200; ++i) {
		const uint64_t floor = h.disk;

		initiate(&h);
		raised += h.disk != floor;
		assert_true(h.disk >= h.sent);
		assert_true(h.disk - h.sent <= 30 * NS_PER_S);
		pass(&h, 500 * NS_PER_MS);
	}
	assert_in_range(raised, 3600 / 31, 3600 / 29);
}

static void fp9_clock_backward_still_increases(void **state)
{
	static const uint64_t steps[] = { 1,        NS_PER_S, 60 * NS_PER_S, 5 * 3600 * NS_PER_S,
					  40 * DAY, 10 * YEAR };
	struct host h = { 0 };
	uint64_t sent;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(steps); ++i) {
		/* In one run, for longer than the floor is ahead. */
		h = (struct host){ 0 };
		boot(&h, today);
		initiate(&h);
		h.now.real -= steps[i];
		for (unsigned int k = 0; k < 3000; ++k) {
			initiate(&h);
			assert_true(h.sent <= h.disk);
		}
		/* And over restarts, to the same clock and to none at all. */
		boot(&h, h.now.real);
		sent = h.sent;
		assert_true(initiate(&h) > sent);
		boot(&h, 0);
		for (unsigned int k = 0; k < 3000; ++k) {
			sent = h.sent;
			assert_true(initiate(&h) > sent);
			assert_true(h.sent <= h.disk);
		}
		/* Back in order, the clock is followed again. */
		h.now.real = today + 5 * DAY;
		assert_int_equal(initiate(&h), today + 5 * DAY);
	}
}

/* Every new run starts above all stamps of the runs before, whatever its clock shows. */
static void restart_starts_above(void **state)
{
	struct host h = { 0 };
	uint64_t seed = 2, real = today;

	(void)state;
	for (unsigned int run = 0; run < 2000; ++run) {
		const uint64_t sent = h.sent;

		boot(&h, run % 3 == 0 ? test_random_below(&seed, YEAR) : real);
		assert_true(initiate(&h) > sent);
		for (uint64_t n = test_random_below(&seed, 40); n > 0; --n) {
			pass(&h, test_random_below(&seed, 5 * NS_PER_S));
			initiate(&h);
		}
		real += test_random_below(&seed, 10 * 60 * NS_PER_S);
	}
}

/* A board without a battery: 1970, then the network gives the time. It must be kept at once. */
static void clock_never_set_then_set(void **state)
{
	struct host h = { 0 };

	(void)state;
	boot(&h, 0);
	initiate(&h);
	pass(&h, 7 * NS_PER_S);
	initiate(&h);
	assert_true(h.disk < DAY);
	h.now.real = today;
	assert_int_equal(initiate(&h), today);
	assert_int_equal(h.disk, today + STAMP_FLOOR_AHEAD);

	/* The next boot starts in 1970 above that, and may be days later when the time comes. */
	boot(&h, 3 * NS_PER_S);
	assert_true(initiate(&h) > today + STAMP_FLOOR_AHEAD);
	assert_true(h.sent < today + 2 * STAMP_FLOOR_AHEAD);
	assert_true(h.disk > h.sent);
	h.now.real = today + 30 * DAY;
	assert_int_equal(initiate(&h), today + 30 * DAY);
	assert_int_equal(h.disk, today + 30 * DAY + STAMP_FLOOR_AHEAD);
}

static void fp10_absurd_clock_is_not_kept(void **state)
{
	struct host h = { 0 };
	uint64_t floor;

	(void)state;
	boot(&h, today);
	initiate(&h);
	floor = h.disk;
	pass(&h, hour);
	h.now.real += 10 * YEAR;
	assert_int_equal(initiate(&h), today + hour + 10 * YEAR);
	assert_int_equal(h.disk, floor);
	/* Not for 23 hours, not in small steps either. */
	for (unsigned int i = 0; i < 23; ++i) {
		pass(&h, hour);
		initiate(&h);
		assert_int_equal(h.disk, floor);
	}
	/* Back in order: stamps still rise, from where they were, and are still not kept. */
	h.now.real -= 10 * YEAR;
	for (unsigned int i = 0; i < 100; ++i) {
		pass(&h, hour);
		assert_true(initiate(&h) > today + 10 * YEAR);
		assert_int_equal(h.disk, floor);
	}
	/* A new run is rid of it. */
	boot(&h, h.now.real);
	assert_int_equal(initiate(&h), rounded(h.now.real));
	assert_int_equal(h.disk, h.stamp.last + STAMP_FLOOR_AHEAD);
	assert_true(h.disk < today + YEAR);
}

/* A restart while the clock is absurd gives it no credit either: the floor tells. */
static void absurd_clock_at_start_is_not_kept(void **state)
{
	struct host h = { .disk = today };

	(void)state;
	boot(&h, today + 10 * YEAR);
	assert_int_equal(initiate(&h), today + 10 * YEAR);
	assert_int_equal(h.disk, today);
	pass(&h, DAY - 1);
	initiate(&h);
	assert_int_equal(h.disk, today);
	boot(&h, today + 366 * DAY);
	initiate(&h);
	assert_int_equal(h.disk, today + 366 * DAY + STAMP_FLOOR_AHEAD);
}

/* What has held for a day is the truth: the day began anew with each further jump. */
static void new_time_that_holds_is_kept(void **state)
{
	struct host h = { 0 };
	uint64_t floor;

	(void)state;
	boot(&h, today);
	initiate(&h);
	floor = h.disk;
	h.now.real += 2 * YEAR;
	initiate(&h);
	pass(&h, 23 * hour);
	h.now.real += 2 * YEAR;
	initiate(&h);
	pass(&h, 2 * hour);
	initiate(&h);
	assert_int_equal(h.disk, floor);
	pass(&h, 21 * hour);
	h.now.real -= YEAR;
	initiate(&h);
	pass(&h, DAY - 1);
	initiate(&h);
	assert_int_equal(h.disk, floor);
	h.now.real += 2 * YEAR; /* above the highest so far, so that the stamp follows the clock */
	initiate(&h);
	pass(&h, DAY - NS_PER_S);
	initiate(&h);
	assert_int_equal(h.disk, floor);
	pass(&h, NS_PER_S);
	initiate(&h);
	assert_int_equal(h.disk, h.sent + STAMP_FLOOR_AHEAD);
	/* And from there on small steps are believed again. */
	h.now.real += DAY - hour;
	initiate(&h);
	assert_int_equal(h.disk, h.sent + STAMP_FLOOR_AHEAD);
}

/* A day that was interrupted by the right time does not count. */
static void absurd_clock_that_comes_and_goes(void **state)
{
	struct host h = { 0 };
	uint64_t floor;

	(void)state;
	boot(&h, today);
	initiate(&h);
	floor = h.disk;
	for (unsigned int i = 0; i < 10; ++i) {
		h.now.real += 10 * YEAR;
		initiate(&h);
		pass(&h, 20 * hour);
		initiate(&h);
		h.now.real -= 10 * YEAR;
		initiate(&h);
		pass(&h, hour);
	}
	assert_int_equal(h.disk, floor);
}

/* A step of just under a day is kept, one of more is not; sleep is no step, as boot counts it. */
static void jump_boundary_and_suspend(void **state)
{
	struct host h = { 0 };

	(void)state;
	boot(&h, today);
	initiate(&h);
	h.now.real += DAY;
	initiate(&h);
	assert_int_equal(h.disk, h.sent + STAMP_FLOOR_AHEAD);
	h.now.real += NS_PER_S;
	initiate(&h);
	h.now.real += 31 * NS_PER_S;
	initiate(&h);
	assert_true(h.disk < today + DAY + STAMP_FLOOR_AHEAD + 1);

	h = (struct host){ 0 };
	boot(&h, today);
	initiate(&h);
	pass(&h, 90 * DAY);
	initiate(&h);
	assert_int_equal(h.disk, today + 90 * DAY + STAMP_FLOOR_AHEAD);
}

static void odd_floors_and_far_ends(void **state)
{
	static const uint64_t floors[] = { 1,
					   12345678901234567,
					   NS_PER_S - 1,
					   NS_PER_S,
					   60 * (UINT64_C(1) << 24) - 1,
					   UINT64_C(1) << 63 };
	struct host h = { 0 };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(floors); ++i) {
		h = (struct host){ .disk = floors[i] };
		boot(&h, 0);
		assert_true(initiate(&h) > floors[i]);
		assert_true(h.sent - floors[i] <= STAMP_GRAIN);
		assert_true(h.disk > h.sent);
	}
	/* No run can have written this one. */
	h = (struct host){ .disk = UINT64_MAX };
	boot(&h, today);
	assert_int_equal(initiate(&h), today);

	h = (struct host){ 0 };
	boot(&h, UINT64_MAX);
	for (unsigned int i = 0; i < 1000; ++i)
		initiate(&h);
	boot(&h, UINT64_MAX);
	for (unsigned int i = 0; i < 1000; ++i)
		initiate(&h);
}

/* Any clock at all: the stamps of one run rise, and the floor never goes back. */
static void random_clock_never_breaks_order(void **state)
{
	uint64_t seed = 9;

	(void)state;
	for (unsigned int run = 0; run < 300; ++run) {
		struct host h = { .disk = run % 2 ? test_random(&seed) >> run % 60 : 0 };

		boot(&h, test_random(&seed) >> run % 40);
		for (unsigned int i = 0; i < 200; ++i) {
			initiate(&h);
			pass(&h, test_random(&seed) >> (20 + i % 40));
			if (i % 7 == 0)
				h.now.real = test_random(&seed) >> i % 50;
		}
	}
}

/* Each peer gets a stamp above the floor, not only the first that asks. */
static void every_peer_starts_above_the_floor(void **state)
{
	const uint64_t floor = T0 + 3600 * NS_PER_S;
	const struct moment now = { .boot = NS_PER_S, .real = T0 };
	uint64_t a = 0, b = 0;
	struct stamp s;

	(void)state;
	stamp_init(&s, floor);
	assert_true(stamp_next(&s, now, &a) > floor);
	assert_true(stamp_next(&s, now, &b) > floor);
	assert_int_equal(a, b);
}

/* 200 initiations a second, each to another peer that does not answer: the stamps stay with the
 * clock. */
static void many_peers_do_not_drive_stamps_ahead(void **state)
{
	static uint64_t sent[1000];
	struct moment now = { .boot = NS_PER_S, .real = T0 };
	struct stamp s;

	(void)state;
	stamp_init(&s, 0);
	for (unsigned int i = 0; i < 20000; ++i) {
		assert_true(stamp_next(&s, now, &sent[i % ELEMENTS(sent)]) <= now.real);
		now.boot += 5 * NS_PER_MS;
		now.real += 5 * NS_PER_MS;
	}
}

/* Forgotten and configured again within one grain, or while the clock stands: it is not sent the
 * same twice. */
static void a_peer_that_comes_again_gets_a_later_stamp(void **state)
{
	const struct moment now = { .boot = NS_PER_S, .real = T0 };
	uint64_t sent = 0, again = 0;
	struct stamp s;

	(void)state;
	stamp_init(&s, 0);
	for (int i = 0; i < 3; ++i)
		(void)stamp_next(&s, now, &sent);
	stamp_forget(&s, sent);
	assert_true(stamp_next(&s, now, &again) > sent);
}

/* Started and ended over and over, in order or killed: the stamps stay near the clock. */
static void many_starts_do_not_drive_stamps_ahead(void **state)
{
	struct moment now = { .boot = NS_PER_S, .real = T0 };
	uint64_t disk = 0, highest = 0;
	struct stamp s;

	(void)state;
	for (int start = 0; start < 20; ++start) {
		uint64_t sent = 0;

		stamp_init(&s, disk);
		for (int i = 0; i < 3; ++i) {
			assert_true(stamp_next(&s, now, &sent) > highest);
			highest = sent;
		}
		disk = s.floor;
		if (start % 2) {
			stamp_forget(&s, sent);
			stamp_end(&s);
			assert_true(s.floor >= highest);
			assert_true(s.floor <= highest + STAMP_GRAIN);
			disk = s.floor;
		}
		now.boot += NS_PER_MS;
		now.real += NS_PER_MS;
	}
	/* Once the reserve, and a second for each start that was not ended. */
	assert_true(highest < T0 + STAMP_FLOOR_AHEAD + 20 * STAMP_FLOOR_AHEAD_SHORT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_peer_starts_above_the_floor),
		cmocka_unit_test(many_starts_do_not_drive_stamps_ahead),
		cmocka_unit_test(many_peers_do_not_drive_stamps_ahead),
		cmocka_unit_test(a_peer_that_comes_again_gets_a_later_stamp),
		cmocka_unit_test(wire_form),
		cmocka_unit_test(later_compares_all_bytes),
		cmocka_unit_test(fh14_stamp_is_valid_tai64n),
		cmocka_unit_test(many_within_one_grain),
		cmocka_unit_test(floor_is_close_and_seldom_raised),
		cmocka_unit_test(fp9_clock_backward_still_increases),
		cmocka_unit_test(restart_starts_above),
		cmocka_unit_test(clock_never_set_then_set),
		cmocka_unit_test(fp10_absurd_clock_is_not_kept),
		cmocka_unit_test(absurd_clock_at_start_is_not_kept),
		cmocka_unit_test(new_time_that_holds_is_kept),
		cmocka_unit_test(absurd_clock_that_comes_and_goes),
		cmocka_unit_test(jump_boundary_and_suspend),
		cmocka_unit_test(odd_floors_and_far_ends),
		cmocka_unit_test(random_clock_never_breaks_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
