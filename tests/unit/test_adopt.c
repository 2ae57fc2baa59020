#include "net/adopt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

enum { LAN = 2, WG = 7, OTHER = 8, BOOT = 3 };

static void add_link(struct host_network *n, uint32_t index, const char *name, bool wireguard)
{
	struct host_link *l = host_add_link(n);

	assert_non_null(l);
	*l = (struct host_link){ .index = index, .mtu = 1420, .up = true, .wireguard = wireguard };
	(void)strncpy(l->name, name, sizeof(l->name) - 1);
}

static struct prefix v4(uint8_t last, uint8_t bits)
{
	return (struct prefix){ .ip = { .family = FAMILY_V4, .bytes = { 10, 0, 0, last } },
				.bits = bits };
}

static struct prefix v6(uint8_t first, uint8_t second, uint8_t bits)
{
	return (struct prefix){ .ip = { .family = FAMILY_V6, .bytes = { first, second } },
				.bits = bits };
}

static void add_address(struct host_network *n, uint32_t link, struct prefix p)
{
	struct host_address *a = host_add_address(n);

	assert_non_null(a);
	*a = (struct host_address){ .link = link, .prefix = p };
}

static void add_route(struct host_network *n, struct host_route route)
{
	struct host_route *r = host_add_route(n);

	assert_non_null(r);
	*r = route;
}

static void add_rule(struct host_network *n, uint8_t family, uint32_t priority, uint32_t mark)
{
	struct host_rule *r = host_add_rule(n);

	assert_non_null(r);
	*r = (struct host_rule){ .family = family,
				 .priority = priority,
				 .table = mark ? mark : HOST_TABLE_MAIN,
				 .mark = mark,
				 .mask = mark ? UINT32_MAX : 0,
				 .suppress = mark ? -1 : 0,
				 .invert = mark != 0 };
}

/* Two tunnels of wg-quick with a default route each, the second one ours. */
static void make_host(struct host_facts *h)
{
	struct host_network *n = &h->network;

	host_facts_init(h);
	add_link(n, LAN, "eth0", false);
	add_link(n, WG, "wg0", true);
	add_link(n, OTHER, "wg1", true);
	add_address(n, LAN, v4(1, 24));
	add_address(n, WG, v4(2, 32));
	add_address(n, WG, v6(0xfe, 0x80, 64));
	add_address(n, OTHER, v4(3, 32));
	add_route(n, (struct host_route){
			     .dst = v4(0, 0), .link = WG, .table = 51821, .protocol = BOOT });
	add_route(n, (struct host_route){ .dst = v6(0xfd, 0, 8),
					  .link = WG,
					  .table = HOST_TABLE_MAIN,
					  .metric = 1024,
					  .protocol = BOOT });
	add_route(n, (struct host_route){ .dst = v6(0xfe, 0x80, 64),
					  .link = WG,
					  .table = HOST_TABLE_MAIN,
					  .metric = 256,
					  .protocol = 2 });
	add_route(n, (struct host_route){
			     .dst = v4(0, 0), .link = OTHER, .table = 51820, .protocol = BOOT });
	add_rule(n, FAMILY_V4, 32762, 0);
	add_rule(n, FAMILY_V4, 32763, 51821);
	add_rule(n, FAMILY_V4, 32764, 0);
	add_rule(n, FAMILY_V4, 32765, 51820);
}

static void expect(const struct items *i, size_t row, enum item_kind kind)
{
	if (i->count <= row || i->rows[row].kind != kind)
		fail_msg("item %zu is not of kind %d", row, kind);
}

static void a_tunnel_of_wg_quick(void **state)
{
	struct host_facts h;
	struct items i;

	(void)state;
	make_host(&h);
	items_init(&i);
	assert_true(adopt_items("wg0", "kernel", 51821, &h.network, NULL, &i));
	assert_int_equal(i.count, 8);
	expect(&i, 0, ITEM_LINK);
	assert_int_equal(i.rows[0].number, 51821);
	assert_string_equal(i.rows[0].text, "kernel");
	expect(&i, 1, ITEM_LINK_MTU);
	assert_int_equal(i.rows[1].number, 1420);
	expect(&i, 2, ITEM_RULE);
	assert_int_equal(i.rows[2].rule.priority, 32763);
	expect(&i, 3, ITEM_RULE);
	assert_int_equal(i.rows[3].rule.priority, 32762);
	expect(&i, 4, ITEM_ADDRESS);
	expect(&i, 5, ITEM_ADDRESS);
	expect(&i, 6, ITEM_ROUTE);
	assert_int_equal(i.rows[6].table, 51821);
	expect(&i, 7, ITEM_ROUTE);
	assert_int_equal(i.rows[7].metric, 0);
	for (size_t k = 0; k < i.count; ++k)
		assert_int_equal(item_is_there(&i.rows[k], &h.network), 1);
	items_done(&i);
	host_facts_done(&h);
}

static void what_is_not_its_own_stays_out(void **state)
{
	struct host_facts h;
	struct items i, others;

	(void)state;
	make_host(&h);
	h.network.links[1].wireguard = false; /* its link-local address may be its own */
	items_init(&others);
	items_init(&i);
	assert_true(adopt_items("wg1", "kernel", 51820, &h.network, NULL, &others));
	assert_int_equal(others.count, 6);
	assert_int_equal(others.rows[3].rule.priority, 32764);
	assert_true(adopt_items("wg0", "warren run", 51820, &h.network, &others, &i));
	for (size_t k = 0; k < i.count; ++k) {
		assert_int_not_equal(i.rows[k].kind, ITEM_RULE);
		assert_false(i.rows[k].kind == ITEM_ADDRESS &&
			     i.rows[k].prefix.ip.family == FAMILY_V6);
	}
	items_done(&i);
	assert_true(adopt_items("wg9", "kernel", 51820, &h.network, NULL, &i));
	assert_int_equal(i.count, 0);
	assert_true(adopt_items("wg0", "kernel", 0, &h.network, NULL, &i));
	assert_int_equal(i.rows[0].number, 0);
	items_done(&i);
	items_done(&others);
	host_facts_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tunnel_of_wg_quick),
		cmocka_unit_test(what_is_not_its_own_stays_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
