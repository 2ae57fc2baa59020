#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <net/if.h>
#include <sodium.h>

#include "base/bytes.h"
#include "support.h"

/* What stands in an output before a call, to see that a failure leaves it alone. */
static const uint8_t untouched = 0xa5;

static void assert_untouched(const void *p, size_t len)
{
	const uint8_t *bytes = p;

	for (size_t i = 0; i < len; ++i)
		assert_int_equal(bytes[i], untouched);
}

static void hex_rows(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		bool good;
		uint8_t bytes[3];
	} table[] = {
		{ "", 0, true, { 0 } },
		{ "00", 1, true, { 0 } },
		{ "aF09Ff", 3, true, { 0xaf, 0x09, 0xff } },
		{ "", 1, false, { 0 } },
		{ "0", 1, false, { 0 } },
		{ "000", 1, false, { 0 } },
		{ "0000", 1, false, { 0 } },
		{ "00", 2, false, { 0 } },
		{ "0g", 1, false, { 0 } },
		{ "g0", 1, false, { 0 } },
		{ " 0", 1, false, { 0 } },
		{ "0\n", 1, false, { 0 } },
		{ "+1", 1, false, { 0 } },
		{ "0x", 1, false, { 0 } },
		{ "00000g", 3, false, { 0 } },
	};
	uint8_t bytes[3];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		memset(bytes, untouched, sizeof(bytes));
		if (text_hex_to_bytes(table[i].text, bytes, table[i].len) != table[i].good)
			fail_msg("row %zu", i);
		if (table[i].good)
			assert_memory_equal(bytes, table[i].bytes, table[i].len);
		else
			assert_untouched(bytes, sizeof(bytes));
	}
}

/* Each character at each place, against a look-up in the alphabet. */
static void hex_every_character(void **state)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	static const uint8_t values[] = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,
					  11, 12, 13, 14, 15, 10, 11, 12, 13, 14, 15 };

	(void)state;
	for (int c = 1; c < 256; ++c) {
		const char *at = strchr(digits, c);
		const char high[] = { (char)c, '7', '\0' }, low[] = { '7', (char)c, '\0' };
		uint8_t byte = untouched;

		assert_int_equal(text_hex_to_bytes(high, &byte, 1), at != NULL);
		assert_int_equal(byte, at ? values[at - digits] << 4 | 7 : untouched);
		byte = untouched;
		assert_int_equal(text_hex_to_bytes(low, &byte, 1), at != NULL);
		assert_int_equal(byte, at ? 0x70 | values[at - digits] : untouched);
	}
}

static void hex_against_libsodium(void **state)
{
	uint8_t bytes[40], back[40];
	char text[81], expected[81];
	uint64_t seed = 3;

	(void)state;
	for (size_t len = 0; len <= sizeof(bytes); ++len) {
		test_random_fill(&seed, bytes, sizeof(bytes));
		text_hex_from_bytes(bytes, len, text);
		sodium_bin2hex(expected, sizeof(expected), bytes, len);
		assert_string_equal(text, expected);
		assert_true(text_hex_to_bytes(text, back, len));
		assert_memory_equal(back, bytes, len);
	}
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char zero_key[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

static bool is_canonical(size_t place, int c)
{
	const char *at = strchr(alphabet, c);

	if (place == 43)
		return c == '=';
	return at && (place < 42 || (at - alphabet) % 4 == 0);
}

/* Each character at each place, against a look-up in the alphabet. */
static void base64_every_character(void **state)
{
	uint8_t key[KEY_LEN], expected[KEY_LEN];
	char text[TEXT_KEY_BASE64];
	size_t len;

	(void)state;
	assert_int_equal(strlen(zero_key), 44);
	for (size_t place = 0; place < 44; ++place) {
		for (int c = 1; c < 256; ++c) {
			memcpy(text, zero_key, sizeof(text));
			text[place] = (char)c;
			memset(key, untouched, sizeof(key));
			if (text_base64_to_key(text, key) != is_canonical(place, c))
				fail_msg("character %d at %zu", c, place);
			if (!is_canonical(place, c)) {
				assert_untouched(key, sizeof(key));
				continue;
			}
			assert_int_equal(sodium_base642bin(expected, sizeof(expected), text, 44,
							   NULL, &len, NULL,
							   sodium_base64_VARIANT_ORIGINAL),
					 0);
			assert_int_equal(len, KEY_LEN);
			assert_memory_equal(key, expected, sizeof(key));
		}
	}
}

static void base64_length(void **state)
{
	uint8_t key[KEY_LEN];
	char text[100];

	(void)state;
	for (size_t len = 0; len < sizeof(text); ++len) {
		memset(text, 'A', len);
		text[len] = '\0';
		if (len > 0)
			text[len - 1] = '=';
		memset(key, untouched, sizeof(key));
		assert_int_equal(text_base64_to_key(text, key), len == 44);
		if (len != 44)
			assert_untouched(key, sizeof(key));
	}
	(void)snprintf(text, sizeof(text), "%s\n", zero_key);
	assert_false(text_base64_to_key(text, key));
	(void)snprintf(text, sizeof(text), " %s", zero_key);
	assert_false(text_base64_to_key(text, key));
	(void)snprintf(text, sizeof(text), "%.43s", zero_key);
	assert_false(text_base64_to_key(text, key));
	(void)snprintf(text, sizeof(text), "%.42s==", zero_key);
	assert_false(text_base64_to_key(text, key));
}

static void base64_against_libsodium(void **state)
{
	char text[TEXT_KEY_BASE64], expected[TEXT_KEY_BASE64];
	uint8_t key[KEY_LEN], back[KEY_LEN];
	uint64_t seed = 4;

	(void)state;
	for (int run = 0; run < 2000; ++run) {
		test_random_fill(&seed, key, sizeof(key));
		text_base64_from_key(key, text);
		sodium_bin2base64(expected, sizeof(expected), key, sizeof(key),
				  sodium_base64_VARIANT_ORIGINAL);
		assert_string_equal(text, expected);
		assert_true(text_base64_to_key(text, back));
		assert_memory_equal(back, key, sizeof(key));
	}
}

static void uint_rows(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool good;
		uint64_t value;
	} table[] = {
		{ "0", 0, true, 0 },
		{ "0", 65535, true, 0 },
		{ "1", 0, false, 0 },
		{ "9", 9, true, 9 },
		{ "9", 8, false, 0 },
		{ "5", 3, false, 0 },
		{ "10", 9, false, 0 },
		{ "10", 10, true, 10 },
		{ "65535", 65535, true, 65535 },
		{ "65536", 65535, false, 0 },
		{ "99999", 65535, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "28446744073709551615", UINT64_MAX, false, 0 },
		{ "184467440737095516150", UINT64_MAX, false, 0 },
		{ "", 9, false, 0 },
		{ "00", 9, false, 0 },
		{ "01", 9, false, 0 },
		{ "+1", 9, false, 0 },
		{ "-1", UINT64_MAX, false, 0 },
		{ "-0", 9, false, 0 },
		{ " 1", 9, false, 0 },
		{ "1 ", 9, false, 0 },
		{ "1\n", 9, false, 0 },
		{ "0x1", 9, false, 0 },
		{ "1e1", 99, false, 0 },
		{ "1:", 99, false, 0 },
		{ "1/", 99, false, 0 },
		{ "\xb2", 99, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		uint64_t value = 77;

		if (text_to_uint(table[i].text, table[i].max, &value) != table[i].good)
			fail_msg("row %zu: %s", i, table[i].text);
		assert_int_equal(value, table[i].good ? table[i].value : 77);
	}
}

/* `again` is the text that comes back; NULL where the text is refused. */
struct text_row {
	const char *text;
	const char *again;
};

static void ip_rows(void **state)
{
	static const struct text_row table[] = {
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "192.0.2.10", "192.0.2.10" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "2001:DB8::1", "2001:db8::1" },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "::ffff:c000:201", "::ffff:192.0.2.1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "", NULL },
		{ "1", NULL },
		{ "1.2.3", NULL },
		{ "1.2.3.4.5", NULL },
		{ "1.2.3.256", NULL },
		{ "01.2.3.4", NULL },
		{ "0x1.2.3.4", NULL },
		{ "1.2.3.4 ", NULL },
		{ " 1.2.3.4", NULL },
		{ "1.2.3.4\n", NULL },
		{ "1.2.3.-4", NULL },
		{ "localhost", NULL },
		{ ":", NULL },
		{ ":::", NULL },
		{ "1::2::3", NULL },
		{ "::12345", NULL },
		{ "::g", NULL },
		{ "::1%lo", NULL },
		{ "[::1]", NULL },
		{ "::1 ", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL },
	};
	char text[TEXT_IP];
	struct ip ip;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		memset(&ip, untouched, sizeof(ip));
		if (text_to_ip(table[i].text, &ip) != (table[i].again != NULL))
			fail_msg("row %zu: %s", i, table[i].text);
		if (!table[i].again) {
			assert_untouched(&ip, sizeof(ip));
			continue;
		}
		text_from_ip(&ip, text);
		assert_string_equal(text, table[i].again);
	}
}

static void ip_bytes(void **state)
{
	static const struct ip v4 = { .family = FAMILY_V4, .bytes = { 192, 0, 2, 1 } };
	static const struct ip v6 = { .family = FAMILY_V6,
				      .bytes = { 0x20, 1, 0xd, 0xb8, [15] = 7 } };
	static const struct ip mapped = { .family = FAMILY_V6,
					  .bytes = { [10] = 255, 255, 192, 0, 2, 1 } };
	struct ip ip;

	(void)state;
	assert_true(text_to_ip("192.0.2.1", &ip));
	assert_true(ip_equal(&ip, &v4));
	assert_true(text_to_ip("2001:db8::7", &ip));
	assert_true(ip_equal(&ip, &v6));
	assert_true(text_to_ip("::ffff:192.0.2.1", &ip));
	assert_true(ip_equal(&ip, &mapped));
}

static void prefix_rows(void **state)
{
	static const struct text_row table[] = {
		{ "10.0.0.0/8", "10.0.0.0/8" },
		{ "10.1.2.3/8", "10.1.2.3/8" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "1.2.3.4/32", "1.2.3.4/32" },
		{ "::/0", "::/0" },
		{ "fd00::1/64", "fd00::1/64" },
		{ "::1/128", "::1/128" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128" },
		{ "", NULL },
		{ "/", NULL },
		{ "/8", NULL },
		{ "10.0.0.0", NULL },
		{ "10.0.0.0/", NULL },
		{ "10.0.0.0/33", NULL },
		{ "::/129", NULL },
		{ "10.0.0.0/08", NULL },
		{ "10.0.0.0/-1", NULL },
		{ "10.0.0.0/+8", NULL },
		{ "10.0.0.0/8 ", NULL },
		{ "10.0.0.0/8/8", NULL },
		{ "10.0.0.0/255.0.0.0", NULL },
		{ "10.0.0/8", NULL },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555/128", NULL },
	};
	char text[TEXT_PREFIX];
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		memset(&p, untouched, sizeof(p));
		if (text_to_prefix(table[i].text, &p) != (table[i].again != NULL))
			fail_msg("row %zu: %s", i, table[i].text);
		if (!table[i].again) {
			assert_untouched(&p, sizeof(p));
			continue;
		}
		text_from_prefix(&p, text);
		assert_string_equal(text, table[i].again);
	}
}

static void endpoint_rows(void **state)
{
	static const struct text_row table[] = {
		{ "192.0.2.1:51820", "192.0.2.1:51820" },
		{ "192.0.2.1:1", "192.0.2.1:1" },
		{ "255.255.255.255:65535", "255.255.255.255:65535" },
		{ "[::1]:51820", "[::1]:51820" },
		{ "[2001:DB8::1]:65535", "[2001:db8::1]:65535" },
		{ "[::ffff:192.0.2.1]:9", "[::ffff:192.0.2.1]:9" },
		{ "[fe80::1]:9", "[fe80::1]:9" },
		{ "[fe80::1%4294967295]:9", "[fe80::1%4294967295]:9" },
		{ "[febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535",
		  "[febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535" },
		{ "", NULL },
		{ ":", NULL },
		{ ":51820", NULL },
		{ "192.0.2.1", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:0", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:051820", NULL },
		{ "192.0.2.1:+1", NULL },
		{ "192.0.2.1:http", NULL },
		{ "192.0.2.1:51820 ", NULL },
		{ " 192.0.2.1:51820", NULL },
		{ "192.0.2.1%lo:9", NULL },
		{ "[192.0.2.1]:9", NULL },
		{ "::1:9", NULL },
		{ "[::1:9", NULL },
		{ "::1]:9", NULL },
		{ "[]:9", NULL },
		{ "[:9", NULL },
		{ "[::1]9", NULL },
		{ "[::1]", NULL },
		{ "[[::1]]:9", NULL },
		{ "[::1%]:9", NULL },
		{ "[fe80::1%]:9", NULL },
		{ "[fe80::1%0]:9", NULL },
		{ "[fe80::1%01]:9", NULL },
		{ "[fe80::1%4294967296]:9", NULL },
		{ "[fe80::1%no-such-link]:9", NULL },
		{ "[fe80::1%99999999999999999999999999999999999999999999999]:9", NULL },
		{ "[2001:db8::1%4294967295]:9", NULL },
		{ "[fec0::1%4294967295]:9", NULL },
		{ "[ff02::1%4294967295]:9", NULL },
		{ "example.com:9", NULL },
	};
	char text[TEXT_ENDPOINT];
	struct endpoint e;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		memset(&e, untouched, sizeof(e));
		if (text_to_endpoint(table[i].text, &e) != (table[i].again != NULL))
			fail_msg("row %zu: %s", i, table[i].text);
		if (!table[i].again) {
			assert_untouched(&e, sizeof(e));
			continue;
		}
		text_from_endpoint(&e, text);
		assert_string_equal(text, table[i].again);
	}
}

static void endpoint_fields(void **state)
{
	struct endpoint e;
	struct ip ip;

	(void)state;
	assert_true(text_to_endpoint("192.0.2.1:51820", &e));
	assert_true(text_to_ip("192.0.2.1", &ip));
	assert_true(endpoint_equal(&e, &(struct endpoint){ .ip = ip, .port = 51820 }));
	assert_true(text_to_endpoint("[fe80::1%4000000000]:513", &e));
	assert_true(text_to_ip("fe80::1", &ip));
	assert_true(endpoint_equal(
		&e, &(struct endpoint){ .ip = ip, .port = 513, .scope = 4000000000U }));
}

/* Each interface of this machine, by name and by number. */
static void endpoint_zone(void **state)
{
	struct if_nameindex *links = if_nameindex();
	char text[128], expected[128], again[TEXT_ENDPOINT];
	struct endpoint e;

	(void)state;
	if (!links)
		skip();
	for (size_t i = 0; links[i].if_index != 0; ++i) {
		(void)snprintf(expected, sizeof(expected), "[fe80::2%%%s]:7", links[i].if_name);
		assert_true(text_to_endpoint(expected, &e));
		assert_int_equal(e.scope, links[i].if_index);
		text_from_endpoint(&e, again);
		assert_string_equal(again, expected);

		(void)snprintf(text, sizeof(text), "[fe80::2%%%u]:7", links[i].if_index);
		assert_true(text_to_endpoint(text, &e));
		assert_int_equal(e.scope, links[i].if_index);
		text_from_endpoint(&e, again);
		assert_string_equal(again, expected);

		e.ip.bytes[1] = 0x60; /* not link-local: a number stays one */
		(void)snprintf(expected, sizeof(expected), "[fe60::2%%%u]:7", links[i].if_index);
		text_from_endpoint(&e, again);
		assert_string_equal(again, expected);
	}
	if_freenameindex(links);
}

static void random_addresses(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (int run = 0; run < 5000; ++run) {
		const bool v4 = test_random_below(&seed, 2);
		struct prefix p = { .ip.family = v4 ? FAMILY_V4 : FAMILY_V6 }, q;
		struct endpoint e = { 0 }, f;
		char text[TEXT_ENDPOINT];

		test_random_fill(&seed, p.ip.bytes, v4 ? 4 : 16);
		for (uint64_t holes = test_random_below(&seed, 12); holes > 0; --holes)
			p.ip.bytes[test_random_below(&seed, v4 ? 4 : 16)] = 0;
		p.bits = (uint8_t)test_random_below(&seed, ip_bits(&p.ip) + 1);
		text_from_prefix(&p, text);
		assert_true(text_to_prefix(text, &q));
		assert_true(ip_equal(&p.ip, &q.ip) && p.bits == q.bits);

		e.ip = p.ip;
		e.port = (uint16_t)(1 + test_random_below(&seed, 65535));
		text_from_endpoint(&e, text);
		assert_true(text_to_endpoint(text, &f));
		assert_true(endpoint_equal(&e, &f));
	}
}

static void interface_names(void **state)
{
	static const char *const good[] = { "wg0", "a", "A_z-9+.=", "...",
					    ".a",  "-", "_",        "123456789012345" };
	static const char *const bad[] = { "",     ".",    "..",       "1234567890123456",
					   "wg 0", "wg/0", "../x",     "wg0\n",
					   "wg%d", "a:b",  "\xc3\xa4", "a,b",
					   "a*" };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(good); ++i) {
		if (!text_is_interface_name(good[i]))
			fail_msg("refused %s", good[i]);
	}
	for (size_t i = 0; i < ELEMENTS(bad); ++i) {
		if (text_is_interface_name(bad[i]))
			fail_msg("took %s", bad[i]);
	}
	for (int c = 1; c < 256; ++c) {
		const char name[] = { 'a', (char)c, '\0' };
		const bool fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
				  (c >= 'A' && c <= 'Z') || c == '_' || c == '=' || c == '+' ||
				  c == '.' || c == '-';

		assert_int_equal(text_is_interface_name(name), fine);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(hex_rows),
		cmocka_unit_test(hex_every_character),
		cmocka_unit_test(hex_against_libsodium),
		cmocka_unit_test(base64_every_character),
		cmocka_unit_test(base64_length),
		cmocka_unit_test(base64_against_libsodium),
		cmocka_unit_test(uint_rows),
		cmocka_unit_test(ip_rows),
		cmocka_unit_test(ip_bytes),
		cmocka_unit_test(prefix_rows),
		cmocka_unit_test(endpoint_rows),
		cmocka_unit_test(endpoint_fields),
		cmocka_unit_test(endpoint_zone),
		cmocka_unit_test(random_addresses),
		cmocka_unit_test(interface_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
