#include "net/route.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "namespace.h"
#include "net/observe.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_and_removes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
