#include "net/route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/netlink.h"
#include "base/text.h"
#include "namespace.h"
#include "net/observe.h"
#include "net/route_write.h"

/* In a namespace with lo and nothing else; tests/netns/test_route.py compares with `ip`. */

static struct item address(const char *prefix)
{
	struct item i = { .kind = ITEM_ADDRESS, .link = "lo" };

	assert_true(text_to_prefix(prefix, &i.prefix));
	return i;
}

static struct item route(const char *prefix, enum host_route_kind kind, uint32_t table,
			 uint32_t metric)
{
	struct item i = { .kind = ITEM_ROUTE, .table = table, .metric = metric, .route = kind };

	if (kind == HOST_UNICAST)
		strcpy(i.link, "lo");
	assert_true(text_to_prefix(prefix, &i.prefix));
	return i;
}

static struct item rule(uint8_t family, uint32_t priority, uint32_t table, uint32_t mark,
			int suppress, bool invert)
{
	return (struct item){ .kind = ITEM_RULE,
			      .rule = { .family = family,
					.priority = priority,
					.table = table,
					.mark = mark,
					.mask = mark ? UINT32_MAX : 0,
					.suppress = suppress,
					.invert = invert } };
}

static uint32_t metric_of(const struct item *i)
{
	return i->metric == 0 && i->prefix.ip.family == FAMILY_V6 ? 1024 : i->metric;
}

static bool is_address(const struct host_network *n, const struct host_address *a,
		       const struct item *i)
{
	return host_link_by_name(n, i->link)->index == a->link &&
	       i->prefix.bits == a->prefix.bits && ip_equal(&i->prefix.ip, &a->prefix.ip);
}

static bool is_route(const struct host_network *n, const struct host_route *r, const struct item *i)
{
	const struct host_link *link = host_link_by_name(n, i->link);

	return ip_equal(&r->dst.ip, &i->prefix.ip) && r->dst.bits == i->prefix.bits &&
	       r->table == i->table && r->metric == metric_of(i) && r->kind == i->route &&
	       r->link == (link ? link->index : 0);
}

static bool is_rule(const struct host_rule *r, const struct item *i)
{
	const struct host_rule *want = &i->rule;

	return r->family == want->family && r->priority == want->priority &&
	       r->table == want->table && r->mark == want->mark && r->mask == want->mask &&
	       r->suppress == want->suppress && r->invert == want->invert && !r->other;
}

/* How often it is there, as observe sees it. */
static size_t count(const struct item *item)
{
	struct host_facts h;
	size_t found = 0;

	host_facts_init(&h);
	assert_int_equal(observe_network(&h.network), 0);
	for (size_t i = 0; i < h.network.address_count; ++i)
		found += item->kind == ITEM_ADDRESS &&
			 is_address(&h.network, &h.network.addresses[i], item);
	for (size_t i = 0; i < h.network.route_count; ++i)
		found += item->kind == ITEM_ROUTE &&
			 is_route(&h.network, &h.network.routes[i], item);
	for (size_t i = 0; i < h.network.rule_count; ++i)
		found += item->kind == ITEM_RULE && is_rule(&h.network.rules[i], item);
	host_facts_done(&h);
	return found;
}

static void adds_and_removes(void **state)
{
	const struct item rows[] = {
		address("10.9.0.1/24"),
		address("127.9.0.1/8"),
		address("fd09::1/64"),
		address("fd09::2/128"),
		route("10.8.0.0/16", HOST_UNICAST, HOST_TABLE_MAIN, 0),
		route("10.8.1.0/24", HOST_UNICAST, 51820, 7),
		route("0.0.0.0/0", HOST_UNICAST, 51820, 0),
		route("0.0.0.0/0", HOST_UNREACHABLE, 51820, UINT32_MAX),
		route("192.0.2.1/32", HOST_THROW, 51820, 0),
		route("192.0.2.2/32", HOST_BLACKHOLE, 200, 5),
		route("192.0.2.3/32", HOST_PROHIBIT, HOST_TABLE_MAIN, 0),
		route("fd08::/32", HOST_UNICAST, HOST_TABLE_MAIN, 0),
		route("::/0", HOST_UNICAST, 51820, 0),
		route("::/0", HOST_UNREACHABLE, 51820, UINT32_MAX),
		route("2001:db8::1/128", HOST_THROW, 51820, 0),
		route("2001:db8::2/128", HOST_BLACKHOLE, 51820, 1),
		rule(FAMILY_V4, 32765, 51820, 51820, -1, true),
		rule(FAMILY_V4, 32764, HOST_TABLE_MAIN, 0, 0, false),
		rule(FAMILY_V6, 32765, 51820, 51820, -1, true),
		rule(FAMILY_V6, 32764, HOST_TABLE_MAIN, 0, 0, false),
		rule(FAMILY_V6, 9, 77, 1, 8, false),
	};

	(void)state;
	test_namespace_enter();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		assert_int_equal(count(&rows[i]), 0);
		assert_int_equal(route_item(&rows[i], true), 0); /* it is not there: fine */
		assert_int_equal(route_item(&rows[i], false), 0);
		assert_int_equal(count(&rows[i]), 1);
		assert_int_equal(route_item(&rows[i], false), -EEXIST);
	}
	for (size_t i = sizeof(rows) / sizeof(rows[0]); i-- > 0;) {
		assert_int_equal(count(&rows[i]), 1);
		assert_int_equal(route_item(&rows[i], true), 0);
		assert_int_equal(count(&rows[i]), 0);
	}
}

static int take_nothing(void *ctx, const struct nlmsghdr *message)
{
	(void)ctx;
	(void)message;
	return 0;
}

static int perform(const struct route_request *r)
{
	const int fd = netlink_open(NETLINK_ROUTE);
	int status;

	assert_true(fd >= 0);
	status = netlink_exchange(fd, (const struct nlmsghdr *)(const void *)r->bytes, take_nothing,
				  NULL);
	close(fd);
	return status;
}

static struct rtmsg route_head(const struct item *i)
{
	struct route_request r;
	struct rtmsg head;

	assert_int_equal(route_write_item(&r, i, 1, false), 0);
	memcpy(&head, r.bytes + NLMSG_HDRLEN, sizeof(head));
	return head;
}

/* What `ip route` tells of, and what it takes for granted. */
static void writes_routes_as_ip_does(void **state)
{
	const struct {
		struct item item;
		uint8_t scope;
	} rows[] = {
		{ route("10.8.0.0/16", HOST_UNICAST, 77, 0), RT_SCOPE_LINK },
		{ route("10.8.0.0/16", HOST_THROW, 77, 0), RT_SCOPE_UNIVERSE },
		{ route("fd08::/32", HOST_UNICAST, 77, 0), RT_SCOPE_UNIVERSE },
		{ route("fd08::/32", HOST_UNREACHABLE, 77, 0), RT_SCOPE_UNIVERSE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		const struct rtmsg head = route_head(&rows[i].item);

		assert_int_equal(head.rtm_scope, rows[i].scope);
		assert_int_equal(head.rtm_protocol, RTPROT_BOOT);
		assert_int_equal(head.rtm_table, 77);
	}
}

/* Found, and gone before it was asked about: by an index that nobody has. */
static void a_link_that_goes_meanwhile(void **state)
{
	enum { NOBODY = 9999 };
	const struct {
		struct item item;
		int add, remove;
	} rows[] = {
		{ address("10.9.0.1/24"), -ENODEV, -ENODEV },
		{ address("fd09::1/64"), -ENODEV, -ENODEV },
		{ route("10.8.0.0/16", HOST_UNICAST, HOST_TABLE_MAIN, 0), -ENODEV, -ESRCH },
		{ route("fd08::/32", HOST_UNICAST, HOST_TABLE_MAIN, 0), -ENODEV, -ESRCH },
	};

	(void)state;
	test_namespace_enter();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		struct route_request r;

		assert_int_equal(route_write_item(&r, &rows[i].item, NOBODY, false), 0);
		assert_int_equal(perform(&r), rows[i].add);
		assert_int_equal(route_write_item(&r, &rows[i].item, NOBODY, true), 0);
		assert_int_equal(perform(&r), rows[i].remove);
	}
}

static void what_is_no_item_of_rtnetlink(void **state)
{
	static const enum item_kind kinds[] = { ITEM_LINK, ITEM_SWITCH, ITEM_TABLE, ITEM_FOREIGN,
						ITEM_DNS };
	struct item strange = rule(FAMILY_V4, 9, 77, 0, -1, false);

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); ++i) {
		const struct item item = { .kind = kinds[i] };

		assert_int_equal(route_item(&item, false), -EINVAL);
		assert_int_equal(route_item(&item, true), -EINVAL);
	}
	strange.rule.other = true;
	assert_int_equal(route_item(&strange, false), -EINVAL);
	strange = rule(FAMILY_V4, 9, 0, 0, -1, false);
	assert_int_equal(route_item(&strange, false), -EINVAL);
}

static void add(const struct item *i)
{
	assert_int_equal(route_item(i, false), 0);
}

static void removed(const struct item *i)
{
	assert_int_equal(route_item(i, true), 0);
}

/* Priority, table, mark and the rest are each looked at when a rule is removed. */
static void removes_no_other_rule(void **state)
{
	const struct item there = rule(FAMILY_V4, 9, 77, 5, 8, false);
	const struct item others[] = {
		rule(FAMILY_V4, 10, 77, 5, 8, false), rule(FAMILY_V4, 9, 78, 5, 8, false),
		rule(FAMILY_V4, 9, 77, 6, 8, false),  rule(FAMILY_V4, 9, 77, 5, 7, false),
		rule(FAMILY_V6, 9, 77, 5, 8, false),
	};

	(void)state;
	test_namespace_enter();
	add(&there);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); ++i) {
		removed(&others[i]);
		assert_int_equal(count(&there), 1);
	}
	removed(&there);
	assert_int_equal(count(&there), 0);
}

static void removes_no_other_route(void **state)
{
	const struct item there[] = { route("10.8.0.0/16", HOST_UNICAST, 77, 7),
				      route("fd08::/32", HOST_UNICAST, 77, 7) };
	const struct item others[] = {
		route("10.8.0.0/16", HOST_UNICAST, 77, 8),
		route("10.8.0.0/16", HOST_UNICAST, 78, 7),
		route("10.8.0.0/16", HOST_THROW, 77, 7),
		route("10.8.0.0/15", HOST_UNICAST, 77, 7),
		route("fd08::/32", HOST_UNICAST, 77, 0), /* 1024 */
		route("fd08::/32", HOST_UNICAST, HOST_TABLE_MAIN, 7),
		route("fd08::/31", HOST_UNICAST, 77, 7),
	};

	(void)state;
	test_namespace_enter();
	add(&there[0]);
	add(&there[1]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); ++i) {
		removed(&others[i]);
		assert_int_equal(count(&there[0]) + count(&there[1]), 2);
	}
	removed(&there[0]);
	removed(&there[1]);
}

static uint32_t mtu_of_lo(void)
{
	struct host_facts h;
	uint32_t mtu;

	host_facts_init(&h);
	assert_int_equal(observe_network(&h.network), 0);
	mtu = host_link_by_name(&h.network, "lo")->mtu;
	assert_true(host_link_by_name(&h.network, "lo")->up);
	host_facts_done(&h);
	return mtu;
}

static void changes_links(void **state)
{
	struct item mtu = { .kind = ITEM_LINK_MTU, .link = "lo", .number = 60000 };

	(void)state;
	test_namespace_enter();
	test_link_up("lo", false);
	assert_int_equal(route_link_up("lo", 0), 0);
	assert_int_equal(mtu_of_lo(), 65536);
	assert_int_equal(route_link_up("lo", 61000), 0);
	assert_int_equal(mtu_of_lo(), 61000);
	test_link_up("lo", false);
	assert_int_equal(route_item(&mtu, false), 0);
	assert_int_equal(route_link_up("lo", 0), 0);
	assert_int_equal(mtu_of_lo(), 60000);
	mtu.number = 7;
	assert_int_equal(route_item(&mtu, true), 0);
	assert_int_equal(mtu_of_lo(), 60000);
	assert_int_equal(route_link_up("lo", 65536), 0);
	assert_int_equal(route_link_add("lo"), -EEXIST);
	assert_int_equal(route_link_up("nobody", 0), -ENODEV);
	assert_int_equal(route_link_remove("nobody"), 0);
	assert_int_not_equal(route_link_remove("lo"), 0); /* nobody can */
}

static struct endpoint to(const char *ip)
{
	struct endpoint e = { .port = 51820 };

	assert_true(text_to_ip(ip, &e.ip));
	return e;
}

static void finds_paths(void **state)
{
	const struct item rows[] = { route("10.8.0.0/16", HOST_UNICAST, HOST_TABLE_MAIN, 0),
				     route("fd08::/32", HOST_UNICAST, HOST_TABLE_MAIN, 0),
				     route("10.8.0.0/16", HOST_UNREACHABLE, 77, 0),
				     rule(FAMILY_V4, 9, 77, 5, -1, false) };
	const struct endpoint v4 = to("10.8.0.1"), v6 = to("fd08::1"), none = to("10.7.0.1");
	const struct endpoint local = to("127.0.0.1");
	struct route_path p = { .mtu = 7 };

	(void)state;
	test_namespace_enter();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i)
		add(&rows[i]);
	assert_int_equal(route_path(&none, 0, &p), -ENETUNREACH);
	assert_int_equal(route_path(&v4, 5, &p), -EHOSTUNREACH);
	assert_int_equal(p.mtu, 7); /* untouched */
	assert_int_equal(route_path(&v4, 4, &p), 0);
	assert_int_equal(p.mtu, 65536);
	assert_int_equal(p.link, 1);
	assert_int_equal(p.via.family, FAMILY_NONE);
	assert_int_equal(route_path(&v6, 5, &p), 0);
	assert_int_equal(p.mtu, 65536);
	assert_int_equal(route_path(&local, 5, &p), 0);
	assert_true(ip_equal(&p.source, &local.ip));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i)
		removed(&rows[i]);
}

/* What the kernel could not give to any socket, as it counts it. */
static unsigned long drops(void)
{
	FILE *const f = fopen("/proc/thread-self/net/netlink", "re");
	unsigned long sum = 0, one;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %lu", &one) == 1)
			sum += one;
	(void)fclose(f); /* only read */
	return sum;
}

/* The news are there before a change is told to be done. */
static void watches(void **state)
{
	const struct item rows[] = {
		address("10.9.0.1/24"),
		address("fd09::1/64"),
		route("10.8.0.0/16", HOST_UNICAST, HOST_TABLE_MAIN, 0),
		route("fd08::/32", HOST_UNICAST, HOST_TABLE_MAIN, 0),
		rule(FAMILY_V4, 9, 77, 0, -1, false),
		rule(FAMILY_V6, 9, 77, 0, -1, false),
		{ .kind = ITEM_LINK_MTU, .link = "lo", .number = 65535 },
	};
	int fd;

	(void)state;
	test_namespace_enter();
	fd = route_watch_open();
	assert_true(fd >= 0);
	assert_int_equal(route_watch_read(fd), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		add(&rows[i]);
		assert_int_equal(route_watch_read(fd), 1);
		assert_int_equal(route_watch_read(fd), 0);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) - 1; ++i) {
		removed(&rows[i]);
		removed(&rows[i]);
		assert_int_equal(route_watch_read(fd), 1);
		assert_int_equal(route_watch_read(fd), 0);
	}
	assert_int_equal(route_link_up("lo", 65536), 0);
	close(fd);
}

static void watch_outlives_what_it_lost(void **state)
{
	const struct item item = route("10.8.0.0/16", HOST_THROW, 77, 0);
	const int least = 1;
	unsigned long before;
	int fd;

	(void)state;
	test_namespace_enter();
	before = drops();
	fd = route_watch_open();
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof(least)), 0);
	for (int i = 0; i < 100; ++i) {
		add(&item);
		removed(&item);
	}
	assert_true(drops() > before);
	assert_int_equal(route_watch_read(fd), 1);
	assert_int_equal(route_watch_read(fd), 0);
	add(&item);
	assert_int_equal(route_watch_read(fd), 1);
	removed(&item);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_and_removes),
		cmocka_unit_test(writes_routes_as_ip_does),
		cmocka_unit_test(a_link_that_goes_meanwhile),
		cmocka_unit_test(what_is_no_item_of_rtnetlink),
		cmocka_unit_test(removes_no_other_rule),
		cmocka_unit_test(removes_no_other_route),
		cmocka_unit_test(changes_links),
		cmocka_unit_test(finds_paths),
		cmocka_unit_test(watches),
		cmocka_unit_test(watch_outlives_what_it_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
