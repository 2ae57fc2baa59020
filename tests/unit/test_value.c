#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "support.h"

#define KEY "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="

/* A copy of exactly the text, so that a sanitizer sees one byte too many. */
static char *exact(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	return copy;
}

struct number_row {
	const char *text;
	enum value_error error;
	uint64_t value;
};

static const uint64_t untouched = 77;

#define CHECK_NUMBERS(function, type, rows)                                                  \
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {                                        \
		const size_t len = strlen((rows)[i].text);                                   \
		char *text = exact((rows)[i].text, len);                                     \
		type value = (type)untouched;                                                \
                                                                                             \
		if (function(text, len, &value) != (rows)[i].error)                          \
			fail_msg(#function " of %s", (rows)[i].text);                        \
		assert_int_equal(value,                                                      \
				 (rows)[i].error ? (type)untouched : (type)(rows)[i].value); \
		free(text);                                                                  \
	}

static void ports(void **state)
{
	static const struct number_row rows[] = {
		{ "", VALUE_EMPTY, 0 },
		{ "0", VALUE_OK, 0 },
		{ "51820", VALUE_OK, 51820 },
		{ "65535", VALUE_OK, 65535 },
		{ "065535", VALUE_OK, 65535 },
		{ "00000000000000000000000007", VALUE_OK, 7 },
		{ "65536", VALUE_PORT_RANGE, 0 },
		{ "99999999999999999999", VALUE_PORT_RANGE, 0 },
		{ "-1", VALUE_PORT_NAME, 0 },
		{ "+1", VALUE_PORT_NAME, 0 },
		{ " 1", VALUE_PORT_NAME, 0 },
		{ "1 ", VALUE_PORT_NAME, 0 },
		{ "0x1", VALUE_PORT_NAME, 0 },
		{ "domain", VALUE_PORT_NAME, 0 },
		{ "99999999999a", VALUE_PORT_NAME, 0 },
		{ "1a", VALUE_PORT_NAME, 0 },
		{ "\xb2", VALUE_PORT_NAME, 0 },
	};

	(void)state;
	CHECK_NUMBERS(value_port, uint16_t, rows);
}

static void fwmarks(void **state)
{
	static const struct number_row rows[] = {
		{ "off", VALUE_OK, 0 },
		{ "OFF", VALUE_OK, 0 },
		{ "0", VALUE_OK, 0 },
		{ "010", VALUE_OK, 10 },
		{ "0x10", VALUE_OK, 16 },
		{ "0xCa6c", VALUE_OK, 0xca6c },
		{ "4294967295", VALUE_OK, 0xffffffff },
		{ "0xffffffff", VALUE_OK, 0xffffffff },
		{ "0x000000000001", VALUE_OK, 1 },
		{ "4294967296", VALUE_FWMARK, 0 },
		{ "0x100000000", VALUE_FWMARK, 0 },
		{ "", VALUE_FWMARK, 0 },
		{ "0x", VALUE_FWMARK, 0 },
		{ "0X10", VALUE_FWMARK, 0 },
		{ "x10", VALUE_FWMARK, 0 },
		{ "0xg", VALUE_FWMARK, 0 },
		{ "0x-1", VALUE_FWMARK, 0 },
		{ "0x0x1", VALUE_FWMARK, 0 },
		{ "-1", VALUE_FWMARK, 0 },
		{ "1a", VALUE_FWMARK, 0 },
		{ "offf", VALUE_FWMARK, 0 },
		{ "of", VALUE_FWMARK, 0 },
	};

	(void)state;
	CHECK_NUMBERS(value_fwmark, uint32_t, rows);
}

static void keepalives(void **state)
{
	static const struct number_row rows[] = {
		{ "off", VALUE_OK, 0 },        { "Off", VALUE_OK, 0 },
		{ "0", VALUE_OK, 0 },          { "025", VALUE_OK, 25 },
		{ "65535", VALUE_OK, 65535 },  { "65536", VALUE_KEEPALIVE, 0 },
		{ "", VALUE_KEEPALIVE, 0 },    { "-1", VALUE_KEEPALIVE, 0 },
		{ "25s", VALUE_KEEPALIVE, 0 }, { "0x19", VALUE_KEEPALIVE, 0 },
	};

	(void)state;
	CHECK_NUMBERS(value_keepalive, uint16_t, rows);
}

static void mtus_and_tables(void **state)
{
	static const struct number_row mtus[] = {
		{ "68", VALUE_OK, 68 },    { "67", VALUE_MTU, 0 }, { "65535", VALUE_OK, 65535 },
		{ "65536", VALUE_MTU, 0 }, { "", VALUE_MTU, 0 },   { "auto", VALUE_MTU, 0 },
	};
	static const struct number_row tables[] = {
		{ "1", VALUE_OK, 1 },       { "4294967295", VALUE_OK, 4294967295 },
		{ "0x1F", VALUE_OK, 31 },   { "0", VALUE_TABLE, 0 },
		{ "0x0", VALUE_TABLE, 0 },  { "4294967296", VALUE_TABLE, 0 },
		{ "main", VALUE_TABLE, 0 }, { "", VALUE_TABLE, 0 },
	};

	(void)state;
	CHECK_NUMBERS(value_mtu, uint16_t, mtus);
	CHECK_NUMBERS(value_table, uint32_t, tables);
}

/* 44 characters of canonical base64, and nothing else: nothing that a shell would run, either. */
static void fc3_keys(void **state)
{
	static const char *const bad[] = {
		"",
		"=",
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk",
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk==",
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBml=",
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmkk",
		"yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBm =",
		KEY KEY,
		"$(reboot);`reboot`;&reboot|reboot>/x;#AAAAA=",
		"yAnz5TF-lXXJte14tji3zlMNq_hd2rYUIgJBgB3fBmk=",
	};
	uint8_t key[KEY_LEN], same[KEY_LEN];
	char again[TEXT_KEY_BASE64];
	char *text = exact(KEY, 44);

	(void)state;
	assert_int_equal(value_key(text, 44, key), VALUE_OK);
	free(text);
	text_base64_from_key(key, again);
	assert_string_equal(again, KEY);
	memcpy(same, key, sizeof(key));
	for (size_t i = 0; i < ELEMENTS(bad); ++i) {
		text = exact(bad[i], strlen(bad[i]));
		assert_int_equal(value_key(text, strlen(bad[i]), key), VALUE_KEY);
		assert_memory_equal(key, same, sizeof(key));
		free(text);
	}
	text = exact(KEY, 44);
	text[20] = '\0';
	assert_int_equal(value_key(text, 44, key), VALUE_KEY);
	free(text);
}

static void endpoints(void **state)
{
	static const struct {
		const char *text;
		enum value_error error;
		const char *host;
		const char *port;
	} rows[] = {
		{ "a:1", VALUE_OK, "a", "1" },
		{ "[::1]:5", VALUE_OK, "::1", "5" },
		{ "[a]:b", VALUE_OK, "a", "b" },
		{ "[]:1", VALUE_OK, "", "1" },
		{ ":1", VALUE_OK, "", "1" },
		{ "::1:5", VALUE_OK, "::1", "5" },
		{ "a:b:c", VALUE_OK, "a:b", "c" },
		{ "[a]:1:2", VALUE_OK, "a", "1:2" },
		{ "a]:1", VALUE_OK, "a]", "1" },
		{ "[[a]:1", VALUE_OK, "[a", "1" },
		{ "", VALUE_EMPTY, NULL, NULL },
		{ "a", VALUE_ENDPOINT_PORT, NULL, NULL },
		{ "a:", VALUE_ENDPOINT_PORT, NULL, NULL },
		{ ":", VALUE_ENDPOINT_PORT, NULL, NULL },
		{ "[::1", VALUE_ENDPOINT_BRACKET, NULL, NULL },
		{ "[", VALUE_ENDPOINT_BRACKET, NULL, NULL },
		{ "[a]", VALUE_ENDPOINT_PORT, NULL, NULL },
		{ "[a]:", VALUE_ENDPOINT_PORT, NULL, NULL },
		{ "[a]1", VALUE_ENDPOINT_PORT, NULL, NULL },
		{ "[a]11", VALUE_ENDPOINT_PORT, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const size_t len = strlen(rows[i].text);
		char *text = exact(rows[i].text, len);
		struct value_endpoint e = { .host = "untouched" };

		if (value_endpoint(text, len, &e) != rows[i].error)
			fail_msg("%s", rows[i].text);
		if (rows[i].error) {
			assert_string_equal(e.host, "untouched");
		} else {
			assert_int_equal(e.host_len, strlen(rows[i].host));
			assert_memory_equal(e.host, rows[i].host, e.host_len);
			assert_int_equal(e.port_len, strlen(rows[i].port));
			assert_memory_equal(e.port, rows[i].port, e.port_len);
			assert_int_equal(e.bracketed, rows[i].text[0] == '[');
		}
		free(text);
	}
}

static void allowed(void **state)
{
	static const struct {
		const char *text;
		enum value_error error;
		const char *prefix;
		char sign;
		bool has_bits;
	} rows[] = {
		{ "10.0.0.0/8", VALUE_OK, "10.0.0.0/8", 0, true },
		{ "10.1.2.3/8", VALUE_OK, "10.1.2.3/8", 0, true },
		{ "10.1.2.3", VALUE_OK, "10.1.2.3/32", 0, false },
		{ "10.1.2.3/032", VALUE_OK, "10.1.2.3/32", 0, true },
		{ "fd00::/0", VALUE_OK, "fd00::/0", 0, true },
		{ "FD00::1", VALUE_OK, "fd00::1/128", 0, false },
		{ "+1.2.3.4/1", VALUE_OK, "1.2.3.4/1", '+', true },
		{ "-::/0", VALUE_OK, "::/0", '-', true },
		{ "", VALUE_IP, NULL, 0, false },
		{ "+", VALUE_IP, NULL, 0, false },
		{ "/8", VALUE_IP, NULL, 0, false },
		{ "++1.2.3.4", VALUE_IP, NULL, 0, false },
		{ "1.2.3", VALUE_IP, NULL, 0, false },
		{ "01.2.3.4", VALUE_IP, NULL, 0, false },
		{ "1.2.3.4 /8", VALUE_IP, NULL, 0, false },
		{ "a.example/8", VALUE_IP, NULL, 0, false },
		{ "fe80::1%lo/64", VALUE_IP, NULL, 0, false },
		{ "1.2.3.4/", VALUE_BITS, NULL, 0, false },
		{ "1.2.3.4/33", VALUE_BITS, NULL, 0, false },
		{ "1.2.3.4/4294967304", VALUE_BITS, NULL, 0, false },
		{ "::/129", VALUE_BITS, NULL, 0, false },
		{ "1.2.3.4/-1", VALUE_BITS, NULL, 0, false },
		{ "1.2.3.4/8/8", VALUE_BITS, NULL, 0, false },
		{ "1.2.3.4/255.0.0.0", VALUE_BITS, NULL, 0, false },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555", VALUE_IP, NULL, 0, false },
	};
	char again[TEXT_PREFIX];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const size_t len = strlen(rows[i].text);
		char *text = exact(rows[i].text, len);
		struct value_allowed a = { .sign = 'x' };

		if (value_allowed(text, len, &a) != rows[i].error)
			fail_msg("%s", rows[i].text);
		if (rows[i].error) {
			assert_int_equal(a.sign, 'x');
		} else {
			text_from_prefix(&a.prefix, again);
			assert_string_equal(again, rows[i].prefix);
			assert_int_equal(a.sign, rows[i].sign);
			assert_int_equal(a.has_bits, rows[i].has_bits);
		}
		free(text);
	}
}

static void nul_is_no_end(void **state)
{
	struct value_allowed a;
	uint16_t port;
	struct ip ip;

	(void)state;
	assert_int_equal(value_ip("1.2.3.4\0", 8, &ip), VALUE_IP);
	assert_int_equal(value_allowed("1.2.3.4/8\0", 10, &a), VALUE_BITS);
	assert_int_equal(value_port("1\0", 2, &port), VALUE_PORT_NAME);
	assert_false(value_equals("off\0", 4, "off"));
}

static void lists(void **state)
{
	static const struct {
		const char *text;
		bool blanks;
		const char *items; /* each in <> */
	} rows[] = {
		{ "", false, "<>" },
		{ "", true, "" },
		{ "a", false, "<a>" },
		{ "a,b", false, "<a><b>" },
		{ " a , b ", false, "<a><b>" },
		{ "a b,c", false, "<a b><c>" },
		{ "a,", false, "<a><>" },
		{ ",a", false, "<><a>" },
		{ "a,,b", false, "<a><><b>" },
		{ "a,,b,", true, "<a><b>" },
		{ "a b\tc , d", true, "<a><b><c><d>" },
		{ " ", true, "" },
		{ ",", true, "" },
		{ ",", false, "<><>" },
	};
	char seen[100];

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const size_t len = strlen(rows[i].text);
		char *text = exact(rows[i].text, len);
		struct value_list list = { .text = text, .len = len, .blanks = rows[i].blanks };
		const char *item;
		size_t n, used = 0;

		seen[0] = '\0';
		while (value_next(&list, &item, &n))
			used += (size_t)snprintf(seen + used, sizeof(seen) - used, "<%.*s>", (int)n,
						 item);
		assert_string_equal(seen, rows[i].items);
		assert_false(value_next(&list, &item, &n));
		free(text);
	}
}

static void strips_blanks(void **state)
{
	char out[4];
	size_t len = 9;

	(void)state;
	assert_true(value_strip(" a\tb\v\f\r\nc d ", 11, out, 4, &len));
	assert_int_equal(len, 4);
	assert_memory_equal(out, "abcd", 4);
	assert_false(value_strip("abcde", 5, out, 4, &len));
	assert_true(value_strip("", 0, out, 0, &len));
	assert_int_equal(len, 0);
	for (int c = 0; c < 256; ++c)
		assert_int_equal(value_is_blank((char)c), c == ' ' || c == '\t' || c == '\n' ||
								  c == '\v' || c == '\f' ||
								  c == '\r');
}

static void switches(void **state)
{
	bool on = false;

	(void)state;
	assert_int_equal(value_bool("TRUE", 4, &on), VALUE_OK);
	assert_true(on);
	assert_int_equal(value_yes("yes", 3, &on), VALUE_OK);
	assert_int_equal(value_yes("y", 1, &on), VALUE_SWITCH);
	assert_int_equal(value_yes("true", 4, &on), VALUE_SWITCH);
	assert_int_equal(value_bool("yes", 3, &on), VALUE_SWITCH);
	assert_int_equal(value_bool("", 0, &on), VALUE_SWITCH);
	assert_true(on);
	assert_int_equal(value_bool("false", 5, &on), VALUE_OK);
	assert_false(on);
	assert_int_equal(value_yes("No", 2, &on), VALUE_OK);
}

static void addresses(void **state)
{
	static const struct {
		const char *text;
		enum value_error error;
		const char *prefix;
		bool has_bits;
	} rows[] = {
		{ "10.0.0.2/24", VALUE_OK, "10.0.0.2/24", true },
		{ "10.0.0.2", VALUE_OK, "10.0.0.2/32", false },
		{ "fd00::2/64", VALUE_OK, "fd00::2/64", true },
		{ "10.0.0.2/255.255.255.0", VALUE_OK, "10.0.0.2/24", true },
		{ "10.0.0.2/255.255.255.252", VALUE_OK, "10.0.0.2/30", true },
		{ "10.0.0.2/255.255.255.255", VALUE_OK, "10.0.0.2/32", true },
		{ "10.0.0.2/0.0.0.0", VALUE_OK, "10.0.0.2/0", true },
		{ "10.0.0.2/255.0.255.0", VALUE_BITS, NULL, false },
		{ "10.0.0.2/0.0.0.255", VALUE_BITS, NULL, false },
		{ "10.0.0.2/ffff::", VALUE_BITS, NULL, false },
		{ "fd00::2/255.255.255.0", VALUE_BITS, NULL, false },
		{ "fd00::2/ffff::", VALUE_BITS, NULL, false },
		{ "ten/255.255.255.0", VALUE_IP, NULL, false },
		{ "10.0.0.2/33", VALUE_BITS, NULL, false },
		{ "+10.0.0.2/24", VALUE_IP, NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct value_allowed a = { 0 };
		char text[TEXT_PREFIX];

		assert_int_equal(value_address(rows[i].text, strlen(rows[i].text), &a),
				 rows[i].error);
		if (rows[i].error != VALUE_OK)
			continue;
		text_from_prefix(&a.prefix, text);
		assert_string_equal(text, rows[i].prefix);
		assert_int_equal(a.has_bits, rows[i].has_bits);
	}
}

/* What text_from_prefix writes is read as the same. */
static void random_prefixes(void **state)
{
	uint64_t seed = 5;

	(void)state;
	for (int run = 0; run < 20000; ++run) {
		struct prefix p = { .ip.family = run & 1 ? FAMILY_V6 : FAMILY_V4 };
		struct value_allowed again;
		char text[TEXT_PREFIX];

		test_random_fill(&seed, p.ip.bytes, run & 1 ? 16 : 4);
		p.bits = (uint8_t)test_random_below(&seed, ip_bits(&p.ip) + 1);
		text_from_prefix(&p, text);
		assert_int_equal(value_address(text, strlen(text), &again), VALUE_OK);
		assert_true(ip_equal(&p.ip, &again.prefix.ip));
		assert_int_equal(p.bits, again.prefix.bits);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports),           cmocka_unit_test(fwmarks),
		cmocka_unit_test(keepalives),      cmocka_unit_test(mtus_and_tables),
		cmocka_unit_test(fc3_keys),        cmocka_unit_test(endpoints),
		cmocka_unit_test(allowed),         cmocka_unit_test(nul_is_no_end),
		cmocka_unit_test(lists),           cmocka_unit_test(strips_blanks),
		cmocka_unit_test(switches),        cmocka_unit_test(addresses),
		cmocka_unit_test(random_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
