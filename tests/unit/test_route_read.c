#include "net/route_read.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>

#include "base/text.h"

/* Messages made by hand; what true ones give is seen in test_route.c and tests/netns. */

static _Alignas(8) uint8_t room[1024];
static struct nlmsghdr *message;

static void begin(int type, const void *fixed, size_t len)
{
	memset(room, 0, sizeof(room));
	message = mnl_nlmsg_put_header(room);
	message->nlmsg_type = (uint16_t)type;
	memcpy(mnl_nlmsg_put_extra_header(message, len), fixed, len);
}

static void put_ip(uint16_t type, const char *text)
{
	struct ip ip;

	assert_true(text_to_ip(text, &ip));
	mnl_attr_put(message, type, ip_bits(&ip) / 8, ip.bytes);
}

/* An attribute that says it is longer than the message. */
static void put_broken(void)
{
	struct nlattr *a = mnl_nlmsg_get_payload_tail(message);

	mnl_attr_put_u32(message, 0x3fff, 0);
	a->nla_len = 9;
}

/* Read it from a place of just its length, so that a sanitizer sees what lies behind. */
static struct host_facts read_message(uint8_t family)
{
	struct nlmsghdr *copy = malloc(message->nlmsg_len);
	struct host_facts h;

	assert_non_null(copy);
	memcpy(copy, message, message->nlmsg_len);
	host_facts_init(&h);
	assert_int_equal(route_read(copy, family, &h.network), 0);
	free(copy);
	return h;
}

static size_t count(uint8_t family)
{
	struct host_facts h = read_message(family);
	const struct host_network *n = &h.network;
	const size_t rows = n->link_count + n->address_count + n->route_count + n->rule_count;

	host_facts_done(&h);
	return rows;
}

/* Links */

static void begin_link(const char *name)
{
	const struct ifinfomsg head = { .ifi_index = 7, .ifi_flags = IFF_UP };

	begin(RTM_NEWLINK, &head, sizeof(head));
	if (name)
		mnl_attr_put_strz(message, IFLA_IFNAME, name);
}

static struct host_link read_link(void)
{
	struct host_facts h = read_message(AF_UNSPEC);
	struct host_link link;

	assert_int_equal(h.network.link_count, 1);
	link = h.network.links[0];
	host_facts_done(&h);
	return link;
}

static void put_kind(const void *kind, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(message, IFLA_LINKINFO);

	mnl_attr_put(message, IFLA_INFO_KIND, len, kind);
	mnl_attr_nest_end(message, nest);
}

static void reads_links(void **state)
{
	static const struct {
		const char *kind;
		size_t len;
		bool wireguard;
	} rows[] = { { "wireguard", 9, true },  { "wireguard", 10, true },
		     { "wireguard", 8, false }, { "wireguardx", 10, false },
		     { "Wireguard", 9, false }, { "", 0, false } };
	struct host_link link;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		begin_link("fifteen-letters");
		mnl_attr_put_u32(message, IFLA_MTU, 1420);
		put_kind(rows[i].kind, rows[i].len);
		link = read_link();
		assert_string_equal(link.name, "fifteen-letters");
		assert_int_equal(link.index, 7);
		assert_int_equal(link.mtu, 1420);
		assert_true(link.up);
		assert_false(link.loopback);
		assert_int_equal(link.wireguard, rows[i].wireguard);
	}
	begin_link(NULL);
	mnl_attr_put_str(message, IFLA_IFNAME, "lo"); /* without its end */
	assert_string_equal(read_link().name, "lo");
}

static void leaves_out_broken_links(void **state)
{
	const struct ifinfomsg nobody = { .ifi_index = 0 };

	(void)state;
	begin_link(NULL);
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_link("");
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_link("sixteen-letters!");
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_link("wg0");
	mnl_attr_put_u16(message, IFLA_MTU, 1420);
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_link("wg0");
	put_broken();
	assert_int_equal(count(AF_UNSPEC), 0);
	begin(RTM_NEWLINK, &nobody, sizeof(nobody));
	mnl_attr_put_strz(message, IFLA_IFNAME, "wg0");
	assert_int_equal(count(AF_UNSPEC), 0);
	begin(RTM_NEWLINK, &nobody, 4);
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_link("wg0");
	message->nlmsg_type = RTM_NEWNEIGH;
	assert_int_equal(count(AF_UNSPEC), 0);
}

/* Addresses */

static void begin_address(uint8_t family, uint8_t bits)
{
	const struct ifaddrmsg head = { .ifa_family = family,
					.ifa_prefixlen = bits,
					.ifa_index = 3 };

	begin(RTM_NEWADDR, &head, sizeof(head));
}

static void expect_address(const char *want)
{
	struct host_facts h = read_message(AF_UNSPEC);
	char text[TEXT_PREFIX];

	assert_int_equal(h.network.address_count, 1);
	assert_int_equal(h.network.addresses[0].link, 3);
	text_from_prefix(&h.network.addresses[0].prefix, text);
	assert_string_equal(text, want);
	host_facts_done(&h);
}

static void reads_addresses(void **state)
{
	(void)state;
	begin_address(AF_INET, 24);
	put_ip(IFA_ADDRESS, "192.0.2.1");
	expect_address("192.0.2.1/24");
	assert_int_equal(count(AF_INET), 1);
	assert_int_equal(count(AF_INET6), 0);
	put_ip(IFA_LOCAL, "192.0.2.2"); /* the other was that of the peer */
	expect_address("192.0.2.2/24");
	begin_address(AF_INET6, 128);
	put_ip(IFA_LOCAL, "fd00::2");
	put_ip(IFA_ADDRESS, "fd00::1");
	expect_address("fd00::2/128");
	assert_int_equal(count(AF_INET6), 1);
	assert_int_equal(count(AF_INET), 0);
}

static void leaves_out_broken_addresses(void **state)
{
	(void)state;
	begin_address(AF_INET, 24);
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_address(AF_INET, 33);
	put_ip(IFA_LOCAL, "192.0.2.2");
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_address(AF_INET, 24);
	put_ip(IFA_LOCAL, "fd00::2");
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_address(AF_PACKET, 24);
	put_ip(IFA_LOCAL, "192.0.2.2");
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_address(AF_INET, 24);
	put_ip(IFA_LOCAL, "192.0.2.2");
	put_broken();
	assert_int_equal(count(AF_UNSPEC), 0);
}

/* Routes */

static void begin_route(uint8_t family, uint8_t bits, uint8_t type, uint8_t table, uint32_t flags)
{
	const struct rtmsg head = { .rtm_family = family,
				    .rtm_dst_len = bits,
				    .rtm_table = table,
				    .rtm_protocol = RTPROT_BOOT,
				    .rtm_type = type,
				    .rtm_flags = flags };

	begin(RTM_NEWROUTE, &head, sizeof(head));
}

static void expect_route(const struct host_facts *h, size_t row, uint32_t link, const char *via)
{
	const struct host_route *r = &h->network.routes[row];
	char text[TEXT_IP] = "";

	assert_true(row < h->network.route_count);
	assert_int_equal(r->link, link);
	if (r->via.family)
		text_from_ip(&r->via, text);
	assert_string_equal(text, via);
	assert_int_equal(r->gateway, via[0] != '\0');
}

static void reads_a_route(void **state)
{
	struct nlattr *nest;
	struct host_facts h;
	const struct host_route *r;

	(void)state;
	begin_route(AF_INET6, 32, RTN_UNICAST, RT_TABLE_UNSPEC, RTNH_F_LINKDOWN);
	put_ip(RTA_DST, "fd00::");
	put_ip(RTA_GATEWAY, "fe80::1");
	mnl_attr_put_u32(message, RTA_OIF, 9);
	mnl_attr_put_u32(message, RTA_TABLE, 51820);
	mnl_attr_put_u32(message, RTA_PRIORITY, 77);
	nest = mnl_attr_nest_start(message, RTA_METRICS);
	mnl_attr_put_u32(message, RTAX_ADVMSS, 1);
	mnl_attr_put_u32(message, RTAX_MTU, 1280);
	mnl_attr_nest_end(message, nest);
	h = read_message(AF_INET6);
	assert_int_equal(h.network.route_count, 1);
	expect_route(&h, 0, 9, "fe80::1");
	r = &h.network.routes[0];
	assert_int_equal(r->dst.bits, 32);
	assert_int_equal(r->dst.ip.bytes[0], 0xfd);
	assert_int_equal(r->table, 51820);
	assert_int_equal(r->metric, 77);
	assert_int_equal(r->mtu, 1280);
	assert_int_equal(r->protocol, RTPROT_BOOT);
	assert_int_equal(r->kind, HOST_UNICAST);
	assert_true(r->dead);
	host_facts_done(&h);
	assert_int_equal(count(AF_INET), 0);
}

static void reads_kinds_of_routes(void **state)
{
	static const struct {
		uint8_t type;
		uint8_t table;
		uint32_t flags;
		int kind; /* -1: left out */
		uint32_t link;
	} rows[] = { { RTN_UNICAST, RT_TABLE_MAIN, 0, HOST_UNICAST, 1 },
		     { RTN_UNICAST, RT_TABLE_DEFAULT, RTNH_F_ONLINK, HOST_UNICAST, 1 },
		     { RTN_UNREACHABLE, RT_TABLE_MAIN, 0, HOST_UNREACHABLE, 0 },
		     { RTN_BLACKHOLE, RT_TABLE_MAIN, 0, HOST_BLACKHOLE, 0 },
		     { RTN_PROHIBIT, RT_TABLE_MAIN, 0, HOST_PROHIBIT, 0 },
		     { RTN_THROW, RT_TABLE_MAIN, 0, HOST_THROW, 0 },
		     { RTN_UNICAST, RT_TABLE_LOCAL, 0, -1, 0 },
		     { RTN_UNICAST, RT_TABLE_MAIN, RTM_F_CLONED, -1, 0 },
		     { RTN_LOCAL, RT_TABLE_MAIN, 0, -1, 0 },
		     { RTN_MULTICAST, RT_TABLE_MAIN, 0, -1, 0 },
		     { 200, RT_TABLE_MAIN, 0, -1, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		struct host_facts h;

		begin_route(AF_INET, 0, rows[i].type, rows[i].table, rows[i].flags);
		mnl_attr_put_u32(message, RTA_OIF, 1);
		h = read_message(AF_INET);
		assert_int_equal(h.network.route_count, rows[i].kind >= 0);
		if (rows[i].kind >= 0) {
			assert_int_equal(h.network.routes[0].kind, rows[i].kind);
			assert_int_equal(h.network.routes[0].table, rows[i].table);
			assert_false(h.network.routes[0].dead);
			expect_route(&h, 0, rows[i].link, "");
		}
		host_facts_done(&h);
	}
}

/* A hop of len bytes by its own word; 0: of as many as it has. */
static void put_hop(int link, uint8_t flags, const char *gateway, uint16_t len)
{
	struct rtnexthop *hop = mnl_nlmsg_get_payload_tail(message);

	hop->rtnh_ifindex = link;
	hop->rtnh_flags = flags;
	message->nlmsg_len += sizeof(*hop);
	if (gateway)
		put_ip(RTA_GATEWAY, gateway);
	hop->rtnh_len =
		len ? len : (uint16_t)((char *)mnl_nlmsg_get_payload_tail(message) - (char *)hop);
}

static struct nlattr *begin_hops(void)
{
	begin_route(AF_INET, 8, RTN_UNICAST, RT_TABLE_MAIN, 0);
	put_ip(RTA_DST, "10.0.0.0");
	return mnl_attr_nest_start(message, RTA_MULTIPATH);
}

static void reads_hops(void **state)
{
	struct nlattr *nest = begin_hops();
	struct host_facts h;

	(void)state;
	put_hop(1, 0, "192.0.2.1", 0);
	put_hop(2, RTNH_F_DEAD, NULL, 0);
	put_hop(3, 0, "192.0.2.3", 0);
	mnl_attr_nest_end(message, nest);
	h = read_message(AF_INET);
	assert_int_equal(h.network.route_count, 3);
	expect_route(&h, 0, 1, "192.0.2.1");
	expect_route(&h, 1, 2, ""); /* not that of its neighbour */
	expect_route(&h, 2, 3, "192.0.2.3");
	assert_true(h.network.routes[1].dead);
	assert_false(h.network.routes[0].dead || h.network.routes[2].dead);
	assert_int_equal(h.network.routes[2].dst.bits, 8);
	host_facts_done(&h);
	((struct rtmsg *)mnl_nlmsg_get_payload(message))->rtm_type = RTN_UNREACHABLE;
	h = read_message(AF_INET);
	assert_int_equal(h.network.route_count, 1); /* what refuses goes nowhere */
	expect_route(&h, 0, 0, "");
	host_facts_done(&h);
}

static void leaves_out_broken_hops(void **state)
{
	static const uint16_t lengths[] = { 1, 7, 17, 0xffff };
	struct nlattr *nest;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); ++i) {
		nest = begin_hops();
		put_hop(1, 0, "192.0.2.1", 0);
		put_hop(2, 0, "192.0.2.2", lengths[i]);
		mnl_attr_nest_end(message, nest);
		assert_int_equal(count(AF_INET), 1);
	}
	nest = begin_hops();
	put_hop(1, 0, "fd00::1", 0);
	mnl_attr_nest_end(message, nest);
	assert_int_equal(count(AF_INET), 0);
	nest = begin_hops();
	put_hop(1, 0, NULL, 0);
	message->nlmsg_len -= 4;
	mnl_attr_nest_end(message, nest);
	assert_int_equal(count(AF_INET), 0);
	nest = begin_hops(); /* into what comes behind them all */
	put_hop(1, 0, "192.0.2.1", 24);
	mnl_attr_nest_end(message, nest);
	mnl_attr_put_u32(message, RTA_PRIORITY, 7);
	assert_int_equal(count(AF_INET), 0);
	nest = begin_hops();
	mnl_attr_nest_end(message, nest);
	assert_int_equal(count(AF_INET), 0);
}

static void put_via(uint16_t family, const char *gateway, size_t cut)
{
	uint8_t bytes[18];
	struct ip ip;

	assert_true(text_to_ip(gateway, &ip));
	memcpy(bytes, &family, 2);
	memcpy(bytes + 2, ip.bytes, 16);
	mnl_attr_put(message, RTA_VIA, 2 + ip_bits(&ip) / 8 - cut, bytes);
}

static void reads_a_gateway_of_the_other_family(void **state)
{
	struct host_facts h;

	(void)state;
	begin_route(AF_INET, 0, RTN_UNICAST, RT_TABLE_MAIN, 0);
	put_via(AF_INET6, "fe80::1", 0);
	h = read_message(AF_INET);
	expect_route(&h, 0, 0, "fe80::1");
	host_facts_done(&h);
	for (size_t cut = 1; cut <= 18; ++cut) {
		begin_route(AF_INET, 0, RTN_UNICAST, RT_TABLE_MAIN, 0);
		put_via(AF_INET6, "fe80::1", cut);
		assert_int_equal(count(AF_INET), 0);
	}
	begin_route(AF_INET, 0, RTN_UNICAST, RT_TABLE_MAIN, 0);
	put_via(AF_INET, "fe80::1", 0);
	assert_int_equal(count(AF_INET), 0);
}

static void leaves_out_broken_routes(void **state)
{
	static const uint16_t numbers[] = { RTA_OIF, RTA_TABLE,   RTA_PRIORITY,
					    RTA_DST, RTA_GATEWAY, RTA_PREFSRC };
	struct nlattr *nest;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); ++i) {
		begin_route(AF_INET, 0, RTN_UNICAST, RT_TABLE_MAIN, 0);
		mnl_attr_put_u16(message, numbers[i], 1);
		assert_int_equal(count(AF_INET), 0);
	}
	begin_route(AF_INET, 33, RTN_UNICAST, RT_TABLE_MAIN, 0);
	assert_int_equal(count(AF_INET), 0);
	begin_route(AF_BRIDGE, 0, RTN_UNICAST, RT_TABLE_MAIN, 0);
	assert_int_equal(count(AF_UNSPEC), 0);
	begin_route(AF_INET, 0, RTN_UNICAST, RT_TABLE_MAIN, 0);
	put_broken();
	assert_int_equal(count(AF_INET), 0);
	begin_route(AF_INET, 0, RTN_UNICAST, RT_TABLE_MAIN, 0);
	nest = mnl_attr_nest_start(message, RTA_METRICS);
	mnl_attr_put_u16(message, RTAX_MTU, 1);
	mnl_attr_nest_end(message, nest);
	assert_int_equal(count(AF_INET), 0);
}

static void reads_a_path(void **state)
{
	struct route_path p = { .mtu = 1 };
	struct ip want;

	(void)state;
	begin_route(AF_INET, 32, RTN_UNICAST, RT_TABLE_MAIN, RTM_F_CLONED);
	mnl_attr_put_u32(message, RTA_OIF, 9);
	put_ip(RTA_PREFSRC, "192.0.2.2");
	put_ip(RTA_GATEWAY, "192.0.2.1");
	assert_int_equal(route_read_path(message, &p), 0);
	assert_int_equal(p.link, 9);
	assert_int_equal(p.mtu, 0);
	assert_true(text_to_ip("192.0.2.1", &want) && ip_equal(&p.via, &want));
	assert_true(text_to_ip("192.0.2.2", &want) && ip_equal(&p.source, &want));
	message->nlmsg_type = RTM_DELROUTE;
	assert_int_equal(route_read_path(message, &p), -EPROTO);
	message->nlmsg_type = RTM_NEWROUTE;
	put_broken();
	assert_int_equal(route_read_path(message, &p), -EPROTO);
	begin_link("wg0");
	assert_int_equal(route_read_path(message, &p), -EPROTO);
	assert_int_equal(p.link, 9); /* as it was */
}

/* Rules */

static struct fib_rule_hdr plain_rule(void)
{
	return (struct fib_rule_hdr){ .family = AF_INET,
				      .table = RT_TABLE_MAIN,
				      .action = FR_ACT_TO_TBL };
}

static struct host_rule read_rule(void)
{
	struct host_facts h = read_message(AF_UNSPEC);
	struct host_rule rule;

	assert_int_equal(h.network.rule_count, 1);
	rule = h.network.rules[0];
	host_facts_done(&h);
	return rule;
}

static void reads_rules(void **state)
{
	struct fib_rule_hdr head = plain_rule();
	struct host_rule rule;

	(void)state;
	head.flags = FIB_RULE_INVERT;
	head.table = RT_TABLE_COMPAT;
	begin(RTM_NEWRULE, &head, sizeof(head));
	mnl_attr_put_u32(message, FRA_PRIORITY, 32765);
	mnl_attr_put_u32(message, FRA_TABLE, 51820);
	mnl_attr_put_u32(message, FRA_FWMARK, 5);
	mnl_attr_put_u32(message, FRA_FWMASK, 15);
	mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, UINT32_MAX);
	mnl_attr_put_u8(message, FRA_PROTOCOL, RTPROT_STATIC);
	rule = read_rule();
	assert_int_equal(rule.family, FAMILY_V4);
	assert_int_equal(rule.priority, 32765);
	assert_int_equal(rule.table, 51820);
	assert_int_equal(rule.mark, 5);
	assert_int_equal(rule.mask, 15);
	assert_int_equal(rule.suppress, -1);
	assert_true(rule.invert);
	assert_false(rule.other);
	mnl_attr_put_u32(message, FRA_SUPPRESS_PREFIXLEN, 0);
	assert_int_equal(read_rule().suppress, 0);
	assert_int_equal(count(AF_INET6), 0);
}

/* Each alone makes it one that we do not understand. */
static void knows_what_it_does_not_know(void **state)
{
	static const uint16_t attributes[] = { FRA_SRC,     FRA_DST,       FRA_IIFNAME,
					       FRA_OIFNAME, FRA_GOTO,      FRA_SUPPRESS_IFGROUP,
					       FRA_L3MDEV,  FRA_UID_RANGE, FRA_IP_PROTO,
					       FRA_FLOW,    0x3ffe };
	struct fib_rule_hdr heads[6];

	(void)state;
	for (size_t i = 0; i < 6; ++i)
		heads[i] = plain_rule();
	begin(RTM_NEWRULE, &heads[0], sizeof(heads[0]));
	assert_false(read_rule().other);
	assert_int_equal(read_rule().table, RT_TABLE_MAIN);
	heads[1].src_len = heads[2].dst_len = heads[3].tos = 8;
	heads[4].flags = FIB_RULE_UNRESOLVED;
	heads[5].action = FR_ACT_PROHIBIT;
	for (size_t i = 1; i < 6; ++i) {
		begin(RTM_NEWRULE, &heads[i], sizeof(heads[i]));
		assert_true(read_rule().other);
		assert_int_equal(read_rule().table, i == 5 ? 0 : RT_TABLE_MAIN);
		assert_false(read_rule().invert);
	}
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); ++i) {
		begin(RTM_NEWRULE, &heads[0], sizeof(heads[0]));
		mnl_attr_put_u32(message, attributes[i], 1);
		assert_true(read_rule().other);
	}
}

static void leaves_out_broken_rules(void **state)
{
	static const uint16_t numbers[] = { FRA_PRIORITY, FRA_TABLE, FRA_FWMARK, FRA_FWMASK,
					    FRA_SUPPRESS_PREFIXLEN };
	struct fib_rule_hdr head = plain_rule();

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); ++i) {
		begin(RTM_NEWRULE, &head, sizeof(head));
		mnl_attr_put_u64(message, numbers[i], 1);
		assert_int_equal(count(AF_UNSPEC), 0);
	}
	begin(RTM_NEWRULE, &head, sizeof(head));
	put_broken();
	assert_int_equal(count(AF_UNSPEC), 0);
	head.family = 128;
	begin(RTM_NEWRULE, &head, sizeof(head));
	assert_int_equal(count(AF_UNSPEC), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_links),
		cmocka_unit_test(leaves_out_broken_links),
		cmocka_unit_test(reads_addresses),
		cmocka_unit_test(leaves_out_broken_addresses),
		cmocka_unit_test(reads_a_route),
		cmocka_unit_test(reads_kinds_of_routes),
		cmocka_unit_test(reads_hops),
		cmocka_unit_test(leaves_out_broken_hops),
		cmocka_unit_test(reads_a_gateway_of_the_other_family),
		cmocka_unit_test(leaves_out_broken_routes),
		cmocka_unit_test(reads_a_path),
		cmocka_unit_test(reads_rules),
		cmocka_unit_test(knows_what_it_does_not_know),
		cmocka_unit_test(leaves_out_broken_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
