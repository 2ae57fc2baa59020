#include "net/item.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"

/*
 * Each line is an item as it stands in a journal, and beside it the commands that add it and take
 * it back; NULL: none worth a line.
 */
static const struct {
	const char *line, *add, *remove;
} rows[] = {
	{ "link link=wg0 by=kernel", "ip link add dev wg0 type wireguard",
	  "ip link delete dev wg0" },
	{ "link link=wg0 by=wireguard-go mark=51820", "wireguard-go wg0",
	  "ip link delete dev wg0" },
	{ "mtu link=wg0 size=1420", "ip link set mtu 1420 dev wg0", NULL },
	{ "address link=wg0 prefix=10.0.0.2/24", "ip -4 address add 10.0.0.2/24 dev wg0",
	  "ip -4 address delete 10.0.0.2/24 dev wg0" },
	{ "address link=wg0 prefix=fd00::2/64", "ip -6 address add fd00::2/64 dev wg0",
	  "ip -6 address delete fd00::2/64 dev wg0" },
	{ "route link=wg0 kind=unicast prefix=10.0.0.0/8 table=254 metric=0",
	  "ip -4 route add 10.0.0.0/8 dev wg0", "ip -4 route delete 10.0.0.0/8 dev wg0" },
	{ "route link=wg0 kind=unicast prefix=::/0 table=51820 metric=0",
	  "ip -6 route add ::/0 dev wg0 table 51820",
	  "ip -6 route delete ::/0 dev wg0 table 51820" },
	{ "route link=wg0 kind=unreachable prefix=0.0.0.0/0 table=51820 metric=4294967295",
	  "ip -4 route add unreachable 0.0.0.0/0 metric 4294967295 table 51820",
	  "ip -4 route delete unreachable 0.0.0.0/0 metric 4294967295 table 51820" },
	{ "route link=wg0 kind=throw prefix=10.1.0.0/16 table=51820 metric=0",
	  "ip -4 route add throw 10.1.0.0/16 table 51820",
	  "ip -4 route delete throw 10.1.0.0/16 table 51820" },
	{ "route link=wg0 kind=blackhole prefix=10.1.0.0/16 table=254 metric=7",
	  "ip -4 route add blackhole 10.1.0.0/16 metric 7",
	  "ip -4 route delete blackhole 10.1.0.0/16 metric 7" },
	{ "route link=wg0 kind=prohibit prefix=fd00::/16 table=254 metric=0",
	  "ip -6 route add prohibit fd00::/16", "ip -6 route delete prohibit fd00::/16" },
	{ "rule link=wg0 family=4 priority=32765 not=1 mark=51820 mask=4294967295 table=51820 "
	  "suppress=-1",
	  "ip -4 rule add not fwmark 51820 table 51820",
	  "ip -4 rule delete not fwmark 51820 table 51820 priority 32765" },
	{ "rule link=wg0 family=6 priority=32764 not=0 mark=0 mask=0 table=254 suppress=0",
	  "ip -6 rule add table main suppress_prefixlength 0",
	  "ip -6 rule delete table main suppress_prefixlength 0 priority 32764" },
	{ "rule link=wg0 family=4 priority=7 not=0 mark=1 mask=255 table=9 suppress=-1",
	  "ip -4 rule add fwmark 1/0xff table 9",
	  "ip -4 rule delete fwmark 1/0xff table 9 priority 7" },
	{ "switch link=wg0 path=net/ipv4/conf/all/src_valid_mark value=1 old=0",
	  "sysctl -q net.ipv4.conf.all.src_valid_mark=1",
	  "sysctl -q net.ipv4.conf.all.src_valid_mark=0" },
	{ "switch link=wg0 path=net/ipv6/conf/eth0.7/accept_ra value=2 old=1",
	  "sysctl -q net.ipv6.conf.eth0/7.accept_ra=2",
	  "sysctl -q net.ipv6.conf.eth0/7.accept_ra=1" },
	{ "table link=wg0 name=inet%20warren-wg0 text=chain%20x%20{%0a}%0a",
	  "nft -f - # table inet warren-wg0", "nft delete table inet warren-wg0" },
	{ "table link=wg0 name=inet%20warren-wg0", "nft -f - # table inet warren-wg0",
	  "nft delete table inet warren-wg0" },
	{ "foreign link=wg0 name=docker text=a%25b", "docker: a%b", "docker: undo a%b" },
	{ "foreign link=wg0 name=ufw text=iptables-nft%20ufw-user-input%201/udp",
	  "iptables-nft -w -I ufw-user-input -p udp --dport 1 -m comment --comment \"warren wg0 "
	  "1/udp\" -j "
	  "ACCEPT",
	  "iptables-nft -w -D ufw-user-input -p udp --dport 1 -m comment --comment \"warren wg0 "
	  "1/udp\" -j "
	  "ACCEPT" },
	{ "dns link=wg0 name=resolved text=", "resolved: ", "resolved: undo " },
};

static struct item parsed(const char *line)
{
	struct item i;

	if (item_parse(line, strlen(line), &i) != 0)
		fail_msg("does not parse: %s", line);
	return i;
}

static const char *command(const struct item *i, bool remove, char *ret, size_t size)
{
	struct buffer b;
	bool has_one;

	buffer_init(&b);
	has_one = item_command(i, remove, &b);
	assert_true(buffer_ok(&b) && b.len < size);
	if (b.len)
		memcpy(ret, b.bytes, b.len);
	ret[b.len] = '\0';
	buffer_done(&b);
	return has_one ? ret : NULL;
}

static void check_command(const struct item *i, bool remove, const char *expected)
{
	char text[200];
	const char *given = command(i, remove, text, sizeof(text));

	if (!expected)
		assert_null(given);
	else
		assert_string_equal(given, expected);
}

static void items_as_lines_and_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct item item = parsed(rows[i].line);
		struct buffer b;

		buffer_init(&b);
		assert_true(item_write(&item, &b));
		assert_int_equal(b.len, strlen(rows[i].line));
		assert_memory_equal(b.bytes, rows[i].line, b.len);
		check_command(&item, false, rows[i].add);
		check_command(&item, true, rows[i].remove);
		buffer_done(&b);
		item_done(&item);
	}
}

static void what_is_no_item(void **state)
{
	static const char *const lines[] = {
		"",
		" ",
		"link",
		"link ",
		"link link=wg0",
		"link by=kernel",
		"link by=kernel link=wg0",
		"link  link=wg0 by=kernel",
		"link link=wg0 by=kernel ",
		"link link=wg0 by=kernel by=kernel",
		"link link=wg0 by=%6",
		"link link=wg0 by=%00",
		"link link=wg0 by=%zz",
		"link link=wg0 by=\xc3\xa4",
		"link link=wg0 by=a\tb",
		"link link=.. by=kernel",
		"link link=a/b by=kernel",
		"link link=sixteen-letters- by=kernel",
		"lin link=wg0 by=kernel",
		"linkk link=wg0 by=kernel",
		"mtu link=wg0 size=",
		"mtu link=wg0 size=-1",
		"mtu link=wg0 size=4294967296",
		"address link=wg0 prefix=10.0.0.2",
		"address link=wg0 prefix=10.0.0.2/33",
		"route link=wg0 kind=unicas prefix=10.0.0.0/8 table=254 metric=0",
		"route link=wg0 kind=unicast prefix=10.0.0.0/8 table=254",
		"rule link=wg0 family=5 priority=1 not=0 mark=0 mask=0 table=1 suppress=-1",
		"rule link=wg0 family=4 priority=1 not=2 mark=0 mask=0 table=1 suppress=-1",
		"rule link=wg0 family=4 priority=1 not=0 mark=0 mask=0 table=1 suppress=-2",
		"rule link=wg0 family=4 priority=1 not=0 mark=0 mask=0 table=1 suppress=129",
		"switch link=wg0 value=1 old=0",
		"table link=wg0 text=x",
	};
	struct item i;

	(void)state;
	for (size_t j = 0; j < ELEMENTS(lines); ++j)
		if (item_parse(lines[j], strlen(lines[j]), &i) != -EINVAL)
			fail_msg("parses: %s", lines[j]);
	assert_int_equal(item_parse("link link=wg0 by=a\0b", 20, &i), -EINVAL);
	assert_int_equal(item_parse("link link=wg0 by=kernel,", 23, &i), 0); /* len ends it */
	item_done(&i);
}

/* Of each: what differs, and whether it is still the same thing on the host. */
static void what_is_the_same(void **state)
{
	static const struct {
		const char *a, *b;
		bool same, equal;
	} pairs[] = {
		{ "link link=wg0 by=kernel", "link link=wg0 by=kernel", true, true },
		{ "link link=wg0 by=kernel", "link link=wg0 by=other", true, false },
		{ "link link=wg0 by=kernel", "link link=wg1 by=kernel", false, false },
		{ "link link=wg0 by=kernel mark=1", "link link=wg0 by=kernel", true, false },
		{ "link link=wg0 by=kernel", "mtu link=wg0 size=1420", false, false },
		{ "mtu link=wg0 size=1420", "mtu link=wg0 size=1280", true, false },
		{ "mtu link=wg0 size=1420", "mtu link=wg1 size=1420", false, false },
		{ "address link=wg0 prefix=10.0.0.2/24", "address link=wg0 prefix=10.0.0.2/25",
		  false, false },
		{ "address link=wg0 prefix=10.0.0.2/24", "address link=wg0 prefix=10.0.0.3/24",
		  false, false },
		{ "address link=wg0 prefix=10.0.0.2/24", "address link=wg1 prefix=10.0.0.2/24",
		  false, false },
		{ "route link=wg0 kind=unicast prefix=10.0.0.0/8 table=254 metric=0",
		  "route link=wg1 kind=unicast prefix=10.0.0.0/8 table=254 metric=0", false,
		  false },
		{ "route link=wg0 kind=throw prefix=10.0.0.0/8 table=254 metric=0",
		  "route link=wg1 kind=throw prefix=10.0.0.0/8 table=254 metric=0", true, false },
		{ "route link=wg0 kind=throw prefix=10.0.0.0/8 table=254 metric=0",
		  "route link=wg0 kind=unreachable prefix=10.0.0.0/8 table=254 metric=0", false,
		  false },
		{ "route link=wg0 kind=unicast prefix=10.0.0.0/8 table=254 metric=0",
		  "route link=wg0 kind=unicast prefix=10.0.0.0/8 table=253 metric=0", false,
		  false },
		{ "route link=wg0 kind=unicast prefix=10.0.0.0/8 table=254 metric=0",
		  "route link=wg0 kind=unicast prefix=10.0.0.0/8 table=254 metric=1", false,
		  false },
		{ "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=3 suppress=-1",
		  "rule link=wg0 family=4 priority=6 not=1 mark=1 mask=2 table=3 suppress=-1",
		  false, false },
		{ "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=3 suppress=-1",
		  "rule link=wg0 family=6 priority=5 not=1 mark=1 mask=2 table=3 suppress=-1",
		  false, false },
		{ "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=3 suppress=-1",
		  "rule link=wg0 family=4 priority=5 not=0 mark=1 mask=2 table=3 suppress=-1",
		  false, false },
		{ "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=3 suppress=-1",
		  "rule link=wg0 family=4 priority=5 not=1 mark=2 mask=2 table=3 suppress=-1",
		  false, false },
		{ "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=3 suppress=-1",
		  "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=1 table=3 suppress=-1",
		  false, false },
		{ "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=3 suppress=-1",
		  "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=4 suppress=-1",
		  false, false },
		{ "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=3 suppress=-1",
		  "rule link=wg0 family=4 priority=5 not=1 mark=1 mask=2 table=3 suppress=0", false,
		  false },
		{ "switch link=wg0 path=a value=1 old=0", "switch link=wg0 path=a value=2 old=0",
		  true, false },
		{ "switch link=wg0 path=a value=1 old=0", "switch link=wg0 path=a value=1 old=2",
		  true, false },
		{ "switch link=wg0 path=a value=1 old=0", "switch link=wg0 path=b value=1 old=0",
		  false, false },
		{ "table link=wg0 name=a text=b", "table link=wg0 name=a text=c", true, false },
		{ "table link=wg0 name=a text=b", "table link=wg0 name=a", true, false },
		{ "table link=wg0 name=a text=b", "table link=wg0 name=b text=b", false, false },
		{ "foreign link=wg0 name=a text=b", "foreign link=wg0 name=a text=c", false,
		  false },
		{ "dns link=wg0 name=a text=b", "dns link=wg0 name=a text=c", true, false },
		{ "dns link=wg0 name=a text=b", "dns link=wg0 name=b text=b", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(pairs); ++i) {
		struct item a = parsed(pairs[i].a), b = parsed(pairs[i].b);

		if (item_same(&a, &b) != pairs[i].same || item_equal(&a, &b) != pairs[i].equal)
			fail_msg("%s\n%s", pairs[i].a, pairs[i].b);
		assert_int_equal(item_same(&b, &a), pairs[i].same);
		assert_int_equal(item_equal(&b, &a), pairs[i].equal);
		assert_true(item_equal(&a, &a) && item_equal(&b, &b));
		item_done(&a);
		item_done(&b);
	}
}

static void a_list_owns_copies(void **state)
{
	struct item a = parsed("table link=wg0 name=a text=b");
	struct item b = parsed("table link=wg0 name=b text=b");
	struct items list;

	(void)state;
	items_init(&list);
	for (size_t i = 0; i < 100; ++i)
		assert_true(items_copy(&list, i == 60 ? &b : &a));
	assert_int_equal(list.count, 100);
	assert_ptr_equal(items_find(&list, &a), &list.rows[0]);
	assert_ptr_equal(items_find(&list, &b), &list.rows[60]);
	assert_ptr_not_equal(list.rows[0].name, a.name);
	assert_true(item_set_texts(&list.rows[60], "c", NULL));
	assert_null(items_find(&list, &b));
	assert_null(list.rows[60].text);
	items_done(&list);
	assert_int_equal(list.count, 0);
	item_done(&a);
	item_done(&b);
}

static void which_go_and_which_guard(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const char *line = rows[i].line;
		struct item item = parsed(line);
		const bool to_link = strncmp(line, "address", 7) == 0 ||
				     strncmp(line, "mtu", 3) == 0 || strstr(line, "unicast");
		const bool guards = strncmp(line, "rule", 4) == 0 ||
				    strncmp(line, "table", 5) == 0 ||
				    (strncmp(line, "route", 5) == 0 && !to_link);

		assert_int_equal(item_goes_with_link(&item), to_link);
		assert_int_equal(item_guards(&item), guards);
		item_done(&item);
	}
}

/* wg0 is link 7, on a host on which all of these are there. */
static void make_host(struct host_facts *h)
{
	struct host_network *n = &h->network;
	struct host_link *link = host_add_link(n);
	struct host_address *address = host_add_address(n);
	struct host_route *a = host_add_route(n), *b = NULL;
	struct host_rule *rule = host_add_rule(n);

	assert_true(link && address && a && rule);
	*link = (struct host_link){ .index = 7, .mtu = 1420, .name = "wg0", .up = true };
	address->link = a->link = 7;
	assert_true(text_to_prefix("10.0.0.2/24", &address->prefix));
	assert_true(text_to_prefix("fd00::/64", &a->dst));
	a->table = 254;
	a->metric = 1024;
	b = host_add_route(n);
	assert_non_null(b);
	assert_true(text_to_prefix("::/0", &b->dst));
	*b = (struct host_route){
		.dst = b->dst, .link = 1, .table = 9, .metric = 5, .kind = HOST_UNREACHABLE
	};
	*rule = (struct host_rule){ .family = 4, .priority = 5, .table = 9, .suppress = -1 };
	n->switches.ip_forward = HOST_ON;
	n->switches.src_valid_mark = HOST_OFF;
}

static void what_a_snapshot_tells(void **state)
{
	static const struct {
		const char *line;
		int there;
	} table[] = {
		{ "link link=wg0 by=kernel", 1 },
		{ "link link=wg1 by=kernel", 0 },
		{ "mtu link=wg0 size=1420", 1 },
		{ "mtu link=wg0 size=1421", 0 },
		{ "mtu link=wg1 size=1420", 0 },
		{ "address link=wg0 prefix=10.0.0.2/24", 1 },
		{ "address link=wg0 prefix=10.0.0.2/25", 0 },
		{ "address link=wg0 prefix=10.0.0.3/24", 0 },
		{ "address link=wg1 prefix=10.0.0.2/24", 0 },
		{ "route link=wg0 kind=unicast prefix=fd00::/64 table=254 metric=0", 1 },
		{ "route link=wg0 kind=unicast prefix=fd00::/64 table=254 metric=1024", 1 },
		{ "route link=wg0 kind=unicast prefix=fd00::/64 table=254 metric=1", 0 },
		{ "route link=wg0 kind=unicast prefix=fd00::/64 table=253 metric=0", 0 },
		{ "route link=wg0 kind=unicast prefix=fd00::/63 table=254 metric=0", 0 },
		{ "route link=wg0 kind=throw prefix=fd00::/64 table=254 metric=0", 0 },
		{ "route link=wg1 kind=unicast prefix=fd00::/64 table=254 metric=0", 0 },
		{ "route link=wg0 kind=unreachable prefix=::/0 table=9 metric=5", 1 },
		{ "route link=wg1 kind=unreachable prefix=::/0 table=9 metric=5", 1 },
		{ "route link=wg0 kind=unreachable prefix=::/0 table=9 metric=6", 0 },
		{ "rule link=wg0 family=4 priority=5 not=0 mark=0 mask=0 table=9 suppress=-1", 1 },
		{ "rule link=wg0 family=4 priority=4 not=0 mark=0 mask=0 table=9 suppress=-1", 0 },
		{ "rule link=wg0 family=4 priority=5 not=1 mark=0 mask=0 table=9 suppress=-1", 0 },
		{ "rule link=wg0 family=4 priority=5 not=0 mark=1 mask=0 table=9 suppress=-1", 0 },
		{ "rule link=wg0 family=4 priority=5 not=0 mark=0 mask=1 table=9 suppress=-1", 0 },
		{ "rule link=wg0 family=4 priority=5 not=0 mark=0 mask=0 table=8 suppress=-1", 0 },
		{ "rule link=wg0 family=4 priority=5 not=0 mark=0 mask=0 table=9 suppress=0", 0 },
		{ "rule link=wg0 family=6 priority=5 not=0 mark=0 mask=0 table=9 suppress=-1", -1 },
		{ "switch link=wg0 path=net/ipv4/ip_forward value=1 old=0", 1 },
		{ "switch link=wg0 path=net/ipv4/conf/all/src_valid_mark value=1 old=0", 0 },
		{ "switch link=wg0 path=net/ipv4/conf/all/src_valid_mark value=0 old=1", 1 },
		{ "switch link=wg0 path=net/ipv6/conf/all/forwarding value=1 old=0", -1 },
		{ "switch link=wg0 path=net/ipv4/tcp_ecn value=1 old=0", -1 },
		{ "table link=wg0 name=a text=b", -1 },
		{ "foreign link=wg0 name=a text=b", -1 },
		{ "dns link=wg0 name=a text=b", -1 },
	};
	struct host_facts h, nobody;

	(void)state;
	host_facts_init(&h);
	host_facts_init(&nobody);
	make_host(&h);
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		struct item item = parsed(table[i].line);

		if (item_is_there(&item, &h.network) != table[i].there)
			fail_msg("%s", table[i].line);
		assert_int_equal(item_is_there(&item, &nobody.network), -1);
		item_done(&item);
	}
	h.network.links[0].up = h.network.links[h.network.link_count - 1].up = false;
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		struct item item = parsed(table[i].line);

		if (item.kind == ITEM_LINK_MTU)
			assert_int_equal(item_is_there(&item, &h.network), 0);
		item_done(&item);
	}
	h.network.rules[0].other = true; /* it says more than the rule of ours */
	for (size_t i = 0; i < ELEMENTS(table); ++i) {
		struct item item = parsed(table[i].line);

		if (item.kind == ITEM_RULE && item.rule.family == 4)
			assert_int_equal(item_is_there(&item, &h.network), 0);
		item_done(&item);
	}
	host_facts_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_as_lines_and_commands),
		cmocka_unit_test(what_is_no_item),
		cmocka_unit_test(what_is_the_same),
		cmocka_unit_test(a_list_owns_copies),
		cmocka_unit_test(which_go_and_which_guard),
		cmocka_unit_test(what_a_snapshot_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
