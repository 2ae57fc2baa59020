#include "net/firewall.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/tunnel_read.h"

/*
 * Golden texts: what a file makes of tables. That nft and the kernel take them, and what packets do
 * then, is tested in tests/netns/test_firewall.py.
 */
#define IFACE "[Interface]\n"
#define PEER "[Peer]\nPublicKey = bEOxOlS172afGJzIXTs2V4lldpy9xLGNImHru1t9lmc=\n"
#define ALL_V4 PEER "AllowedIPs = 0.0.0.0/0\n"
#define REJECT " reject with icmpx type admin-prohibited\n"
#define LAN_V4                                                                                \
	"ip daddr { 10.0.0.0/8, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16, 224.0.0.0/4, " \
	"255.255.255.255/32 }"
#define LAN_V6 "ip6 daddr { fc00::/7, fe80::/10, ff00::/8 }"
#define DNS_PORTS " meta l4proto { tcp, udp } th dport { 53, 853 }"

enum { MARK = 0xca6c, BODY = 4096 };

static void read_tunnel(const char *text, struct tunnel *ret)
{
	struct config_file f;
	struct diags diags;

	assert_int_equal(file_parse(&f, "wg0.conf", text, strlen(text)), 0);
	diags_init(&diags);
	assert_true(tunnel_read(&f, ret, &diags));
	assert_int_equal(diags.errors, 0);
	diags_done(&diags);
	file_done(&f);
}

static void make(const char *text, uint32_t mark, const struct host_network *n, struct items *ret)
{
	static const struct host_network none;
	struct tunnel t;

	read_tunnel(text, &t);
	items_init(ret);
	assert_true(firewall_items(&t, "wg0", mark, n ? n : &none, ret));
	tunnel_done(&t);
}

static const struct item *find(const struct items *items, const char *name)
{
	for (size_t i = 0; i < items->count; ++i) {
		assert_int_equal(items->rows[i].kind, ITEM_TABLE);
		assert_string_equal(items->rows[i].link, "wg0");
		if (strcmp(items->rows[i].name, name) == 0)
			return &items->rows[i];
	}
	return NULL;
}

/* The lines of a chain without their tabs, or "" if there is no such chain. */
static void chain_body(const struct item *table, const char *chain, char ret[static BODY])
{
	char head[64];
	const char *at;
	size_t len = 0;

	ret[0] = '\0';
	(void)snprintf(head, sizeof(head), "\tchain %s {\n", chain);
	at = table ? strstr(table->text, head) : NULL;
	if (!at)
		return;
	for (at += strlen(head); strncmp(at, "\t}\n", 3) != 0; at = strchr(at, '\n') + 1) {
		const size_t line = strcspn(at, "\n");

		assert_memory_equal(at, "\t\t", 2);
		len += (size_t)snprintf(ret + len, BODY - len, "%.*s\n", (int)line - 2, at + 2);
		assert_true(len < BODY);
	}
}

struct row {
	const char *conf;
	const char *table;
	const char *chain;
	const char *body; /* "": there is no such table or chain */
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; ++i) {
		struct items items;
		char body[BODY];

		make(rows[i].conf, MARK, NULL, &items);
		chain_body(find(&items, rows[i].table), rows[i].chain, body);
		assert_string_equal(body, rows[i].body);
		items_done(&items);
	}
}

#define RAW "type filter hook prerouting priority -300; policy accept;\n"
#define SPOOFED(ip) "iifname != \"wg0\" " ip " fib saddr type != local drop\n"

static void quick_tables(void **state)
{
	static const struct row rows[] = {
		{ IFACE "Address = 10.0.0.1/24, fd00::1/64\n" ALL_V4, "ip wg-quick-wg0", "preraw",
		  RAW SPOOFED("ip daddr 10.0.0.1") },
		{ IFACE "Address = 10.0.0.1/24\n" ALL_V4, "ip wg-quick-wg0", "premangle",
		  "type filter hook prerouting priority -150; policy accept;\n"
		  "meta l4proto udp meta mark set ct mark\n" },
		{ IFACE "Address = 10.0.0.1/24\n" ALL_V4, "ip wg-quick-wg0", "postmangle",
		  "type filter hook postrouting priority -150; policy accept;\n"
		  "meta l4proto udp meta mark 0x0000ca6c ct mark set meta mark\n" },
		/* the kernel's order of addresses */
		{ IFACE "Address = 10.0.0.1/24, 10.0.1.1/24, 10.0.0.2/24, 10.0.2.1/24\n" ALL_V4,
		  "ip wg-quick-wg0", "preraw",
		  RAW SPOOFED("ip daddr 10.0.0.1") SPOOFED("ip daddr 10.0.1.1")
			  SPOOFED("ip daddr 10.0.2.1") SPOOFED("ip daddr 10.0.0.2") },
		{ IFACE "Address = fd00::1/64, fe80::5/64, fd01::1/64\n" PEER "AllowedIPs = ::/0\n",
		  "ip6 wg-quick-wg0", "preraw",
		  RAW SPOOFED("ip6 daddr fd01::1") SPOOFED("ip6 daddr fd00::1")
			  SPOOFED("ip6 daddr fe80::5") },
		/* none for the other family, halves, or a table of the user's */
		{ IFACE ALL_V4, "ip wg-quick-wg0", "preraw", RAW },
		{ IFACE ALL_V4, "ip6 wg-quick-wg0", "preraw", "" },
		{ IFACE "Table = off\n" ALL_V4, "ip wg-quick-wg0", "preraw", "" },
		{ IFACE "Table = 7\n" ALL_V4, "ip wg-quick-wg0", "preraw", "" },
		{ IFACE PEER "AllowedIPs = 0.0.0.0/1, 128.0.0.0/1\n", "ip wg-quick-wg0", "preraw",
		  "" },
		{ IFACE PEER "AllowedIPs = -0.0.0.0/0\n", "ip wg-quick-wg0", "preraw", "" },
		{ IFACE ALL_V4, "inet warren-wg0", "guard", "" },
	};

	(void)state;
	check_rows(rows, ELEMENTS(rows));
}

#define FILTER(hook) "type filter hook " hook " priority 0; policy accept;\n"
#define WHOLE "meta nfproto ipv4" REJECT "meta nfproto ipv6" REJECT
#define KILL IFACE "#: KillSwitch = yes\n"
#define LAN IFACE "#: KillSwitch = lan\n"

static void kill_switch(void **state)
{
	static const struct row rows[] = {
		{ KILL ALL_V4, "inet warren-wg0", "output",
		  FILTER("output") "oifname { \"lo\", \"wg0\" } accept\n"
				   "meta l4proto udp meta mark 0x0000ca6c accept\n"
				   "meta nfproto ipv4 udp sport 68 udp dport 67 accept\n"
				   "meta nfproto ipv6 udp sport 546 udp dport 547 accept\n"
				   "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, "
				   "nd-neighbor-advert, mld-listener-report, "
				   "mld2-listener-report } accept\n"
				   "jump guard\n" },
		{ KILL ALL_V4, "inet warren-wg0", "forward",
		  FILTER("forward") "iifname \"wg0\" accept\noifname \"wg0\" accept\njump "
				    "guard\n" },
		{ KILL ALL_V4, "inet warren-wg0", "guard", WHOLE }, /* H4: both families */
		{ KILL PEER "AllowedIPs = ::/1, 8000::/1\n", "inet warren-wg0", "guard", WHOLE },
		{ KILL PEER "AllowedIPs = 10.0.0.0/8, 10.1.0.0/16, fd00::/8\n", "inet warren-wg0",
		  "guard", "ip daddr { 10.0.0.0/8 }" REJECT "ip6 daddr { fd00::/8 }" REJECT },
		{ KILL "Address = 10.8.0.2/24, fe80::1/64\n" PEER "AllowedIPs = 10.9.0.0/24\n",
		  "inet warren-wg0", "guard",
		  "ip saddr { 10.8.0.2/32 }" REJECT
		  "ip daddr { 10.8.0.0/24, 10.9.0.0/24 }" REJECT },
		{ KILL "#: ExcludedIPs = 1.1.1.1, 2001:db8::/32\n" ALL_V4, "inet warren-wg0",
		  "guard",
		  "ip daddr { 1.1.1.1/32 } accept\nip6 daddr { 2001:db8::/32 } accept\n" WHOLE },
		{ KILL "#: ExcludedIPs = 1.1.1.1\n" ALL_V4, "inet warren-wg0", "forward",
		  FILTER("forward") "iifname \"wg0\" accept\noifname \"wg0\" accept\n"
				    "ip saddr { 1.1.1.1/32 } ct direction reply accept\n"
				    "jump guard\n" },
		{ LAN ALL_V4, "inet warren-wg0", "guard",
		  LAN_V4 " accept\n" LAN_V6 " accept\n" WHOLE },
		/* named inside of the LAN's ranges: guarded; a range itself: let through */
		{ LAN PEER "AllowedIPs = 0.0.0.0/0, 10.9.0.0/24, 192.168.0.0/16, fd00::/8\n",
		  "inet warren-wg0", "guard",
		  "ip daddr { 10.9.0.0/24 }" REJECT "ip6 daddr { fd00::/8 }" REJECT LAN_V4
		  " accept\n" LAN_V6 " accept\n" WHOLE },
		{ LAN "DNS = 10.8.0.1, 9.9.9.9\n" ALL_V4, "inet warren-wg0", "guard",
		  "ip daddr { 10.8.0.1/32 }" DNS_PORTS
		  " accept\n" LAN_V4 DNS_PORTS REJECT LAN_V6 DNS_PORTS REJECT LAN_V4
		  " accept\n" LAN_V6 " accept\n" WHOLE },
		/* not everything goes into the tunnel: the LAN's DNS is nobody's leak */
		{ LAN "DNS = 10.8.0.1\n" PEER "AllowedIPs = 10.9.0.0/24\n", "inet warren-wg0",
		  "guard",
		  "ip daddr { 10.9.0.0/24 }" REJECT LAN_V4 " accept\n" LAN_V6 " accept\n"
		  "ip daddr { 10.9.0.0/24 }" REJECT },
		/* F-C14: nobody on the LAN learns the tunnel's address by asking */
		{ KILL "Address = 10.8.0.2/24, fd08::2/64\n" ALL_V4, "arp warren-wg0", "input",
		  FILTER("input") "arp operation request arp daddr ip 10.8.0.2 drop\n" },
		{ KILL "Address = fd08::2/64\n" ALL_V4, "arp warren-wg0", "input", "" },
		{ IFACE "Address = 10.8.0.2/24\n" ALL_V4, "arp warren-wg0", "input", "" },
	};

	(void)state;
	check_rows(rows, ELEMENTS(rows));
}

#define NAT                                                        \
	"type nat hook postrouting priority 100; policy accept;\n" \
	"oifname { \"lo\", \"wg0\" } return\n"
#define HIDE(range) "meta l4proto udp masquerade to :" range "\nmasquerade\n"
#define MASQUERADE IFACE "Address = 10.8.0.1/24\n#: Masquerade = yes\n"

static void masquerade(void **state)
{
	static const struct row rows[] = {
		{ MASQUERADE PEER "AllowedIPs = 10.8.0.2/32, 192.168.7.0/24, fd08::2/128\n",
		  "inet warren-wg0", "postrouting",
		  NAT "ip saddr { 10.8.0.0/24, 192.168.7.0/24 } jump hide\n"
		      "ip6 saddr { fd08::2/128 } jump hide\n" },
		/* everything is not a network of the tunnel */
		{ MASQUERADE PEER "AllowedIPs = 0.0.0.0/0, ::/1, 8000::/1\n", "inet warren-wg0",
		  "postrouting", NAT "ip saddr { 10.8.0.0/24 } jump hide\n" },
		{ IFACE "#: Masquerade = yes\n" ALL_V4, "inet warren-wg0", "postrouting", "" },
		{ MASQUERADE, "inet warren-wg0", "hide", "masquerade\n" },
		{ MASQUERADE "ListenPort = 51820\n", "inet warren-wg0", "hide",
		  HIDE("1024-51819") },
		{ MASQUERADE "ListenPort = 20000\n", "inet warren-wg0", "hide",
		  HIDE("20001-65535") },
		{ MASQUERADE "ListenPort = 53\n", "inet warren-wg0", "hide", HIDE("1024-65535") },
		{ MASQUERADE "ListenPort = 1024\n", "inet warren-wg0", "hide", HIDE("1025-65535") },
		{ MASQUERADE "ListenPort = 65535\n", "inet warren-wg0", "hide",
		  HIDE("1024-65534") },
	};

	(void)state;
	check_rows(rows, ELEMENTS(rows));
}

#define MANGLE(hook) "type filter hook " hook " priority -150; policy accept;\n"
#define SYN " tcp flags & (syn | rst) == syn tcp option maxseg size set "

static void mss_clamp(void **state)
{
	static const struct row rows[] = {
		{ IFACE "#: MssClamp = yes\n", "inet warren-wg0", "mss",
		  MANGLE("forward") "iifname \"wg0\"" SYN "rt mtu\noifname \"wg0\"" SYN
				    "rt mtu\n" },
		{ IFACE "#: MssClamp = 1360\n", "inet warren-wg0", "mss", "" },
		{ IFACE "#: MssClamp = 1360\n", "inet warren-wg0", "mss_in",
		  MANGLE("prerouting") "iifname \"wg0\"" SYN "1360\n" },
		{ IFACE "#: MssClamp = 1360\n", "inet warren-wg0", "mss_out",
		  MANGLE("postrouting") "oifname \"wg0\"" SYN "1360\n" },
	};

	(void)state;
	check_rows(rows, ELEMENTS(rows));
}

/* '=' and '+' are no letters of a name to nft. */
static void names_that_nft_does_not_read(void **state)
{
	struct items items;
	struct tunnel t;

	(void)state;
	read_tunnel(KILL ALL_V4, &t);
	items_init(&items);
	assert_true(firewall_items(&t, "+w=g+0-.", MARK, &(struct host_network){ 0 }, &items));
	assert_int_equal(items.count, 2);
	assert_string_equal(items.rows[0].name, "inet warren-/pw/eg/p0-.");
	assert_string_equal(items.rows[1].name, "ip wg-quick-/pw/eg/p0-.");
	assert_non_null(strstr(items.rows[0].text, "oifname \"+w=g+0-.\""));
	items_done(&items);
	tunnel_done(&t);
}

static void nothing_asked_for_is_no_table(void **state)
{
	struct items items;

	(void)state;
	make(IFACE "Address = 10.0.0.1/24\n#: Forward = yes\n#: OpenPort = 80\n" PEER
		   "AllowedIPs = 10.0.0.2/32\n",
	     MARK, NULL, &items);
	assert_int_equal(items.count, 0);
	items_done(&items);
}

static void a4_who_must_be_there(void **state)
{
	struct items items;

	(void)state;
	make(KILL "Address = 10.0.0.1/24\n" PEER "AllowedIPs = 0.0.0.0/0, ::/0\n", MARK, NULL,
	     &items);
	assert_true(firewall_must(find(&items, "inet warren-wg0")));
	assert_false(firewall_must(find(&items, "arp warren-wg0")));
	assert_false(firewall_must(find(&items, "ip wg-quick-wg0")));
	assert_false(firewall_must(find(&items, "ip6 wg-quick-wg0")));
	items_done(&items);
}

static void without_a_mark_none_passes(void **state)
{
	struct items items;

	(void)state;
	make(KILL PEER "AllowedIPs = 10.0.0.0/8\n", 0, NULL, &items);
	assert_null(strstr(find(&items, "inet warren-wg0")->text, "mark"));
	items_done(&items);
}

static void add_link(struct host_network *n, uint32_t index, const char *name, const char *address)
{
	struct host_link *link = host_add_link(n);
	struct host_address *a = host_add_address(n);

	assert_true(link && a);
	link->index = index;
	(void)snprintf(link->name, sizeof(link->name), "%s", name);
	a->link = index;
	assert_true(text_to_prefix(address, &a->prefix));
}

/* An address that another link has too is that link's to use. */
static void address_of_another_link_is_not_ours(void **state)
{
	static const char conf[] = KILL "Address = 10.8.0.2/32, 10.8.0.3/32\n" ALL_V4;
	struct host_facts h;
	struct items items;
	char body[BODY];

	(void)state;
	host_facts_init(&h);
	add_link(&h.network, 1, "wg0", "10.8.0.3/32");
	add_link(&h.network, 2, "eth0", "10.8.0.2/24");
	make(conf, MARK, &h.network, &items);
	chain_body(find(&items, "inet warren-wg0"), "guard", body);
	assert_string_equal(body, "ip saddr { 10.8.0.3/32 }" REJECT WHOLE);
	chain_body(find(&items, "arp warren-wg0"), "input", body);
	assert_string_equal(body, FILTER("input") "arp operation request arp daddr ip 10.8.0.3 "
						  "drop\n");
	items_done(&items);
	host_facts_done(&h);
}

static void print_switches(const char *conf, const struct host_network *n, char ret[static BODY])
{
	struct items items;
	struct tunnel t;
	size_t at = 0;

	ret[0] = '\0';
	read_tunnel(conf, &t);
	items_init(&items);
	assert_true(firewall_switches(&t, n, &items));
	for (size_t i = 0; i < items.count; ++i) {
		assert_int_equal(items.rows[i].kind, ITEM_SWITCH);
		at += (size_t)snprintf(ret + at, BODY - at, "%s=%u(%u) ", items.rows[i].text,
				       items.rows[i].number, items.rows[i].old);
	}
	items_done(&items);
	tunnel_done(&t);
}

/* D1, and what forwarding does to a host that has its IPv6 route from a router. */
static void d1_switches_of_forward(void **state)
{
#define FORWARD IFACE "#: Forward = yes\n"
	static const struct {
		const char *conf;
		const char *switches;
	} rows[] = {
		{ IFACE "Address = 10.0.0.1/24\n", "" },
		{ FORWARD, "" },
		{ FORWARD "Address = 10.0.0.1/24\n", "net/ipv4/ip_forward=1(0) " },
		{ FORWARD PEER "AllowedIPs = 10.0.0.1/32\n", "net/ipv4/ip_forward=1(0) " },
		{ FORWARD "Address = fd00::1/64\n",
		  "net/ipv6/conf/eth0/accept_ra=2(1) net/ipv6/conf/all/forwarding=1(1) " },
		{ FORWARD "Address = 10.0.0.1/24\n" PEER "AllowedIPs = fd00::2/128\n",
		  "net/ipv4/ip_forward=1(0) net/ipv6/conf/eth0/accept_ra=2(1) "
		  "net/ipv6/conf/all/forwarding=1(1) " },
	};
	struct host_facts h;
	struct host_route *r;

	(void)state;
	host_facts_init(&h);
	add_link(&h.network, 2, "eth0", "2001:db8::2/64");
	add_link(&h.network, 3, "eth1", "2001:db8:1::2/64");
	h.network.switches.ip6_forward = HOST_ON;
	for (uint32_t i = 2; i < 4; ++i) { /* by advertisement, by hand */
		r = host_add_route(&h.network);
		assert_non_null(r);
		r->dst.ip.family = FAMILY_V6;
		r->link = i;
		r->table = HOST_TABLE_MAIN;
		r->protocol = i == 2 ? 9 : 3;
	}
	r = host_add_route(&h.network); /* no default route */
	assert_non_null(r);
	*r = h.network.routes[0];
	r->link = 3;
	r->dst.bits = 64;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		char is[BODY];

		print_switches(rows[i].conf, &h.network, is);
		assert_string_equal(is, rows[i].switches);
	}
	host_facts_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quick_tables),
		cmocka_unit_test(kill_switch),
		cmocka_unit_test(masquerade),
		cmocka_unit_test(mss_clamp),
		cmocka_unit_test(names_that_nft_does_not_read),
		cmocka_unit_test(nothing_asked_for_is_no_table),
		cmocka_unit_test(a4_who_must_be_there),
		cmocka_unit_test(without_a_mark_none_passes),
		cmocka_unit_test(address_of_another_link_is_not_ours),
		cmocka_unit_test(d1_switches_of_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
