#include "wg/ratelimit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/time.h"
#include "support.h"

#define COST (50 * NS_PER_MS)

static const struct siphash_key hash_key = { 1, 2 };
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

static unsigned int allowed(struct ratelimit *r, const struct ip *ip, unsigned int n, uint64_t now)
{
	unsigned int sum = 0;

	while (n-- > 0)
		sum += ratelimit_allow(r, ip, now);
	return sum;
}

static void start_with(struct ratelimit *r, struct test_memory *m, size_t sets)
{
	test_memory_init(m);
	assert_true(ratelimit_init(r, &m->memory, sets, &hash_key));
}

static void stop(struct ratelimit *r, const struct test_memory *m)
{
	ratelimit_done(r);
	assert_int_equal(m->outstanding, 0);
}

/* Each row: so long after the row before, so many packets at once, so many of them pass. */
static const struct {
	uint64_t wait;
	unsigned int packets;
	unsigned int pass;
} rows[] = {
	{ 0, 5, 5 },
	{ 0, 1, 0 },
	{ COST - 1, 1, 0 },
	{ 1, 1, 1 },
	{ 0, 1, 0 },
	{ 2 * COST - 1, 3, 1 },
	{ 1, 3, 1 },
	{ 50 * NS_PER_MS, 3, 1 },
	{ 100 * NS_PER_MS, 3, 2 },
	{ 250 * NS_PER_MS - 1, 9, 4 },
	{ 1, 9, 1 },
	{ 250 * NS_PER_MS, 9, 5 },
	{ 999 * NS_PER_MS, 9, 5 },
	{ NS_PER_S - 1, 9, 5 },
	{ NS_PER_S, 9, 5 },
	{ 3600 * NS_PER_S, 9, 5 },
	{ 0, 9, 0 },
};

static void fd8_burst_and_refill_boundaries(void **state)
{
	const struct ip ips[] = { v4(0xc0000201), v6(0x20010db800000000, 1), v6(0, 1), v4(0) };
	struct test_memory m;
	struct ratelimit r;

	(void)state;
	for (size_t k = 0; k < ELEMENTS(ips); ++k) {
		uint64_t now = start;

		start_with(&r, &m, 4);
		for (size_t i = 0; i < ELEMENTS(rows); ++i) {
			now += rows[i].wait;
			assert_int_equal(allowed(&r, &ips[k], rows[i].packets, now), rows[i].pass);
		}
		stop(&r, &m);
	}
}

/* Threads read the clock before they queue up: a reading may be older than the last one. */
static void clock_a_little_behind_gives_no_credit(void **state)
{
	const struct ip ip = v4(1);
	struct test_memory m;
	struct ratelimit r;

	(void)state;
	start_with(&r, &m, 1);
	assert_int_equal(allowed(&r, &ip, 6, start), 5);
	assert_int_equal(allowed(&r, &ip, 6, start - NS_PER_S), 0);
	assert_int_equal(allowed(&r, &ip, 6, start), 0);
	assert_int_equal(allowed(&r, &ip, 6, start + COST), 1);
	stop(&r, &m);
}

static void fd9_v6_limited_per_64_and_table_bounded(void **state)
{
	const uint64_t net = 0x20010db800010000;
	const struct ip other = v6(net + 1, 0);
	struct test_memory m;
	struct ratelimit r;
	unsigned int pass = 0;
	size_t taken;

	(void)state;
	start_with(&r, &m, 1);
	taken = m.outstanding;
	for (uint64_t host = 0; host < 1000; ++host) {
		const struct ip ip = v6(net, host << 32 | host);

		pass += ratelimit_allow(&r, &ip, start);
	}
	assert_int_equal(pass, RATELIMIT_BURST);
	assert_int_equal(allowed(&r, &other, 9, start), RATELIMIT_BURST);

	/* A set of eight: two are taken, six more sources find a place, the rest is refused. */
	pass = 0;
	for (uint32_t i = 0; i < 1000; ++i) {
		const struct ip ip = v4(i);

		pass += ratelimit_allow(&r, &ip, start);
	}
	assert_int_equal(pass, RATELIMIT_WAYS - 2);
	assert_int_equal(allowed(&r, &other, 1, start + NS_PER_S - 1), 1);

	/* Those that were idle for a second give way, the one that was not stays. */
	pass = 0;
	for (uint32_t i = 1000; i < 2000; ++i) {
		const struct ip ip = v4(i);

		pass += ratelimit_allow(&r, &ip, start + NS_PER_S);
	}
	assert_int_equal(pass, RATELIMIT_WAYS - 1);
	assert_int_equal(allowed(&r, &other, 9, start + NS_PER_S), RATELIMIT_BURST - 1);
	assert_int_equal(m.outstanding, taken);
	assert_int_equal(m.takes, 1);
	stop(&r, &m);
}

static void families_do_not_share_a_bucket(void **state)
{
	const struct ip a = v4(0x7f000001), b = v6(0x7f000001, 0), c = v6(0x7f00000100000000, 0);
	struct test_memory m;
	struct ratelimit r;

	(void)state;
	start_with(&r, &m, 1);
	assert_int_equal(allowed(&r, &a, 9, start), RATELIMIT_BURST);
	assert_int_equal(allowed(&r, &b, 9, start), RATELIMIT_BURST);
	assert_int_equal(allowed(&r, &c, 9, start), RATELIMIT_BURST);
	stop(&r, &m);
}

/* One bucket per source, in a table that is large enough for all of them. */
static void matches_naive_buckets(void **state)
{
	enum { SOURCES = 64 };
	uint64_t tokens[SOURCES], last[SOURCES] = { 0 };
	uint64_t seed = 7, now = start;
	struct test_memory m;
	struct ratelimit r;

	(void)state;
	start_with(&r, &m, 1024);
	for (unsigned int round = 0; round < 100000; ++round) {
		const size_t k = test_random_below(&seed, SOURCES);
		const struct ip ip = k % 2 ? v4((uint32_t)k) : v6(k, test_random(&seed));
		bool expect;

		now += test_random_below(&seed, 2 * NS_PER_MS);
		tokens[k] = last[k] ? tokens[k] + now - last[k] : 5 * COST;
		if (tokens[k] > 5 * COST)
			tokens[k] = 5 * COST;
		last[k] = now;
		expect = tokens[k] >= COST;
		tokens[k] -= expect ? COST : 0;
		assert_int_equal(ratelimit_allow(&r, &ip, now), expect);
	}
	stop(&r, &m);
}

/* Which sources share a set must not be known to those who do not know the key. */
static void sets_depend_on_the_key(void **state)
{
	static const struct siphash_key other_key = { 3, 4 };
	struct test_memory m;
	struct ratelimit a, b;
	unsigned int differ = 0;

	(void)state;
	start_with(&a, &m, 2);
	assert_true(ratelimit_init(&b, &m.memory, 2, &other_key));
	for (uint32_t i = 0; i < 1000; ++i) {
		const struct ip ip = v4(i << 8);

		differ += ratelimit_allow(&a, &ip, start) != ratelimit_allow(&b, &ip, start);
	}
	assert_true(differ > 0);
	ratelimit_done(&b);
	stop(&a, &m);
}

static void no_memory_no_table(void **state)
{
	struct test_memory m;
	struct ratelimit r;

	(void)state;
	test_memory_init(&m);
	test_memory_fail(&m, 1, false);
	assert_false(ratelimit_init(&r, &m.memory, 8, &hash_key));
	assert_false(ratelimit_init(&r, &m.memory, SIZE_MAX / 2 + 1, &hash_key));
	stop(&r, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fd8_burst_and_refill_boundaries),
		cmocka_unit_test(clock_a_little_behind_gives_no_credit),
		cmocka_unit_test(fd9_v6_limited_per_64_and_table_bounded),
		cmocka_unit_test(families_do_not_share_a_bucket),
		cmocka_unit_test(matches_naive_buckets),
		cmocka_unit_test(sets_depend_on_the_key),
		cmocka_unit_test(no_memory_no_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
