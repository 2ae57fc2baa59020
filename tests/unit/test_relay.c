#include "lane.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/time.h"

enum { HEADER = 28, MANY = 100000 };

static struct lane lane_with(uint64_t seed, const char *const *words)
{
	struct lane lane = { .impair = { .seed = seed } };

	for (; *words; ++words) {
		for (int type = 0; type < RULES_TYPES; ++type)
			assert_true(rules_parse(&lane.impair.rules[type], *words));
	}
	return lane;
}

#define LANE(seed, ...) lane_with((seed), (const char *const[]){ __VA_ARGS__, NULL })

/* A data message of its own: its counter is n. */
static enum impair_fate put(struct lane *lane, uint64_t now, uint32_t n, size_t len)
{
	uint8_t data[2000] = { 4 };

	store32_le(data + 8, n);
	return lane_put(lane, now, data, len, 0, HEADER);
}

static uint32_t number_of(const struct datagram *item)
{
	/* One that was cut may have lost it. */
	return item->len >= 12 ? load32_le(item->data + 8) : 0;
}

/* The number of the next one that leaves, or UINT32_MAX. */
static uint32_t take(struct lane *lane, uint64_t now)
{
	struct datagram *item = lane_take(lane, now);
	uint32_t n = item ? number_of(item) : UINT32_MAX;

	free(item);
	return n;
}

static void assert_about(double value, double want, double part)
{
	assert_true(value > want * (1 - part) && value < want * (1 + part));
}

/* --- words --------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	bool good;
	struct rules rules;
} words[] = {
	{ "loss=5", true, { .loss = 50000 } },
	{ "loss=0.01", true, { .loss = 100 } },
	{ "loss=100", true, { .loss = RULES_WHOLE } },
	{ "burst=1,25", true, { .burst_begin = 10000, .burst_end = 250000 } },
	{ "delay=10", true, { .delay_least = 10 * NS_PER_MS, .delay_most = 10 * NS_PER_MS } },
	{ "delay=0,0.5,tail", true, { .delay_most = NS_PER_MS / 2, .spread = RULES_TAIL } },
	{ "delay=1,2,normal",
	  true,
	  { .delay_least = NS_PER_MS, .delay_most = 2 * NS_PER_MS, .spread = RULES_NORMAL } },
	{ "reorder=50,9000", true, { .reorder = 500000, .depth = 9000 } },
	{ "duplicate=2", true, { .duplicate = 20000, .copies = 1 } },
	{ "duplicate=2,3", true, { .duplicate = 20000, .copies = 3 } },
	{ "corrupt=1,8", true, { .corrupt = 10000, .bits = 8 } },
	{ "truncate=1", true, { .truncate = 10000 } },
	{ "rate=1000,50", true, { .rate = 1000000, .queue = 50 * NS_PER_MS } },
	{ "mtu=1280", true, { .mtu = 1280 } },
	{ "icmp=1", true, { .icmp = true } },
	{ "icmp=2", false, { 0 } },
	{ "loss", false, { 0 } },
	{ "loss=", false, { 0 } },
	{ "loss=-1", false, { 0 } },
	{ "loss=101", false, { 0 } },
	{ "loss=nan", false, { 0 } },
	{ "loss=5x", false, { 0 } },
	{ "loss=5,", false, { 0 } },
	{ "loss=5,5", false, { 0 } },
	{ "losss=5", false, { 0 } },
	{ "los=5", false, { 0 } },
	{ "burst=1", false, { 0 } },
	{ "delay=2,1", false, { 0 } },
	{ "delay=1,2,3", false, { 0 } },
	{ "delay=1,2,bell", false, { 0 } },
	{ "delay=1,2,tail,1", false, { 0 } },
	{ "reorder=5,0", false, { 0 } },
	{ "", false, { 0 } },
};

static void words_are_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); ++i) {
		struct rules rules = { 0 };

		assert_int_equal(rules_parse(&rules, words[i].word), words[i].good);
		assert_memory_equal(&rules, &words[i].rules, sizeof(rules));
	}
}

/* --- decisions ----------------------------------------------------------------------------- */

static void same_seed_same_fates(void **state)
{
	struct lane a = LANE(7, "loss=20", "burst=1,20", "delay=0,9", "duplicate=5", "corrupt=9,3");
	struct lane b = a, c = a;
	int other = 0;

	(void)state;
	c.impair.seed = 8;
	for (int i = 0; i < 1000; ++i) {
		struct verdict x = impair_decide(&a.impair, 0, 4, 500, HEADER);
		struct verdict y = impair_decide(&b.impair, 0, 4, 500, HEADER);
		struct verdict z = impair_decide(&c.impair, 0, 4, 500, HEADER);

		assert_memory_equal(&x, &y, sizeof(x));
		other += x.fate != z.fate;
	}
	assert_true(other > 100);
}

/* One rule more leaves the answers to the others as they were. */
static void rules_do_not_touch_each_other(void **state)
{
	struct lane a = LANE(7, "loss=20", "duplicate=5");
	struct lane b =
		LANE(7, "loss=20", "duplicate=5", "corrupt=50,1", "delay=1,5", "reorder=9,9");

	(void)state;
	for (int i = 0; i < 1000; ++i) {
		struct verdict x = impair_decide(&a.impair, 0, 4, 500, HEADER);
		struct verdict y = impair_decide(&b.impair, 0, 4, 500, HEADER);

		assert_true(x.fate == y.fate && x.copies == y.copies);
	}
}

/* Whether a datagram is lost says nothing about what happens to an earlier one. */
static void questions_are_independent(void **state)
{
	enum { COUNT = 4096, LAGS = 32 };
	static bool lost[COUNT], doubled[COUNT];
	struct lane a = LANE(9, "loss=50"), b = LANE(9, "duplicate=50");

	(void)state;
	for (int i = 0; i < COUNT; ++i) {
		lost[i] = impair_decide(&a.impair, 0, 4, 100, HEADER).fate == IMPAIR_LOST;
		doubled[i] = impair_decide(&b.impair, 0, 4, 100, HEADER).copies > 0;
	}
	for (int lag = 0; lag < LAGS; ++lag) {
		int same = 0;

		for (int i = lag; i < COUNT; ++i)
			same += lost[i] == doubled[i - lag];
		assert_about(same, (COUNT - lag) / 2.0, 0.1);
	}
}

static void chances_are_kept(void **state)
{
	struct lane lane = LANE(1, "loss=10", "duplicate=2,3", "corrupt=5,4", "truncate=3");

	(void)state;
	for (uint32_t i = 0; i < MANY; ++i) {
		put(&lane, 0, i, 200);
		while (take(&lane, 0) != UINT32_MAX)
			;
	}
	assert_int_equal(lane.counts.in, MANY);
	assert_about((double)lane.counts.fates[IMPAIR_LOST], 0.1 * MANY, 0.05);
	assert_about((double)lane.counts.duplicated, 0.9 * 0.02 * 3 * MANY, 0.1);
	assert_about((double)lane.counts.corrupted, 0.9 * 0.05 * MANY, 0.1);
	assert_about((double)lane.counts.truncated, 0.9 * 0.03 * MANY, 0.1);
	assert_int_equal(lane.counts.out,
			 lane.counts.fates[IMPAIR_PASSED] + lane.counts.duplicated);
	lane_done(&lane);
}

/* Gilbert: lost begin / (begin + end) of all, in runs of 1 / end. */
static void bursts_are_as_long_as_they_should(void **state)
{
	struct lane lane = LANE(3, "burst=1,10");
	uint64_t lost = 0, runs = 0;
	bool was = false;

	(void)state;
	for (uint32_t i = 0; i < MANY; ++i) {
		bool is = impair_decide(&lane.impair, 0, 4, 100, HEADER).fate == IMPAIR_BURST;

		lost += is;
		runs += is && !was;
		was = is;
	}
	assert_about((double)lost, MANY / 11.0, 0.1);
	assert_about((double)lost / (double)runs, 10, 0.1);
}

/* Rows: a rule for some types leaves the others alone. */
static void types_have_rules_of_their_own(void **state)
{
	static const struct {
		uint8_t first;
		size_t len;
		unsigned int type;
	} rows[] = { { 1, 148, 1 }, { 2, 92, 2 }, { 3, 64, 3 }, { 4, 32, 4 },
		     { 5, 32, 0 },  { 0, 32, 0 }, { 1, 3, 0 },  { 4, 0, 0 } };
	struct lane lane = { 0 };

	(void)state;
	assert_true(rules_parse(&lane.impair.rules[1], "loss=100"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		uint8_t data[148] = { rows[i].first };

		assert_int_equal(impair_type(data, rows[i].len), rows[i].type);
		assert_int_equal(lane_put(&lane, 0, data, rows[i].len, 0, HEADER),
				 rows[i].type == 1 ? IMPAIR_LOST : IMPAIR_PASSED);
	}
	lane_done(&lane);
}

static void too_big_is_what_is_longer(void **state)
{
	struct lane lane = LANE(1, "mtu=1280");

	(void)state;
	assert_int_equal(put(&lane, 0, 0, 1280 - HEADER), IMPAIR_PASSED);
	assert_int_equal(put(&lane, 0, 1, 1281 - HEADER), IMPAIR_TOO_BIG);
	lane_done(&lane);
}

/* --- what leaves, and when ----------------------------------------------------------------- */

static unsigned int different_bits(const uint8_t *a, const uint8_t *b, size_t len)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < len; ++i)
		sum += (unsigned int)__builtin_popcount(a[i] ^ b[i]);
	return sum;
}

static void as_many_bits_flip_as_asked(void **state)
{
	static const uint32_t bits[] = { 1, 2, 3, 8, 100, 160, 1000 };
	const uint8_t data[20] = { 4 };

	(void)state;
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); ++i) {
		struct lane lane = LANE(i, "corrupt=100,1");
		struct datagram *item;

		lane.impair.rules[4].bits = bits[i];
		for (int n = 0; n < 50; ++n) {
			lane_put(&lane, 0, data, sizeof(data), 0, HEADER);
			item = lane_take(&lane, 0);
			assert_non_null(item);
			assert_int_equal(different_bits(item->data, data, sizeof(data)),
					 bits[i] < 160 ? bits[i] : 160);
			free(item);
		}
		lane_done(&lane);
	}
}

static void cut_ones_keep_their_beginning(void **state)
{
	struct lane lane = LANE(5, "truncate=100");
	uint8_t data[100];
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(data); ++i)
		data[i] = (uint8_t)i;
	for (int n = 0; n < 1000; ++n) {
		struct datagram *item;

		lane_put(&lane, 0, data, sizeof(data), 0x2e, HEADER);
		item = lane_take(&lane, 0);
		assert_non_null(item);
		assert_true(item->len < sizeof(data) && item->tos == 0x2e);
		assert_memory_equal(item->data, data, item->len);
		sum += item->len;
		free(item);
	}
	assert_about((double)sum, 1000 * 49.5, 0.1);
	lane_done(&lane);
}

/* Ten at a time. */
static void fixed_delay_keeps_order(void **state)
{
	struct lane lane = LANE(1, "delay=10");

	(void)state;
	for (uint32_t i = 0; i < 100; ++i)
		put(&lane, i / 10, i, 100);
	assert_int_equal(lane_next(&lane), 10 * NS_PER_MS);
	assert_int_equal(take(&lane, 10 * NS_PER_MS - 1), UINT32_MAX);
	for (uint32_t i = 0; i < 100; ++i) {
		assert_int_equal(take(&lane, 10 * NS_PER_MS + i / 10), i);
		if (i % 10 == 9)
			assert_int_equal(take(&lane, 10 * NS_PER_MS + i / 10), UINT32_MAX);
	}
	assert_int_equal(lane_next(&lane), UINT64_MAX);
	lane_done(&lane);
}

/* Mean delay of a spread between 10 and 20 ms. */
static double mean_delay(const char *word, uint64_t seed)
{
	struct lane lane = LANE(seed, word);
	double sum = 0;

	for (int i = 0; i < MANY; ++i) {
		uint64_t due = impair_decide(&lane.impair, 0, 4, 100, HEADER).due;

		assert_true(due >= 10 * NS_PER_MS && due <= 20 * NS_PER_MS);
		sum += (double)due / NS_PER_MS;
	}
	return sum / MANY;
}

static void delays_are_spread_as_named(void **state)
{
	(void)state;
	assert_about(mean_delay("delay=10,20", 1), 15, 0.01);
	assert_about(mean_delay("delay=10,20,normal", 2), 15, 0.01);
	assert_about(mean_delay("delay=10,20,tail", 3), 12, 0.01);
}

/* The naive model: after datagram n came, all leave that wait for n or fewer, oldest claim first.
 */
static void reorder_matches_a_naive_model(void **state)
{
	enum { COUNT = 3000 };
	static uint32_t until[COUNT];
	struct lane lane = LANE(11, "reorder=30,900");
	struct impair twin = lane.impair;
	uint32_t left = 0, moved = 0;

	(void)state;
	for (uint32_t n = 0; n < COUNT; ++n) {
		uint64_t behind = impair_decide(&twin, 0, 4, 100, HEADER).behind;
		bool more = true;

		assert_true(behind <= 900);
		until[n] = n + (uint32_t)behind;
		moved += behind > 0;
		put(&lane, 0, n, 100);
		if (behind == 0)
			assert_int_equal(take(&lane, 0), n);
		while (more) {
			uint32_t got = take(&lane, 0);

			more = got != UINT32_MAX;
			if (more && got != n)
				assert_int_equal(until[got], n);
		}
	}
	for (uint32_t n = 0; n < COUNT; ++n)
		left += until[n] >= COUNT;
	assert_int_equal(lane.held.count, left);
	assert_about(moved, 0.3 * COUNT, 0.1);
	assert_int_equal(take(&lane, LANE_HOLD - 1), UINT32_MAX);
	assert_int_equal(lane_next(&lane), LANE_HOLD);
	for (uint32_t i = 0; i < left; ++i)
		assert_int_not_equal(take(&lane, LANE_HOLD), UINT32_MAX);
	assert_int_equal(lane.counts.out, COUNT);
	lane_done(&lane);
}

/* A relay that had no time reads all at once, and must not put right what it was to spoil. */
static void reorder_is_the_same_however_late_it_is_read(void **state)
{
	enum { COUNT = 3000 };
	static uint32_t prompt[COUNT], late[COUNT];
	struct lane a = LANE(11, "reorder=30,900"), b = a;
	size_t taken = 0;

	(void)state;
	for (uint32_t n = 0; n < COUNT; ++n) {
		uint32_t got;

		put(&a, n, n, 100);
		put(&b, n, n, 100);
		while ((got = take(&a, n)) != UINT32_MAX)
			prompt[taken++] = got;
	}
	for (size_t i = 0; i < taken; ++i)
		late[i] = take(&b, COUNT);
	assert_memory_equal(late, prompt, taken * sizeof(*late));
	lane_done(&a);
	lane_done(&b);
}

/* 1 Mbit/s and 100 ms of queue: 1000 bytes with their header take 8 ms each. */
static void rate_lets_through_what_it_says(void **state)
{
	struct lane lane = LANE(1, "rate=1000,100");
	uint32_t passed = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; ++i)
		passed += put(&lane, 0, i, 1000 - HEADER) == IMPAIR_PASSED;
	assert_int_equal(passed, 13); /* they wait 0, 8, ... 96 ms */
	for (uint32_t i = 0; i < passed; ++i) {
		uint64_t due = (i + 1) * 8 * NS_PER_MS;

		assert_int_equal(take(&lane, due - 1), UINT32_MAX);
		assert_int_equal(take(&lane, due), i);
	}
	assert_int_equal(put(&lane, 200 * NS_PER_MS, 0, 1000 - HEADER), IMPAIR_PASSED);
	assert_int_equal(take(&lane, 208 * NS_PER_MS), 0);
	lane_done(&lane);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_read_or_refused),
		cmocka_unit_test(same_seed_same_fates),
		cmocka_unit_test(rules_do_not_touch_each_other),
		cmocka_unit_test(questions_are_independent),
		cmocka_unit_test(chances_are_kept),
		cmocka_unit_test(bursts_are_as_long_as_they_should),
		cmocka_unit_test(types_have_rules_of_their_own),
		cmocka_unit_test(too_big_is_what_is_longer),
		cmocka_unit_test(as_many_bits_flip_as_asked),
		cmocka_unit_test(cut_ones_keep_their_beginning),
		cmocka_unit_test(fixed_delay_keeps_order),
		cmocka_unit_test(delays_are_spread_as_named),
		cmocka_unit_test(reorder_matches_a_naive_model),
		cmocka_unit_test(reorder_is_the_same_however_late_it_is_read),
		cmocka_unit_test(rate_lets_through_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
