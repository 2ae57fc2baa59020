#include "net/dns_set.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "net/dns.h"

static void equals(struct buffer *b, const char *text)
{
	buffer_append(b, "", 1);
	assert_true(buffer_ok(b));
	assert_string_equal(b->bytes, text);
	buffer_done(b);
}

/* A tunnel with one peer and these; words are cut at blanks. */
static void make_tunnel(struct tunnel *t, const char *servers, const char *search,
			const char *allowed)
{
	char copy[256], *rest, *word;
	struct tunnel_prefix p = { .prefix.bits = 32 };

	tunnel_init(t);
	assert_true(tunnel_add_peer(t));
	strcpy(copy, servers);
	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(text_to_ip(word, &p.prefix.ip));
		assert_true(tunnel_add_prefix(&t->dns, &p));
	}
	strcpy(copy, search);
	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		assert_true(tunnel_add_text(&t->search, word, strlen(word), &(struct span){ 0 }));
	strcpy(copy, allowed);
	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(text_to_prefix(word, &p.prefix));
		assert_true(tunnel_add_allowed(t, 0, &p));
	}
}

static const struct {
	const char *servers, *search, *allowed, *prefix;
	bool quick;
	const char *text;
} tunnels[] = {
	{ "10.0.0.1", "", "10.0.0.0/24", "", false, "server=10.0.0.1" },
	{ "10.0.0.1 fd00::1", "a.example ~b", "10.0.0.0/24", "", false,
	  "server=10.0.0.1 server=fd00::1 search=a.example search=~b" },
	{ "10.0.0.1", "", "0.0.0.0/0", "", false, "server=10.0.0.1 all" },
	{ "10.0.0.1", "", "10.0.0.0/8 ::/0", "", false, "server=10.0.0.1 all" },
	{ "10.0.0.1", "", "0.0.0.0/1 128.0.0.0/1", "", false, "server=10.0.0.1 all" },
	{ "10.0.0.1", "", "::/1 8000::/1", "", false, "server=10.0.0.1 all" },
	{ "10.0.0.1", "", "0.0.0.0/1", "", false, "server=10.0.0.1" },
	{ "10.0.0.1", "", "128.0.0.0/1", "", false, "server=10.0.0.1" },
	{ "10.0.0.1", "", "0.0.0.0/1 8000::/1", "", false, "server=10.0.0.1" },
	{ "10.0.0.1", "", "0.0.0.0/2 128.0.0.0/1", "", false, "server=10.0.0.1" },
	{ "10.0.0.1", "", "", "tun.", true, "server=10.0.0.1 prefix=tun. quick" },
	{ "10.0.0.1", "a", "0.0.0.0/0", "tun.", true,
	  "server=10.0.0.1 search=a prefix=tun. all quick" },
};

static void a_tunnel_becomes_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(tunnels); ++i) {
		struct tunnel t;
		struct buffer b;

		make_tunnel(&t, tunnels[i].servers, tunnels[i].search, tunnels[i].allowed);
		buffer_init(&b);
		assert_true(dns_set_write(&t, tunnels[i].prefix, tunnels[i].quick, &b));
		equals(&b, tunnels[i].text);
		tunnel_done(&t);
	}
}

static const struct {
	const char *text;
	int status;
	const char *lines;      /* of all words */
	const char *some_lines; /* without "~" */
	const char *words;
} texts[] = {
	{ "server=10.0.0.1", 0, "nameserver 10.0.0.1\n", "nameserver 10.0.0.1\n",
	  "server=10.0.0.1" },
	{ "server=10.0.0.1 server=fd00::1 search=a.example search=b prefix=tun. all quick", 0,
	  "nameserver 10.0.0.1\nnameserver fd00::1\nsearch a.example b\n",
	  "nameserver 10.0.0.1\nnameserver fd00::1\nsearch a.example b\n",
	  "server=10.0.0.1 server=fd00::1 search=a.example search=b" },
	{ "server=10.0.0.1 search=~a search=b", 0, "nameserver 10.0.0.1\nsearch ~a b\n",
	  "nameserver 10.0.0.1\nsearch b\n", "server=10.0.0.1 search=b" },
	{ "server=10.0.0.1 search=~a", 0, "nameserver 10.0.0.1\nsearch ~a\n",
	  "nameserver 10.0.0.1\n", "server=10.0.0.1" },
	{ "", -EINVAL, NULL, NULL, NULL },
	{ "all", -EINVAL, NULL, NULL, NULL },
	{ "search=a", -EINVAL, NULL, NULL, NULL },
	{ "server=", -EINVAL, NULL, NULL, NULL },
	{ "server=10.0.0", -EINVAL, NULL, NULL, NULL },
	{ "server=10.0.0.1 search=", -EINVAL, NULL, NULL, NULL },
	{ "server=10.0.0.1 other", -EINVAL, NULL, NULL, NULL },
	{ "server=10.0.0.1 search=a\nnameserver", -EINVAL, NULL, NULL, NULL },
	{ "server=10.0.0.1 search=a\tb", -EINVAL, NULL, NULL, NULL },
	{ "server=10.0.0.1 prefix=0123456789012345678901234567890", 0, "nameserver 10.0.0.1\n",
	  "nameserver 10.0.0.1\n", "server=10.0.0.1" },
	{ "server=10.0.0.1 prefix=01234567890123456789012345678901", -EINVAL, NULL, NULL, NULL },
};

static void words_become_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(texts); ++i) {
		struct dns_set set;
		struct buffer b;
		const int status = dns_set_parse(texts[i].text, &set);

		if (status != texts[i].status)
			fail_msg("text %zu: %d", i, status);
		if (status < 0)
			continue;
		buffer_init(&b);
		dns_set_lines(&set, true, &b);
		equals(&b, texts[i].lines);
		dns_set_lines(&set, false, &b);
		equals(&b, texts[i].some_lines);
		dns_set_words(&set, &b);
		equals(&b, texts[i].words);
		dns_set_done(&set);
	}
}

static void switches_are_read(void **state)
{
	struct dns_set set;

	(void)state;
	assert_int_equal(dns_set_parse("server=10.0.0.1", &set), 0);
	assert_true(!set.all && !set.quick && !set.prefix[0]);
	dns_set_done(&set);
	assert_int_equal(dns_set_parse("server=10.0.0.1 prefix=tun. all", &set), 0);
	assert_true(set.all && !set.quick);
	assert_string_equal(set.prefix, "tun.");
	dns_set_done(&set);
	assert_int_equal(dns_set_parse("server=10.0.0.1 quick", &set), 0);
	assert_true(!set.all && set.quick);
	dns_set_done(&set);
}

/* What a person would type. */

static const struct {
	const char *name, *text;
	const char *add, *remove;
	bool on_disk;
} commands[] = {
	{ "resolvconf", "server=10.0.0.1 prefix=tun. quick", "resolvconf -a tun.wg0 -m 0 -x",
	  "resolvconf -d tun.wg0 -f", false },
	{ "resolvconf", "server=10.0.0.1", "resolvconf -a wg0 -m 0 -x", "resolvconf -d wg0 -f",
	  false },
	{ "resolved", "server=10.0.0.1", "resolvectl dns wg0 10.0.0.1", "resolvectl revert wg0",
	  false },
	{ "resolved", "server=10.0.0.1 server=fd00::1 search=a all",
	  "resolvectl dns wg0 10.0.0.1 fd00::1; resolvectl domain wg0 'a' '~.'; "
	  "resolvectl default-route wg0 yes",
	  "resolvectl revert wg0", false },
	{ "resolved", "server=10.0.0.1 search=a",
	  "resolvectl dns wg0 10.0.0.1; resolvectl domain wg0 'a'; "
	  "resolvectl default-route wg0 no",
	  "resolvectl revert wg0", false },
	{ "file", "server=10.0.0.1 search=a search=b",
	  "write to /etc/resolv.conf: nameserver 10.0.0.1 search a b", "restore /etc/resolv.conf",
	  true },
	{ "network-manager", "server=10.0.0.1",
	  "write to NetworkManager's global DNS: nameserver 10.0.0.1",
	  "restore NetworkManager's global DNS", true },
	{ "file", "damaged", "", "", true },
	{ "nothing", "damaged", "", "", false },
};

static void commands_are_what_a_person_would_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(commands); ++i) {
		struct item item = { .kind = ITEM_DNS, .link = "wg0" };
		char name[32], text[128];
		struct buffer b;

		strcpy(name, commands[i].name);
		strcpy(text, commands[i].text);
		item.name = name;
		item.text = text;
		buffer_init(&b);
		assert_int_equal(dns_command(&item, false, &b), commands[i].add[0] != '\0');
		equals(&b, commands[i].add);
		assert_int_equal(dns_command(&item, true, &b), commands[i].add[0] != '\0');
		equals(&b, commands[i].remove);
		assert_int_equal(dns_is_on_disk(&item), commands[i].on_disk);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_becomes_words),
		cmocka_unit_test(words_become_lines),
		cmocka_unit_test(switches_are_read),
		cmocka_unit_test(commands_are_what_a_person_would_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
