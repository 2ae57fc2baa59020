#include "net/prefix_set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "support.h"

enum { TEXT = 512 };

static struct prefix prefix(const char *text)
{
	struct prefix p;

	assert_true(text_to_prefix(text, &p));
	return p;
}

static void fill(struct prefix_set *s, const char *texts)
{
	char copy[TEXT];
	char *rest = NULL;

	prefix_set_init(s);
	(void)snprintf(copy, sizeof(copy), "%s", texts);
	for (char *one = strtok_r(copy, " ", &rest); one; one = strtok_r(NULL, " ", &rest)) {
		const struct prefix p = prefix(one);

		assert_true(prefix_set_add(s, &p));
	}
	prefix_set_tidy(s);
}

static void print(const struct prefix_set *s, char ret[static TEXT])
{
	size_t at = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < s->count; ++i) {
		char text[TEXT_PREFIX];

		text_from_prefix(&s->rows[i], text);
		at += (size_t)snprintf(ret + at, TEXT - at, "%s%s", at ? " " : "", text);
	}
}

static void the_fewest_that_hold_the_same(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} table[] = {
		{ "", "" },
		{ "10.0.0.9/8", "10.0.0.0/8" },
		{ "10.0.0.0/8 10.0.0.0/8", "10.0.0.0/8" },
		{ "10.1.0.0/16 10.0.0.0/8 10.255.0.0/16", "10.0.0.0/8" },
		{ "fd00::/8 10.0.0.0/8", "10.0.0.0/8 fd00::/8" },
		{ "128.0.0.0/1 0.0.0.0/1", "0.0.0.0/0" },
		{ "::/1 8000::/1", "::/0" },
		{ "10.0.1.0/24 10.0.2.0/24", "10.0.1.0/24 10.0.2.0/24" }, /* no halves of one */
		{ "10.0.0.0/25 10.0.0.128/26 10.0.0.192/26", "10.0.0.0/24" },
		{ "10.0.0.1/32 10.0.0.0/32 10.0.0.2/31 10.0.0.4/30", "10.0.0.0/29" },
		{ "0.0.0.0/0 1.2.3.4/32 ::/0", "0.0.0.0/0 ::/0" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		struct prefix_set s;
		char out[TEXT];

		fill(&s, table[i].in);
		print(&s, out);
		assert_string_equal(out, table[i].out);
		prefix_set_done(&s);
	}
}

static void tells_what_it_holds(void **state)
{
	const struct prefix in = prefix("10.3.0.0/16"), wide = prefix("8.0.0.0/6");
	const struct prefix other = prefix("fd00::/16");
	struct prefix_set s;

	(void)state;
	fill(&s, "10.0.0.0/8 ::/0");
	assert_false(prefix_set_is_full(&s, FAMILY_V4));
	assert_true(prefix_set_is_full(&s, FAMILY_V6));
	assert_true(prefix_set_has_family(&s, FAMILY_V4));
	assert_true(prefix_set_covers(&s, &in));
	assert_false(prefix_set_covers(&s, &wide));
	assert_true(prefix_set_covers(&s, &other));
	prefix_set_done(&s);
	assert_false(prefix_set_has_family(&s, FAMILY_V4));
	assert_false(prefix_set_is_full(&s, FAMILY_V6));
}

/* The last byte of 192.0.2.0/24 as a map of 256. */
static void mark(bool map[static 256], const struct prefix *p)
{
	for (unsigned int i = 0; i < 256; ++i) {
		const struct ip ip = { .family = FAMILY_V4, .bytes = { 192, 0, 2, (uint8_t)i } };

		map[i] = map[i] || prefix_has(p, &ip);
	}
}

static void same_addresses_as_a_map(void **state)
{
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 2000; ++round) {
		bool want[256] = { false }, is[256] = { false };
		const size_t count = (size_t)test_random_below(&seed, 12);
		struct prefix_set s;
		size_t held = 0;

		prefix_set_init(&s);
		for (size_t i = 0; i < count; ++i) {
			struct prefix p = { .ip = { .family = FAMILY_V4, .bytes = { 192, 0, 2 } } };

			p.ip.bytes[3] = (uint8_t)test_random(&seed);
			p.bits = (uint8_t)(25 + test_random_below(&seed, 8));
			prefix_mask(&p);
			mark(want, &p);
			assert_true(prefix_set_add(&s, &p));
		}
		prefix_set_tidy(&s);
		for (size_t i = 0; i < s.count; ++i) {
			held += 1U << (32 - s.rows[i].bits);
			mark(is, &s.rows[i]);
		}
		assert_memory_equal(is, want, sizeof(is));
		for (size_t i = 0; i < 256; ++i)
			held -= is[i];
		assert_int_equal(held, 0); /* no two overlap */
		prefix_set_done(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_fewest_that_hold_the_same),
		cmocka_unit_test(tells_what_it_holds),
		cmocka_unit_test(same_addresses_as_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
