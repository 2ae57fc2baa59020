#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

/* By the book: every code point, written and read back. */
static size_t encode(uint32_t code, char ret[static 4])
{
	if (code < 0x80) {
		ret[0] = (char)code;
		return 1;
	}
	if (code < 0x800) {
		ret[0] = (char)(0xc0 | code >> 6);
		ret[1] = (char)(0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		ret[0] = (char)(0xe0 | code >> 12);
		ret[1] = (char)(0x80 | (code >> 6 & 0x3f));
		ret[2] = (char)(0x80 | (code & 0x3f));
		return 3;
	}
	ret[0] = (char)(0xf0 | code >> 18);
	ret[1] = (char)(0x80 | (code >> 12 & 0x3f));
	ret[2] = (char)(0x80 | (code >> 6 & 0x3f));
	ret[3] = (char)(0x80 | (code & 0x3f));
	return 4;
}

static void every_code_point(void **state)
{
	char text[4];
	uint32_t code;

	(void)state;
	for (uint32_t c = 0; c < 0x120000; ++c) {
		const size_t n = encode(c, text);
		const bool good = c < 0xd800 || (c >= 0xe000 && c <= 0x10ffff);

		assert_int_equal(utf8_next(text, n, &code), good ? n : 1);
		assert_int_equal(code, good ? c : UTF8_WRONG);
		assert_int_equal(utf8_is_valid(text, n), good);
		if (n > 1)
			assert_false(utf8_is_valid(text, n - 1));
	}
}

static void wrong_bytes(void **state)
{
	static const char *const rows[] = { "\x80",
					    "\xbf",
					    "\xc0\x80",
					    "\xc1\xbf",
					    "\xe0\x9f\xbf",
					    "\xf0\x8f\xbf\xbf",
					    "\xf4\x90\x80\x80",
					    "\xff",
					    "\xfe",
					    "\xc3"
					    "a",
					    "a\xc3",
					    "\xe2\x80"
					    "a" };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		assert_false(utf8_is_valid(rows[i], strlen(rows[i])));
	assert_true(utf8_is_valid("", 0));
	assert_true(utf8_is_valid("a\xc3\xa9z", 4));
}

static void controls(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 0x3000; ++c)
		assert_int_equal(utf8_is_control(c), c < 0x20 || c == 0x7f ||
							     (c >= 0x80 && c <= 0x9f) ||
							     c == 0x2028 || c == 0x2029);
	assert_false(utf8_is_control(UTF8_WRONG));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point),
		cmocka_unit_test(wrong_bytes),
		cmocka_unit_test(controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
