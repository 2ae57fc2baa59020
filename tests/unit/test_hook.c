#include "config/hook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "support.h"

/* "a b|c": words with blanks, commands with bars. */
static void print(const struct hook *h, char *ret, size_t room)
{
	size_t at = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < h->command_count; ++i)
		for (size_t k = 0; k < h->commands[i].count; ++k)
			at += (size_t)snprintf(ret + at, room - at, "%s%s",
					       k   ? "\1"
					       : i ? "\2"
						   : "",
					       h->commands[i].words[k].text);
}

static void splits(void **state)
{
	static const struct {
		const char *text;
		const char *words; /* \1 between words, \2 between commands */
	} table[] = {
		{ "", "" },
		{ "   ", "" },
		{ "a", "a" },
		{ " a  b\tc ", "a\1b\1c" },
		{ "a; b", "a\2b" },
		{ "a;;b;", "a\2b" },
		{ "a && b || c | d & e\nf", "a\2b\2c\2d\2e\2f" },
		{ "a 'b; c' d", "a\1'b; c'\1d" },
		{ "a \"b && c\" d", "a\1\"b && c\"\1d" },
		{ "a \"b \\\" ; c\" d", "a\1\"b \\\" ; c\"\1d" },
		{ "a 'b \\' ; c", "a\1'b \\'\2c" },
		{ "a $(b $(c; d) e) f", "a\1$(b $(c; d) e)\1f" },
		{ "wg set %i private-key <(cat /k; true)",
		  "wg\1set\1%i\1private-key\1<(cat /k; true)" },
		{ "a `b; c` d", "a\1`b; c`\1d" },
		{ "a\\;b c", "a\\;b\1c" },
		{ "a 'never closed; b", "a\1'never closed; b" },
		{ "a $(never closed; b", "a\1$(never closed; b" },
		{ "a\\", "a\\" },
		{ "a '\\", "a\1'\\" },
		{ "a)b", "a)b" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		char text[256];
		struct hook h;

		assert_true(hook_parse(table[i].text, strlen(table[i].text), &h));
		print(&h, text, sizeof(text));
		assert_string_equal(text, table[i].words);
		for (size_t k = 0; k < h.word_count; ++k)
			assert_memory_equal(table[i].text + h.words[k].at, h.words[k].text,
					    strlen(h.words[k].text));
		hook_done(&h);
	}
}

static void knows_programs(void **state)
{
	static const struct {
		const char *text;
		bool iptables;
		bool ip;
	} table[] = {
		{ "iptables -A X", true, false },
		{ "/usr/sbin/ip6tables -A X", true, false },
		{ "iptables-legacy -A X", true, false },
		{ "iptables-save", false, false },
		{ "ip rule add", false, true },
		{ "/sbin/ip rule add", false, true },
		{ "zip rule", false, false },
		{ "sudo iptables -A X", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		struct hook h;

		assert_true(hook_parse(table[i].text, strlen(table[i].text), &h));
		assert_int_equal(hook_is_iptables(&h.commands[0]), table[i].iptables);
		assert_int_equal(hook_is(&h.commands[0].words[0], "ip"), table[i].ip);
		hook_done(&h);
	}
}

static void finds_options(void **state)
{
	static const char text[] = "iptables -t nat -A POSTROUTING -o eth0 -j";
	struct hook h;

	(void)state;
	assert_true(hook_parse(text, strlen(text), &h));
	assert_string_equal(hook_option(&h.commands[0], "-o", "--out-interface")->text, "eth0");
	assert_string_equal(hook_option(&h.commands[0], "--append", "-A")->text, "POSTROUTING");
	assert_null(hook_option(&h.commands[0], "-j", NULL)); /* nothing follows */
	assert_null(hook_option(&h.commands[0], "-i", NULL));
	assert_true(hook_has_word(&h.commands[0], "nat"));
	assert_false(hook_has_word(&h.commands[0], "na"));
	hook_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits),
		cmocka_unit_test(knows_programs),
		cmocka_unit_test(finds_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
