#include "net/foreign.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "config/tunnel_read.h"
#include "net/foreign_decide.h"

/*
 * Rule sets and what is put into them. The same with real managers and packets is in
 * tests/netns/test_foreign.py.
 */
enum { ROOM = 1024 };

static const char *link_name = "wg0";

#define BOTH "Address = 10.8.0.1/24, fd08::1/64\n#: Forward = yes\n"
#define FORWARD "Address = 10.8.0.1/24\n#: Forward = yes\n"
#define OPEN "ListenPort = 51820\n#: OpenPort = 80/tcp\n"

static void read_tunnel(const char *keys, struct tunnel *ret)
{
	char text[ROOM];
	struct config_file f;
	struct diags diags;

	(void)snprintf(text, sizeof(text), "[Interface]\n%s", keys);
	assert_int_equal(file_parse(&f, "wg0.conf", text, strlen(text)), 0);
	diags_init(&diags);
	assert_true(tunnel_read(&f, ret, &diags));
	assert_int_equal(diags.errors, 0);
	diags_done(&diags);
	file_done(&f);
}

/* "docker: iptables-nft DOCKER-USER in; …" */
static void print_places(const char *keys, const struct ruleset *r, const struct foreign_host *h,
			 char ret[static ROOM])
{
	struct items items;
	struct tunnel t;
	size_t at = 0;

	ret[0] = '\0';
	read_tunnel(keys, &t);
	items_init(&items);
	assert_true(foreign_places(&t, link_name, r, h, &items));
	for (size_t i = 0; i < items.count; ++i)
		at += (size_t)snprintf(ret + at, ROOM - at, "%s%s: %s", at ? "; " : "",
				       items.rows[i].name, items.rows[i].text);
	items_done(&items);
	tunnel_done(&t);
}

struct row {
	const char *keys;
	const char *rules;
	const char *places;
};

static void check_saves(const struct row *rows, size_t count, const struct foreign_host *h)
{
	for (size_t i = 0; i < count; ++i) {
		char places[ROOM];
		struct ruleset r;

		assert_int_equal(ruleset_from_save(rows[i].rules, strlen(rows[i].rules), "ip", &r),
				 0);
		print_places(rows[i].keys, &r, h, places);
		assert_string_equal(places, rows[i].places);
		ruleset_done(&r);
	}
}

#define F "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n"
#define F_DROP "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [1:2]\n"
#define IN_OUT "iptables: iptables-nft FORWARD in; iptables: iptables-nft FORWARD out"
#define PORTS "iptables: iptables-nft INPUT 51820/udp; iptables: iptables-nft INPUT 80/tcp"

static void places_by_iptables(void **state)
{
	static const struct foreign_host host = { .has_iptables = true };
	static const struct row rows[] = {
		{ FORWARD, "", "" },
		{ FORWARD, F, "" },
		{ FORWARD, F_DROP, IN_OUT },
		{ "Address = 10.8.0.1/24\n", F_DROP, "" },
		{ "Address = fd08::1/64\n#: Forward = yes\n", F_DROP, "" },
		{ FORWARD, "*mangle\n:FORWARD DROP [0:0]\nCOMMIT\n" F, "" },
		/* D3 */
		{ FORWARD, F_DROP ":DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n",
		  "docker: iptables-nft DOCKER-USER in; docker: iptables-nft DOCKER-USER out" },
		{ FORWARD, F_DROP ":DOCKER-USER - [0:0]\n", IN_OUT }, /* nobody asks it */
		{ FORWARD,
		  F_DROP ":DOCKER-USER - [0:0]\n-A FORWARD -j DROP\n-A FORWARD -j DOCKER-USER\n",
		  IN_OUT }, /* or too late */
		/* D4: asked by those who may have returned */
		{ OPEN,
		  "*filter\n:INPUT DROP [0:0]\n:not-local - [0:0]\n:ufw-user-input - [0:0]\n"
		  "-A INPUT -j not-local\n-A INPUT -j ufw-user-input\n"
		  "-A not-local -m addrtype --dst-type LOCAL -j RETURN\n-A not-local -j DROP\n",
		  "ufw: iptables-nft ufw-user-input 51820/udp; ufw: iptables-nft ufw-user-input "
		  "80/tcp" },
		/* D5 */
		{ FORWARD, F "-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n", IN_OUT },
		{ OPEN,
		  F "-A INPUT -p tcp -m state --state NEW -m tcp --dport 22 -j ACCEPT\n"
		    "-A INPUT -j REJECT\n",
		  PORTS },
		{ FORWARD, F "-A FORWARD -i wg0 -j ACCEPT\n-A FORWARD -j REJECT\n",
		  "iptables: iptables-nft FORWARD out" }, /* D7 */
		{ FORWARD,
		  F "-A FORWARD -i wg0 -j ACCEPT\n-A FORWARD -o wg0 -j ACCEPT\n"
		    "-A FORWARD -j REJECT\n",
		  "" },
		{ FORWARD, F "-A FORWARD -i wg0 -o wg0 -j DROP\n", /* D12 */
		  "iptables: iptables-nft FORWARD in" },
		{ FORWARD, F "-A FORWARD -p icmp -j ACCEPT\n-A FORWARD -j DROP\n", IN_OUT },
		/* what is not about us, or may not be */
		{ FORWARD, F "-A FORWARD -s 192.0.2.0/24 -j DROP\n", "" },
		{ FORWARD, F "-A FORWARD -i lo -j DROP\n-A FORWARD ! -i lo -s 1.2.3.4 -j DROP\n",
		  "" },
		{ FORWARD, F "-A FORWARD ! -i wg0 ! -o wg0 -j DROP\n", "" },
		{ FORWARD, F "-A FORWARD -i wg+ -j DROP\n", "iptables: iptables-nft FORWARD in" },
		{ FORWARD, F "-A FORWARD ! -i eth+ -j DROP\n",
		  "iptables: iptables-nft FORWARD in" },
		{ OPEN, F "-A INPUT -p udp -m udp --dport 51820 -j DROP\n",
		  "iptables: iptables-nft INPUT 51820/udp" },
		{ OPEN, F "-A INPUT -p udp -m multiport --dports 51820 -j DROP\n", "" },
		{ OPEN,
		  F "-A INPUT -p udp -m udp --dport 51000:52000 -j ACCEPT\n-A INPUT -j DROP\n",
		  "iptables: iptables-nft INPUT 80/tcp" },
		{ OPEN,
		  F "-A INPUT -p udp -m udp --dport 51821:52000 -j ACCEPT\n-A INPUT -j DROP\n",
		  PORTS },
		{ OPEN,
		  F "-A INPUT -p udp -m udp --dport 51000:51819 -j ACCEPT\n-A INPUT -j DROP\n",
		  PORTS },
		{ FORWARD, F "-A FORWARD ! -i lo -j DROP\n", IN_OUT },
		{ OPEN, F "-A INPUT -p tcp -j ACCEPT\n-A INPUT -j DROP\n",
		  "iptables: iptables-nft INPUT 51820/udp" },
		/* ways through chains */
		{ FORWARD,
		  F ":a - [0:0]\n:b - [0:0]\n-A FORWARD -j a\n-A a -i wg0 -j b\n-A a -g b\n"
		    "-A b -j DROP\n",
		  IN_OUT },
		{ FORWARD, F ":a - [0:0]\n-A FORWARD -j a\n-A a -j RETURN\n-A a -j DROP\n", "" },
		{ FORWARD, F_DROP ":a - [0:0]\n-A FORWARD -g a\n-A FORWARD -j ACCEPT\n", IN_OUT },
		{ FORWARD, F ":a - [0:0]\n-A FORWARD -j a\n-A a -j a\n-A FORWARD -j DROP\n",
		  IN_OUT },
		{ FORWARD, F "-A FORWARD -j LOG --log-prefix \"-j DROP\"\n", "" },
		/* ours are not there, and comments are no matches */
		{ FORWARD,
		  F "-A FORWARD -i wg0 -m comment --comment \"warren wg0 in\" -j ACCEPT\n"
		    "-A FORWARD -m comment --comment \"say \\\"no\\\"\" -j REJECT\n",
		  IN_OUT },
		{ FORWARD,
		  F "-A FORWARD -m comment --comment \"warren wg01 in\" -j ACCEPT\n"
		    "-A FORWARD -j REJECT\n",
		  "" },
		/* ListenPort is opened with others only */
		{ "ListenPort = 51820\n", F "-A INPUT -j DROP\n", "" },
		{ OPEN, F_DROP, "" },
	};

	(void)state;
	check_saves(rows, ELEMENTS(rows), &host);
}

static void places_by_other_means(void **state)
{
	static const struct foreign_host legacy = { .legacy = true, .has_iptables = true };
	static const struct foreign_host nft = { 0 };
	static const struct row old[] = {
		{ FORWARD, F_DROP,
		  "iptables: iptables-legacy FORWARD in; iptables: iptables-legacy FORWARD out" },
	};
	static const struct row bare[] = {
		{ FORWARD, F_DROP ":DOCKER-USER - [0:0]\n-A FORWARD -j DOCKER-USER\n",
		  "docker: nft ip filter DOCKER-USER in; docker: nft ip filter DOCKER-USER out" },
	};

	(void)state;
	check_saves(old, ELEMENTS(old), &legacy);
	check_saves(bare, ELEMENTS(bare), &nft);
}

#define TABLE(flags) "{\"table\":{\"family\":\"inet\",\"name\":\"firewalld\"" flags "}},"
#define CHAIN(hook, policy)                                                               \
	"{\"chain\":{\"family\":\"inet\",\"table\":\"firewalld\",\"name\":\"filter_" hook \
	"\",\"type\":\"filter\",\"hook\":\"" hook "\",\"prio\":10,\"policy\":\"" policy "\"}},"
#define RULE(hook, expr)                                                                  \
	"{\"rule\":{\"family\":\"inet\",\"table\":\"firewalld\",\"chain\":\"filter_" hook \
	"\",\"handle\":4,\"expr\":[" expr "]}}"
#define TAIL "{\"reject\":{\"type\":\"icmpx\",\"expr\":\"admin-prohibited\"}}"
#define SET(rows) "{\"nftables\":[{\"metainfo\":{}}," rows "]}"
#define MATCH(left, op, right) \
	"{\"match\":{\"op\":\"" op "\",\"left\":" left ",\"right\":" right "}}"
#define META(key) "{\"meta\":{\"key\":\"" key "\"}}"
#define PAYLOAD(protocol, field) \
	"{\"payload\":{\"protocol\":\"" protocol "\",\"field\":\"" field "\"}}"
#define VERDICT(v) ",{\"" v "\":null}"
#define ONE_FORWARD(expr) SET(CHAIN("forward", "accept") RULE("forward", expr))
#define ONE_INPUT(expr) SET(CHAIN("input", "accept") RULE("input", expr))
#define NFT_IN "firewalld: nft inet firewalld filter_forward in"
#define NFT_OUT "firewalld: nft inet firewalld filter_forward out"

static void places_by_nft(void **state)
{
	static const char *const zones[] = { "public", "home", "public", NULL };
	static const struct foreign_host host = { .has_iptables = true, .zones = zones };
	static const struct row rows[] = {
		{ FORWARD, SET(CHAIN("forward", "accept") RULE("forward", TAIL)), /* D9 */
		  NFT_IN "; " NFT_OUT },
		{ OPEN, SET(CHAIN("input", "accept") RULE("input", TAIL)), /* D8 */
		  "firewalld: nft inet firewalld filter_input 51820/udp; "
		  "firewalld: nft inet firewalld filter_input 80/tcp" },
		{ FORWARD, SET(CHAIN("forward", "drop") RULE("input", TAIL)), NFT_IN "; " NFT_OUT },
		{ FORWARD, SET(CHAIN("output", "drop") RULE("output", TAIL)), "" },
		{ OPEN,
		  SET("{\"chain\":{\"family\":\"ip\",\"table\":\"nat\",\"name\":\"in\",\"type\":"
		      "\"nat\",\"hook\":\"input\",\"policy\":\"drop\"}}"),
		  "" }, /* what does not filter */
		{ FORWARD,
		  SET("{\"chain\":{\"family\":\"ip\",\"table\":\"t\",\"name\":\"x; flush ruleset\","
		      "\"type\":\"filter\",\"hook\":\"forward\",\"policy\":\"drop\"}}"),
		  "" }, /* a name that would be more than one */
		{ FORWARD,
		  SET("{\"chain\":{\"family\":\"ip\",\"table\":\"-t\",\"name\":\"x\","
		      "\"type\":\"filter\",\"hook\":\"forward\",\"policy\":\"drop\"}}"),
		  "" },
		/* a table that its owner keeps for itself */
		{ FORWARD OPEN,
		  SET(TABLE(",\"flags\":[\"owner\",\"persist\"]") CHAIN("forward", "drop")
			      CHAIN("input", "drop") RULE("x", "")),
		  "firewalld: firewall-cmd trusted in; firewalld: firewall-cmd public 51820/udp; "
		  "firewalld: firewall-cmd home 51820/udp; firewalld: firewall-cmd public 80/tcp; "
		  "firewalld: firewall-cmd home 80/tcp" },
		{ FORWARD,
		  SET(TABLE(",\"flags\":\"owner\"") CHAIN("forward", "drop") RULE("x", "")),
		  "firewalld: firewall-cmd trusted in" },
		{ FORWARD,
		  SET(TABLE(",\"flags\":\"dormant\"") CHAIN("forward", "drop") RULE("x", "")),
		  NFT_IN "; " NFT_OUT },
		/* matches */
		{ FORWARD, ONE_FORWARD(MATCH(META("iifname"), "==", "\"wg0\"") VERDICT("drop")),
		  NFT_IN },
		{ FORWARD, ONE_FORWARD(MATCH(META("oifname"), "!=", "\"wg0\"") VERDICT("drop")),
		  NFT_IN },
		{ FORWARD,
		  ONE_FORWARD(MATCH(META("iifname"), "==", "{\"set\":[\"eth0\",\"wg*\"]}")
				      VERDICT("drop")),
		  NFT_IN },
		{ FORWARD, ONE_FORWARD(MATCH(META("iifname"), "==", "\"@links\"") VERDICT("drop")),
		  "" },
		{ FORWARD, ONE_FORWARD(MATCH(META("nfproto"), "==", "\"ipv6\"") VERDICT("drop")),
		  "" },
		{ BOTH, ONE_FORWARD(MATCH(META("nfproto"), "==", "\"ipv6\"") VERDICT("drop")),
		  NFT_IN "; " NFT_OUT },
		{ BOTH,
		  ONE_FORWARD(MATCH(PAYLOAD("ip", "daddr"), "==", "\"10.8.0.2\"") VERDICT("drop")),
		  "" },
		{ FORWARD,
		  ONE_FORWARD(MATCH("{\"ct\":{\"key\":\"state\"}}", "in", "[\"new\",\"invalid\"]")
				      VERDICT("drop")),
		  NFT_IN "; " NFT_OUT },
		{ FORWARD,
		  ONE_FORWARD(MATCH("{\"ct\":{\"key\":\"state\"}}", "==", "\"invalid\"")
				      VERDICT("drop")),
		  "" },
		{ FORWARD, ONE_FORWARD("{\"limit\":{\"rate\":1}}" VERDICT("drop")), "" },
		{ FORWARD, ONE_FORWARD("{\"counter\":{\"packets\":1}}" VERDICT("drop")),
		  NFT_IN "; " NFT_OUT },
		{ FORWARD, ONE_FORWARD("{\"xt\":{\"type\":\"target\",\"name\":\"REJECT\"}}"),
		  NFT_IN "; " NFT_OUT },
		{ FORWARD,
		  ONE_FORWARD(
			  "{\"xt\":{\"type\":\"match\",\"name\":\"conntrack\"}}" VERDICT("drop")),
		  "" },
		{ OPEN,
		  ONE_INPUT(MATCH(PAYLOAD("udp", "dport"), "==", "{\"range\":[51820,51821]}")
				    VERDICT("drop")),
		  "firewalld: nft inet firewalld filter_input 51820/udp" },
		{ OPEN,
		  ONE_INPUT(MATCH(PAYLOAD("udp", "dport"), "!=", "{\"set\":[53,[1]]}")
				    VERDICT("drop")),
		  "" }, /* a set that is not understood */
		{ OPEN,
		  ONE_INPUT(MATCH(PAYLOAD("udp", "dport"), "!=", "{\"set\":[53,80]}")
				    VERDICT("drop")),
		  "firewalld: nft inet firewalld filter_input 51820/udp" },
		{ OPEN, ONE_INPUT(MATCH(PAYLOAD("th", "dport"), "==", "80") VERDICT("drop")),
		  "firewalld: nft inet firewalld filter_input 80/tcp" },
		{ OPEN, ONE_INPUT(MATCH(META("l4proto"), "<", "6") VERDICT("drop")), "" },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		char places[ROOM];
		struct ruleset r;

		assert_int_equal(ruleset_from_json(rows[i].rules, strlen(rows[i].rules), &r), 0);
		print_places(rows[i].keys, &r, &host, places);
		assert_string_equal(places, rows[i].places);
		ruleset_done(&r);
	}
}

/* "wg+" would be every link whose name begins with "wg"; a port has no link in it. */
static void names_that_iptables_takes_for_a_pattern(void **state)
{
	static const char keys[] = FORWARD OPEN;
	static const char drops[] = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n";
	static const struct foreign_host host = { .has_iptables = true },
					 legacy = { .legacy = true };
	struct ruleset r;
	char places[ROOM];

	(void)state;
	link_name = "wg+";
	assert_int_equal(ruleset_from_save(drops, strlen(drops), "ip", &r), 0);
	print_places(keys, &r, &host, places);
	assert_string_equal(places, "iptables: nft ip filter FORWARD in; iptables: nft ip filter "
				    "FORWARD out; iptables: iptables-nft INPUT 51820/udp; "
				    "iptables: iptables-nft INPUT 80/tcp");
	print_places(keys, &r, &legacy, places);
	assert_string_equal(places, "iptables: iptables-legacy INPUT 51820/udp; iptables: "
				    "iptables-legacy INPUT 80/tcp");
	ruleset_done(&r);
	link_name = "wg0";
}

static void own_tables_are_no_places(void **state)
{
	static const char rules[] =
		SET("{\"chain\":{\"family\":\"inet\",\"table\":\"warren-wg1\",\"name\":\"forward\","
		    "\"type\":\"filter\",\"hook\":\"forward\",\"policy\":\"drop\"}},"
		    "{\"chain\":{\"family\":\"ip\",\"table\":\"wg-quick-wg1\",\"name\":\"x\","
		    "\"type\":\"filter\",\"hook\":\"forward\",\"policy\":\"drop\"}}");
	static const struct foreign_host host = { 0 };
	char places[ROOM];
	struct ruleset r;

	(void)state;
	assert_int_equal(ruleset_from_json(rules, strlen(rules), &r), 0);
	print_places(FORWARD, &r, &host, places);
	assert_string_equal(places, "");
	ruleset_done(&r);
}

static void what_is_no_rule_set(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{}", "{\"nftables\":{}}", "null" };
	struct ruleset r;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(texts); ++i)
		assert_int_equal(ruleset_from_json(texts[i], strlen(texts[i]), &r), -EINVAL);
}

static void commands(void **state)
{
	static const struct {
		const char *text;
		const char *add; /* NULL: it is none of ours */
		const char *remove;
	} rows[] = {
		{ "iptables-nft DOCKER-USER in",
		  "iptables-nft -w -I DOCKER-USER -i wg0 -m comment --comment \"warren wg0 in\" -j "
		  "ACCEPT",
		  "iptables-nft -w -D DOCKER-USER -i wg0 -m comment --comment \"warren wg0 in\" -j "
		  "ACCEPT" },
		{ "ip6tables-legacy INPUT 51820/udp",
		  "ip6tables-legacy -w -I INPUT -p udp --dport 51820 -m comment --comment \"warren "
		  "wg0 51820/udp\" -j ACCEPT",
		  "ip6tables-legacy -w -D INPUT -p udp --dport 51820 -m comment --comment \"warren "
		  "wg0 51820/udp\" -j ACCEPT" },
		{ "nft inet firewalld filter_FORWARD out",
		  "nft insert rule inet firewalld filter_FORWARD oifname \"wg0\" accept comment "
		  "\"warren wg0 out\"",
		  "nft delete rule inet firewalld filter_FORWARD # warren wg0 out" },
		{ "nft inet filter input 80/tcp",
		  "nft insert rule inet filter input tcp dport 80 accept comment \"warren wg0 "
		  "80/tcp\"",
		  "nft delete rule inet filter input # warren wg0 80/tcp" },
		{ "firewall-cmd public 51820/udp",
		  "firewall-cmd --zone=public --add-port=51820/udp",
		  "firewall-cmd --zone=public --remove-port=51820/udp" },
		{ "firewall-cmd trusted in", "firewall-cmd --zone=trusted --add-interface=wg0",
		  "firewall-cmd --zone=trusted --remove-interface=wg0" },
		{ "", NULL, NULL },
		{ "nft inet filter input", NULL, NULL },
		{ "nft inet filter input 80/sctp", NULL, NULL },
		{ "nft inet filter input x/tcp", NULL, NULL },
		{ "nft inet filter input 123456789/tcp", NULL, NULL },
		{ "nft inet filter input 80/tcp more", NULL, NULL },
		{ "iptables-nft INPUT sideways", NULL, NULL },
		{ "rm -rf in", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct item item = { .kind = ITEM_FOREIGN, .link = "wg0" };
		struct buffer b;

		assert_true(item_set_texts(&item, "somebody", rows[i].text));
		for (int remove = 0; remove < 2; ++remove) {
			const char *want = remove ? rows[i].remove : rows[i].add;

			buffer_init(&b);
			assert_int_equal(foreign_command(&item, remove, &b), want != NULL);
			buffer_append(&b, "", 1);
			assert_true(buffer_ok(&b));
			assert_string_equal(b.bytes, want ? want : "");
			buffer_done(&b);
		}
		item_done(&item);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_by_iptables),
		cmocka_unit_test(places_by_other_means),
		cmocka_unit_test(places_by_nft),
		cmocka_unit_test(own_tables_are_no_places),
		cmocka_unit_test(what_is_no_rule_set),
		cmocka_unit_test(commands),
		cmocka_unit_test(names_that_iptables_takes_for_a_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
