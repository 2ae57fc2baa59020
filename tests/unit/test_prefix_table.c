#include "config/prefix_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "support.h"

static struct prefix prefix(const char *text)
{
	struct prefix p;

	assert_true(text_to_prefix(text, &p));
	return p;
}

static struct ip ip(const char *text)
{
	struct ip value;

	assert_true(text_to_ip(text, &value));
	return value;
}

static void fill(struct prefix_table *t, const char *const texts[], size_t count)
{
	prefix_table_init(t);
	for (size_t i = 0; i < count; ++i) {
		const struct prefix p = prefix(texts[i]);

		assert_true(prefix_table_add(t, &p, i, 0));
	}
	prefix_table_sort(t);
}

static void longest_wins_and_of_equal_ones_the_last(void **state)
{
	static const char *const texts[] = { "10.0.0.0/8",  "10.1.0.0/16", "0.0.0.0/0",
					     "10.1.0.9/16", "10.1.2.3/32", "fd00::/8" };
	static const struct {
		const char *ip;
		uint8_t min_bits;
		int peer; /* -1: nobody */
	} table[] = {
		{ "10.1.2.3", 0, 4 },  { "10.1.2.4", 0, 3 },        { "10.2.0.0", 0, 0 },
		{ "11.0.0.0", 0, 2 },  { "11.0.0.0", 1, -1 },       { "10.2.0.0", 8, 0 },
		{ "10.2.0.0", 9, -1 }, { "10.1.2.3", 32, 4 },       { "fd12::1", 0, 5 },
		{ "fe00::1", 0, -1 },  { "255.255.255.255", 0, 2 },
	};
	struct prefix_table t;

	(void)state;
	fill(&t, texts, ELEMENTS(texts));
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		const struct ip address = ip(table[i].ip);
		const struct prefix_row *row = prefix_table_find(&t, &address, table[i].min_bits);

		assert_int_equal(row ? (int)row->peer : -1, table[i].peer);
	}
	prefix_table_done(&t);
}

static void knows_when_all_is_covered(void **state)
{
	static const struct {
		const char *texts[8];
		uint8_t min_bits;
		bool v4;
	} table[] = {
		{ { "0.0.0.0/0" }, 0, true },
		{ { "0.0.0.0/0" }, 1, false },
		{ { "::/0" }, 0, false },
		{ { "128.0.0.0/1", "0.0.0.0/1" }, 1, true },
		{ { "128.0.0.0/1", "0.0.0.0/2" }, 1, false },
		{ { "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/3", "96.0.0.0/3" }, 1, true },
		{ { "128.0.0.0/1", "0.0.0.0/2", "64.0.0.0/3", "96.0.0.0/4" }, 1, false },
		{ { "0.0.0.0/1", "10.0.0.0/8", "10.1.0.0/16", "128.0.0.0/1" }, 1, true },
		{ { "0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3", "224.0.0.0/4", "240.0.0.0/4" },
		  1,
		  true },
		{ { "0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3", "224.0.0.0/4", "240.0.0.0/5" },
		  1,
		  false },
		{ { "1.0.0.0/8" }, 1, false },
		{ { NULL }, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		struct prefix_table t;
		size_t count = 0;

		while (count < 8 && table[i].texts[count])
			++count;
		fill(&t, table[i].texts, count);
		assert_int_equal(prefix_table_covers_all(&t, FAMILY_V4, table[i].min_bits),
				 table[i].v4);
		prefix_table_done(&t);
	}
}

/* Few bits that vary, so that prefixes meet often. */
static struct prefix random_prefix(uint64_t *seed)
{
	struct prefix p = { .ip.family = FAMILY_V4 };

	p.ip.bytes[0] = (uint8_t)(test_random_below(seed, 4) << 6);
	p.ip.bytes[3] = (uint8_t)test_random_below(seed, 4);
	p.bits = (uint8_t)(test_random_below(seed, 2) ? test_random_below(seed, 3)
						      : 30 + test_random_below(seed, 3));
	return p;
}

static const struct prefix_row *naive_find(const struct prefix_table *t, const struct ip *ip,
					   uint8_t min_bits)
{
	const struct prefix_row *best = NULL;

	for (size_t i = 0; i < t->count; ++i) {
		const struct prefix_row *row = &t->rows[i];

		if (row->prefix.bits >= min_bits && prefix_has(&row->prefix, ip) &&
		    (!best || row->prefix.bits > best->prefix.bits ||
		     (row->prefix.bits == best->prefix.bits && row->order > best->order)))
			best = row;
	}
	return best;
}

/* All four-by-four corners of the space that the random prefixes can tell apart. */
static bool naive_covers(const struct prefix_table *t, uint8_t min_bits)
{
	for (unsigned int high = 0; high < 4; ++high)
		for (unsigned int low = 0; low < 8; ++low) {
			const struct ip at = {
				FAMILY_V4, { (uint8_t)(high << 6), 0, low >= 4, (uint8_t)(low % 4) }
			};

			if (!naive_find(t, &at, min_bits))
				return false;
		}
	return true;
}

static void matches_a_naive_table(void **state)
{
	uint64_t seed = 4;

	(void)state;
	for (int run = 0; run < 2000; ++run) {
		const size_t count = test_random_below(&seed, 12);
		const uint8_t min_bits = (uint8_t)test_random_below(&seed, 3);
		struct prefix_table t;

		prefix_table_init(&t);
		for (size_t i = 0; i < count; ++i) {
			const struct prefix p = random_prefix(&seed);

			assert_true(prefix_table_add(&t, &p, i, 0));
		}
		prefix_table_sort(&t);
		for (int i = 0; i < 16; ++i) {
			const struct ip at = random_prefix(&seed).ip;

			assert_ptr_equal(prefix_table_find(&t, &at, min_bits),
					 naive_find(&t, &at, min_bits));
		}
		assert_int_equal(prefix_table_covers_all(&t, FAMILY_V4, min_bits),
				 naive_covers(&t, min_bits));
		prefix_table_done(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_wins_and_of_equal_ones_the_last),
		cmocka_unit_test(knows_when_all_is_covered),
		cmocka_unit_test(matches_a_naive_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
