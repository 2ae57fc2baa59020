#include "config/peer_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

/* The name of the last section. */
static void check(const char *text, const char *name)
{
	struct config_file f;
	struct peer_name found;

	assert_int_equal(file_parse(&f, "", text, strlen(text)), 0);
	peer_name_find(&f, f.section_count - 1, &found);
	if ((found.text == NULL) != (name == NULL) ||
	    (name && (found.len != strlen(name) || memcmp(found.text, name, found.len) != 0)))
		fail_msg("%s: %.*s", text, (int)found.len, found.text ? found.text : "");
	file_done(&f);
}

static void names_as_tools_write_them(void **state)
{
	static const struct {
		const char *text;
		const char *name;
	} rows[] = {
		{ "[Peer]\nPublicKey = x\n", NULL },
		{ "[Peer]\n# laptop\nPublicKey = x\n", "laptop" },
		{ "[Peer] # laptop\nPublicKey = x\n", "laptop" },
		{ "# laptop\n[Peer]\nPublicKey = x\n", "laptop" },
		{ "# above\n[Peer] # header\n# inside\n", "header" },
		{ "# above\n[Peer]\n# inside\n", "inside" },
		{ "# first\n# second\n[Peer]\n", "second" },
		{ "# far\n\n[Peer]\n", NULL },
		{ "[Peer]\n# friendly_name=OnePlus 6T\nPublicKey = x\n", "OnePlus 6T" },
		{ "[Peer]\nPublicKey = x\n# friendly_name = late\n", "late" },
		{ "[Peer]\n# plain\n#friendly_name=better\n", "better" },
		{ "### Client phone\n[Peer]\n", "phone" },
		{ "### begin phone ###\n[Peer]\n", "phone" },
		{ "[Peer]\nPublicKey=x\n### end phone ###\n### begin desk ###\n[Peer]\n", "desk" },
		{ "# BEGIN_PEER desk\n[Peer]\n", "desk" },
		{ "[Peer]\nPublicKey=x\n# END_PEER desk\n[Peer]\n", NULL },
		{ "# Client: Bob (8d6f0000-0000-0000-0000-000000000000)\n[Peer]\n", "Bob" },
		{ "# Client: Bob (home)\n[Peer]\n", "Bob (home)" },
		{ "# Name: Bob\n# Email: bob@example\n[Peer]\n", "Bob" },
		{ "[Peer]\n#Name# = Bob\n", "Bob" },
		{ "[Peer]\n#PublicKey = x\n#AllowedIPs = y\n", NULL },
		{ "#[Peer]\n#PublicKey = x\n[Peer]\n", NULL },
		{ "[Peer]\n##########\n", NULL },
		{ "[Peer]\nPublicKey = x\n# the key was changed\n", NULL },
		{ "[Peer]\n#: Name = Bob #1\n# friendly_name=Al\n", "Bob #1" },
		{ "[Peer]\n#: Name = a\n#: Name = b\n", "b" },
		{ "[Peer]\n#: Name = a\n#: Name = \x01\n", "a" },
		{ "[Peer]\n# caf\xc3\xa9\n", "caf\xc3\xa9" },
		{ "[Peer]\n# caf\xe9\n", NULL },
		{ "[Peer]\n# a\x1b[2J\n", NULL },
		{ "[Peer]\n# a\xe2\x80\xa8"
		  "b\n",
		  NULL },
		{ "[Peer]\n# 0123456789012345678901234567890123456789012345678901234567890123\n",
		  "0123456789012345678901234567890123456789012345678901234567890123" },
		{ "[Peer]\n# 01234567890123456789012345678901234567890123456789012345678901234\n",
		  NULL },
		{ "[Peer]\n#\n#  \n# x\n", "x" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i)
		check(rows[i].text, rows[i].name);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_as_tools_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
