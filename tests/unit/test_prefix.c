#include "base/prefix.h"

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

static void masks(void **state)
{
	static const struct {
		const char *text;
		const char *masked;
	} table[] = {
		{ "10.1.2.3/8", "10.0.0.0/8" },
		{ "10.1.2.3/0", "0.0.0.0/0" },
		{ "10.1.2.3/32", "10.1.2.3/32" },
		{ "10.1.2.3/31", "10.1.2.2/31" },
		{ "10.1.2.255/25", "10.1.2.128/25" },
		{ "255.255.255.255/1", "128.0.0.0/1" },
		{ "255.255.255.255/9", "255.128.0.0/9" },
		{ "fd00:1:2:3::4/64", "fd00:1:2:3::/64" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0", "::/0" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/65", "ffff:ffff:ffff:ffff:8000::/65" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe/127" },
		{ "::1/128", "::1/128" },
	};
	char text[TEXT_PREFIX];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		struct prefix p = prefix(table[i].text);

		prefix_mask(&p);
		text_from_prefix(&p, text);
		assert_string_equal(text, table[i].masked);
	}
}

static void holds(void **state)
{
	static const struct {
		const char *prefix;
		const char *ip;
		bool has;
	} table[] = {
		{ "10.0.0.0/8", "10.255.255.255", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "9.255.255.255", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "::", false },
		{ "::/0", "0.0.0.0", false },
		{ "::/0", "ffff::1", true },
		{ "192.0.2.7/32", "192.0.2.7", true },
		{ "192.0.2.7/32", "192.0.2.6", false },
		{ "fd00::/127", "fd00::1", true },
		{ "fd00::/127", "fd00::2", false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		const struct prefix p = prefix(table[i].prefix);
		const struct ip address = ip(table[i].ip);

		if (prefix_has(&p, &address) != table[i].has)
			fail_msg("%s in %s", table[i].ip, table[i].prefix);
	}
}

static bool bit(const struct ip *a, unsigned int n)
{
	return a->bytes[n / 8] >> (7 - n % 8) & 1;
}

/* The same rules, bit by bit. */
static void against_naive(void **state)
{
	uint64_t seed = 2;

	(void)state;
	for (int run = 0; run < 20000; ++run) {
		const bool v4 = test_random_below(&seed, 2);
		struct prefix p = { .ip.family = v4 ? FAMILY_V4 : FAMILY_V6 }, masked;
		struct ip near;
		bool same = true;

		test_random_fill(&seed, p.ip.bytes, v4 ? 4 : 16);
		p.bits = (uint8_t)test_random_below(&seed, ip_bits(&p.ip) + 1);
		masked = p;
		prefix_mask(&masked);
		assert_int_equal(masked.bits, p.bits);
		for (unsigned int i = 0; i < 128; ++i)
			assert_int_equal(bit(&masked.ip, i), i < p.bits && bit(&p.ip, i));

		near = p.ip;
		for (uint64_t flips = test_random_below(&seed, 3); flips > 0; --flips) {
			const uint64_t n = test_random_below(&seed, ip_bits(&p.ip));

			near.bytes[n / 8] ^= (uint8_t)(0x80 >> n % 8);
		}
		for (unsigned int i = 0; i < p.bits; ++i)
			same = same && bit(&near, i) == bit(&p.ip, i);
		assert_int_equal(prefix_has(&masked, &near), same);
	}
}

static void families_and_equality(void **state)
{
	const struct ip v4 = ip("0.0.0.0"), v6 = ip("::");
	struct endpoint a = { .ip = v4, .port = 1 }, b = a;

	(void)state;
	assert_int_equal(ip_bits(&v4), 32);
	assert_int_equal(ip_bits(&v6), 128);
	assert_false(ip_equal(&v4, &v6));
	assert_true(endpoint_equal(&a, &b));
	b.port = 2;
	assert_false(endpoint_equal(&a, &b));
	b = a;
	b.scope = 1;
	assert_false(endpoint_equal(&a, &b));
	assert_true(endpoint_is_set(&a));
	assert_false(endpoint_is_set(&(struct endpoint){ .port = 1 }));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(masks),
		cmocka_unit_test(holds),
		cmocka_unit_test(against_naive),
		cmocka_unit_test(families_and_equality),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
