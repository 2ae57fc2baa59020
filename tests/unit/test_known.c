#include "wg/known.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"
#include "wg/net.h"

enum { SETS = 4 };

static const struct siphash_key hash_key = { 3, 4 };
static const uint64_t start = 1000 * NS_PER_S;

static struct ip v4(uint32_t address)
{
	struct ip ip = { .family = FAMILY_V4 };

	store32_be(ip.bytes, address);
	return ip;
}

static struct ip v6(uint64_t net, uint64_t host)
{
	struct ip ip = { .family = FAMILY_V6 };

	store64_be(ip.bytes, net);
	store64_be(ip.bytes + 8, host);
	return ip;
}

static bool has(const struct known *k, struct ip ip, uint64_t now)
{
	return known_has(k, &ip, now);
}

static bool note(struct known *k, struct ip ip, uint64_t now)
{
	return known_note(k, &ip, now);
}

static size_t count(const struct known *k, uint64_t now)
{
	const struct known_place *p = NULL;
	size_t n = 0;

	while ((p = known_next(k, p, now)))
		++n;
	return n;
}

/* Each row: what is asked when that address alone was noted. */
static void one_address_is_one_source(void **state)
{
	static const uint64_t net = UINT64_C(0x20010db800010002);
	const struct {
		struct ip noted, asked;
		uint64_t later;
		bool known;
	} rows[] = {
		{ v4(0x0a000001), v4(0x0a000001), 0, true },
		{ v4(0x0a000001), v4(0x0a000002), 0, false },
		{ v4(0), v4(0), 0, true },
		{ v6(net, 1), v6(net, 1), 0, true },
		{ v6(net, 1), v6(net, ~UINT64_C(0)), 0, true },
		{ v6(net, 1), v6(net + 1, 1), 0, false },
		{ v6(0, 1), v4(0), 0, false },
		{ v6(0, 0), v6(0, 0), 0, true },
		{ v4(0x0a000001), v6(0x0a000001, 0), 0, false },
		{ v4(0x0a000001), v4(0x0a000001), KNOWN_AGE - 1, true },
		{ v4(0x0a000001), v4(0x0a000001), KNOWN_AGE, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct known_place places[SETS * KNOWN_WAYS] = { 0 };
		struct known k;

		known_init(&k, places, SETS, &hash_key);
		assert_false(has(&k, rows[i].noted, start));
		assert_int_equal(count(&k, start), 0);
		assert_true(note(&k, rows[i].noted, start));
		assert_false(note(&k, rows[i].noted, start));
		assert_int_equal(has(&k, rows[i].asked, start + rows[i].later), rows[i].known);
		assert_int_equal(count(&k, start + rows[i].later), rows[i].later < KNOWN_AGE);
		assert_true(note(&k, rows[i].noted, start + KNOWN_AGE));
		assert_true(has(&k, rows[i].noted, start + 2 * KNOWN_AGE - 1));
	}
}

static void families_are_told_apart(void **state)
{
	const struct ip addresses[] = { v4(0), v4(UINT32_MAX), v6(0, 0), v6(~UINT64_C(0), 0),
					v6(UINT64_C(0x20010db800010002), 0) };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(addresses); ++i)
		assert_int_equal(net_family(net_of(&addresses[i])), addresses[i].family);
}

/* One set against a list: whoever was noted least lately goes when a ninth comes. */
static void a_full_set_forgets_the_oldest(void **state)
{
	struct known_place places[KNOWN_WAYS] = { 0 };
	uint32_t model[KNOWN_WAYS];
	uint64_t seed = 5, now = start;
	size_t used = 0;
	struct known k;

	(void)state;
	known_init(&k, places, 1, &hash_key);
	for (unsigned int i = 0; i < 20000; ++i) {
		const uint32_t address = (uint32_t)test_random_below(&seed, 13);
		size_t at = 0;

		++now;
		while (at < used && model[at] != address)
			++at;
		assert_int_equal(has(&k, v4(address), now), at < used);
		if (test_random_below(&seed, 2))
			continue;
		assert_int_equal(note(&k, v4(address), now), at == used);
		if (at == used && used == KNOWN_WAYS)
			at = 0;
		else if (at == used)
			++used;
		memmove(model + at, model + at + 1, (used - 1 - at) * sizeof(*model));
		model[used - 1] = address;
		assert_int_equal(count(&k, now), used);
	}
}

/* Each that is known is met once, and nobody else. */
static void all_are_met(void **state)
{
	struct known_place places[64 * KNOWN_WAYS] = { 0 };
	const struct known_place *p = NULL;
	bool met[100] = { 0 };
	struct known k;
	size_t n = 0;

	(void)state;
	known_init(&k, places, 64, &hash_key);
	for (uint32_t i = 0; i < ELEMENTS(met); ++i)
		assert_true(note(&k, v4(i), start + i));
	while ((p = known_next(&k, p, start + KNOWN_AGE + 9))) {
		const uint32_t i = (uint32_t)p->net;

		assert_true(i >= 10 && i < ELEMENTS(met) && !met[i]);
		met[i] = true;
		++n;
	}
	assert_int_equal(n, ELEMENTS(met) - 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address_is_one_source),
		cmocka_unit_test(families_are_told_apart),
		cmocka_unit_test(a_full_set_forgets_the_oldest),
		cmocka_unit_test(all_are_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
