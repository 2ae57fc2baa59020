#include "config/strip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

/* What bash prints was looked at; tests/netns/test_quick.py asks it again. */
static void rows_of_wg_quick(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{ "", "" },
		{ "\n", "\n" },
		{ " \t", "" },
		{ "x", "x\n" },
		{ " \t x \t\n", "x\n" },
		{ "x\r\n", "x\r\n" },
		{ "Address = 1", "Address = 1\n" }, /* in no section */
		{ "[Interface]\nAddress = 1\nPrivateKey = k\n", "[Interface]\nPrivateKey = k\n" },
		{ "[interface]\naddress=1\n  MTU\t=1\nDNS\nTABLE=\n", "[interface]\n" },
		{ "[Interface] # c\r\nMTU = 1\r\n", "[Interface] # c\r\n" },
		{ "[Interface]=x\nMTU = 1\n", "[Interface]=x\n" },
		{ "[ Interface ]\nMTU = 1\n", "[ Interface ]\nMTU = 1\n" },
		{ "[Interface\nMTU = 1\n", "[Interface\nMTU = 1\n" },
		{ "[Interface]\n[Peer]\nMTU = 1\n", "[Interface]\n[Peer]\nMTU = 1\n" },
		{ "[Interface]\n[ # ]\nMTU = 1\n", "[Interface]\n[ # ]\nMTU = 1\n" },
		{ "[Interface]\n#[Peer]\nMTU = 1\n", "[Interface]\n#[Peer]\n" },
		{ "[Interface]\n# MTU = 1\nMTU#=1\nM TU = 1\n#: KillSwitch = yes\n",
		  "[Interface]\n# MTU = 1\nM TU = 1\n#: KillSwitch = yes\n" },
		{ "[Interface]\nPreUp=a\nPostUp=b # c\nPreDown=\nPostDown = x = y\nFwMark = 1\n",
		  "[Interface]\nFwMark = 1\n" },
		{ "[Interface]\nSaveConfig = TRUE # x\nSaveConfig=false\n", "[Interface]\n" },
		{ "[Peer]\nSaveConfig = maybe\n", "[Peer]\nSaveConfig = maybe\n" },
		{ "\xef\xbb\xbf[Interface]\nMTU = 1\n", "\xef\xbb\xbf[Interface]\nMTU = 1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct strip_wrong wrong;
		struct buffer b;

		buffer_init(&b);
		assert_int_equal(strip_bytes(rows[i].in, strlen(rows[i].in), &b, &wrong),
				 STRIP_DONE);
		if (b.len != strlen(rows[i].out) ||
		    (b.len && memcmp(b.bytes, rows[i].out, b.len) != 0))
			fail_msg("row %zu: `%.*s'", i, (int)b.len, b.bytes);
		buffer_done(&b);
	}
}

static void nul_is_nothing(void **state)
{
	static const char in[] = "a\0b\n\0\n\0c";
	struct strip_wrong wrong;
	struct buffer b;

	(void)state;
	buffer_init(&b);
	assert_int_equal(strip_bytes(in, sizeof(in) - 1, &b, &wrong), STRIP_DONE);
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.bytes, "ab\n\nc\n", 6);
	buffer_done(&b);
}

static void save_config_that_is_neither(void **state)
{
	static const struct {
		const char *in;
		const char *value;
		size_t line;
	} rows[] = {
		{ "[Interface]\nSaveConfig = maybe # x\n", "maybe", 2 },
		{ "\n[Interface]\nsaveconfig=\n", "", 3 },
		{ "[Interface]\nSaveConfig\n", "SaveConfig", 2 },
		{ "[Interface]\nSaveConfig = tru e", "tru e", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct strip_wrong wrong = { 0 };
		struct buffer b;

		buffer_init(&b);
		assert_int_equal(strip_bytes(rows[i].in, strlen(rows[i].in), &b, &wrong),
				 STRIP_SAVE_CONFIG);
		assert_int_equal(wrong.len, strlen(rows[i].value));
		assert_memory_equal(wrong.value, rows[i].value, wrong.len);
		assert_int_equal(wrong.line, rows[i].line);
		buffer_done(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_wg_quick),
		cmocka_unit_test(nul_is_nothing),
		cmocka_unit_test(save_config_that_is_neither),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
