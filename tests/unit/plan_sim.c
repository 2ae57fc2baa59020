#include "plan_sim.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

enum { FIRST_INDEX = 7 };

static const char *const paths[SIM_SWITCHES] = { "net/ipv4/conf/all/src_valid_mark",
						 "net/ipv4/ip_forward" };

void sim_init(struct sim *s)
{
	*s = (struct sim){ 0 };
	items_init(&s->there);
}

void sim_done(struct sim *s)
{
	items_done(&s->there);
}

static void copy_items(struct items *to, const struct items *from)
{
	items_init(to);
	for (size_t i = 0; i < from->count; ++i)
		assert_true(items_copy(to, &from->rows[i]));
}

void sim_copy(struct sim *to, const struct sim *from)
{
	*to = *from;
	copy_items(&to->there, &from->there);
}

void sim_tunnel_init(struct sim_tunnel *t)
{
	*t = (struct sim_tunnel){ 0 };
	items_init(&t->owned);
}

void sim_tunnel_done(struct sim_tunnel *t)
{
	items_done(&t->owned);
}

void sim_tunnel_copy(struct sim_tunnel *to, const struct sim_tunnel *from)
{
	*to = *from;
	copy_items(&to->owned, &from->owned);
}

static void drop(struct items *list, size_t at)
{
	item_done(&list->rows[at]);
	memmove(&list->rows[at], &list->rows[at + 1], (list->count - at - 1) * sizeof(*list->rows));
	--list->count;
}

static bool drop_same(struct items *list, const struct item *like)
{
	for (size_t i = 0; i < list->count; ++i)
		if (item_same(&list->rows[i], like)) {
			drop(list, i);
			return true;
		}
	return false;
}

static void put(struct items *list, const struct item *item)
{
	struct item copy = { 0 };

	for (size_t i = 0; i < list->count; ++i)
		if (item_same(&list->rows[i], item)) {
			assert_true(item_copy(&copy, item));
			item_done(&list->rows[i]);
			list->rows[i] = copy;
			return;
		}
	assert_true(items_copy(list, item));
}

static bool is_v4(const struct item *i)
{
	return i->prefix.ip.family == FAMILY_V4;
}

static struct prefix network_of(const struct item *address)
{
	struct prefix p = address->prefix;

	prefix_mask(&p);
	return p;
}

static bool on_link(const struct item *i, enum item_kind kind, const char *link)
{
	return i->kind == kind && strcmp(i->link, link) == 0;
}

static bool has_link(const struct sim *s, const char *link)
{
	for (size_t i = 0; i < s->there.count; ++i)
		if (on_link(&s->there.rows[i], ITEM_LINK, link))
			return true;
	return false;
}

/* Is it the first of its network on its link? */
static bool is_first(const struct items *there, size_t at)
{
	const struct prefix own = network_of(&there->rows[at]);

	for (size_t i = 0; i < at; ++i) {
		const struct prefix p = network_of(&there->rows[i]);

		if (on_link(&there->rows[i], ITEM_ADDRESS, there->rows[at].link) &&
		    prefix_equal(&p, &own))
			return false;
	}
	return true;
}

/* The route that the kernel keeps for an address. */
static bool connected_of(const struct items *there, size_t at, struct item *ret)
{
	const struct item *address = &there->rows[at];
	const struct prefix network = network_of(address);

	*ret = (struct item){ .kind = ITEM_ROUTE,
			      .prefix = network,
			      .table = HOST_TABLE_MAIN,
			      .metric = is_v4(address) ? 0 : 256 };
	memcpy(ret->link, address->link, sizeof(ret->link));
	return address->kind == ITEM_ADDRESS && is_first(there, at) &&
	       (!is_v4(address) || (network.bits < 32 && network.ip.bytes[0] != 0));
}

static bool same_key(const struct item *a, const struct item *b)
{
	return a->kind == ITEM_ROUTE && b->kind == ITEM_ROUTE && a->table == b->table &&
	       a->metric == b->metric && prefix_equal(&a->prefix, &b->prefix);
}

static int add_route(struct sim *s, const struct item *item)
{
	struct item connected;

	for (size_t i = 0; i < s->there.count; ++i)
		if (same_key(&s->there.rows[i], item) ||
		    (connected_of(&s->there, i, &connected) && same_key(&connected, item)))
			return -EEXIST;
	return items_copy(&s->there, item) ? 0 : -ENOMEM;
}

static int add_address(struct sim *s, const struct item *item)
{
	for (size_t i = 0; i < s->there.count; ++i) {
		const struct item *old = &s->there.rows[i];

		if (on_link(old, ITEM_ADDRESS, item->link) &&
		    ip_equal(&old->prefix.ip, &item->prefix.ip) &&
		    (!is_v4(item) || old->prefix.bits == item->prefix.bits))
			return -EEXIST;
	}
	return items_copy(&s->there, item) ? 0 : -ENOMEM;
}

static int turn_switch(struct sim *s, const struct item *item, uint32_t value)
{
	for (size_t i = 0; i < SIM_SWITCHES; ++i)
		if (strcmp(paths[i], item->text) == 0) {
			s->switches[i] = value;
			return 0;
		}
	return -ENOENT;
}

static int add(struct sim *s, const struct item *item)
{
	if (item->kind == ITEM_SWITCH)
		return turn_switch(s, item, item->number);
	if (item_goes_with_link(item) && !has_link(s, item->link))
		return -ENODEV;
	if (item->kind == ITEM_ROUTE)
		return add_route(s, item);
	if (item->kind == ITEM_ADDRESS)
		return add_address(s, item);
	if ((item->kind == ITEM_LINK || item->kind == ITEM_RULE) && sim_has(s, item))
		return -EEXIST;
	put(&s->there, item);
	return 0;
}

static void flush_v4_routes(struct sim *s, const char *link)
{
	for (size_t i = 0; i < s->there.count; ++i)
		if (on_link(&s->there.rows[i], ITEM_ADDRESS, link) && is_v4(&s->there.rows[i]))
			return;
	for (size_t i = s->there.count; i-- > 0;)
		if (on_link(&s->there.rows[i], ITEM_ROUTE, link) && is_v4(&s->there.rows[i]) &&
		    s->there.rows[i].route == HOST_UNICAST)
			drop(&s->there, i);
}

static void remove_address(struct sim *s, const struct item *item)
{
	const struct prefix network = network_of(item);
	bool first = false;

	for (size_t i = 0; i < s->there.count; ++i)
		if (item_same(&s->there.rows[i], item))
			first = is_first(&s->there, i);
	if (!drop_same(&s->there, item) || !is_v4(item))
		return;
	for (size_t i = s->there.count; first && !s->promotes && i-- > 0;) {
		const struct prefix p = network_of(&s->there.rows[i]);

		if (on_link(&s->there.rows[i], ITEM_ADDRESS, item->link) &&
		    prefix_equal(&p, &network) && p.bits < 32)
			drop(&s->there, i);
	}
	flush_v4_routes(s, item->link);
}

static void remove_link(struct sim *s, const char *link)
{
	for (size_t i = s->there.count; i-- > 0;)
		if (strcmp(s->there.rows[i].link, link) == 0 &&
		    (item_goes_with_link(&s->there.rows[i]) || s->there.rows[i].kind == ITEM_LINK))
			drop(&s->there, i);
}

/* What another tunnel wants turned stays so. */
static int restore_switch(struct sim *s, const struct item *item, const struct items *others)
{
	return others && items_find(others, item) ? 0 : turn_switch(s, item, item->old);
}

static int take_away(struct sim *s, const struct item *item, const struct items *others)
{
	if (item->kind == ITEM_SWITCH)
		return restore_switch(s, item, others);
	if (item->kind == ITEM_ADDRESS)
		remove_address(s, item);
	else if (item->kind == ITEM_LINK)
		remove_link(s, item->link);
	else
		(void)drop_same(&s->there, item); /* gone is fine */
	return 0;
}

static void drop_with_link(struct items *owned)
{
	for (size_t i = owned->count; i-- > 0;)
		if (item_goes_with_link(&owned->rows[i]))
			drop(owned, i);
}

int sim_step(struct sim *s, struct sim_tunnel *t, const struct step *step,
	     const struct items *others)
{
	int rc = 0;

	if (step->kind == STEP_ADD || step->kind == STEP_UP) {
		put(&t->owned, &step->item);
		rc = add(s, &step->item);
		t->up |= step->kind == STEP_UP;
	} else if (step->kind == STEP_REMOVE) {
		rc = take_away(s, &step->item, others);
		assert_true(drop_same(&t->owned, &step->item));
		if (step->item.kind == ITEM_LINK)
			drop_with_link(&t->owned);
	} else if (step->kind == STEP_MARK) {
		t->mark = step->number;
	}
	return rc;
}

static uint32_t index_of(const struct sim *s, const char *link)
{
	uint32_t index = FIRST_INDEX;

	for (size_t i = 0; i < s->there.count; ++i)
		if (s->there.rows[i].kind == ITEM_LINK) {
			if (strcmp(s->there.rows[i].link, link) == 0)
				return index;
			++index;
		}
	return 1;
}

static void show_route(const struct sim *s, const struct item *item, uint8_t protocol,
		       struct host_network *n)
{
	struct host_route *route = host_add_route(n);

	assert_non_null(route);
	*route = (struct host_route){
		.dst = item->prefix,
		.link = item->route == HOST_UNICAST ? index_of(s, item->link) : 0,
		.table = item->table,
		.metric = item->metric == 0 && !is_v4(item) ? 1024 : item->metric,
		.kind = item->route,
		.protocol = protocol,
	};
}

static void show_link(const struct sim *s, const struct item *item, struct host_network *n)
{
	struct host_link *link = host_add_link(n);

	assert_non_null(link);
	*link = (struct host_link){ .index = index_of(s, item->link), .up = true };
	memcpy(link->name, item->link, sizeof(link->name));
	for (size_t i = 0; i < s->there.count; ++i)
		if (on_link(&s->there.rows[i], ITEM_LINK_MTU, item->link))
			link->mtu = s->there.rows[i].number;
}

static void show_address(const struct sim *s, const struct item *item, struct host_network *n)
{
	struct host_address *address = host_add_address(n);

	assert_non_null(address);
	*address = (struct host_address){ index_of(s, item->link), item->prefix };
}

static void show_rule(const struct host_rule *rule, struct host_network *n)
{
	struct host_rule *row = host_add_rule(n);

	assert_non_null(row);
	*row = *rule;
}

static void show(const struct sim *s, size_t at, struct host_network *n)
{
	const struct item *item = &s->there.rows[at];
	struct item connected;

	if (item->kind == ITEM_LINK)
		show_link(s, item, n);
	else if (item->kind == ITEM_ADDRESS)
		show_address(s, item, n);
	else if (item->kind == ITEM_ROUTE)
		show_route(s, item, RTPROT_STATIC, n);
	else if (item->kind == ITEM_RULE)
		show_rule(&item->rule, n);
	if (connected_of(&s->there, at, &connected))
		show_route(s, &connected, RTPROT_KERNEL, n);
}

static int compare_rules(const void *a, const void *b)
{
	const struct host_rule *x = a, *y = b;

	return x->priority < y->priority ? -1 : x->priority > y->priority;
}

void sim_look(const struct sim *s, struct host_facts *ret)
{
	static const struct host_rule kernel[] = {
		{ .family = 4, .table = HOST_TABLE_LOCAL, .suppress = -1 },
		{ .family = 4, .priority = 32766, .table = HOST_TABLE_MAIN, .suppress = -1 },
		{ .family = 4, .priority = 32767, .table = HOST_TABLE_DEFAULT, .suppress = -1 },
		{ .family = 6, .table = HOST_TABLE_LOCAL, .suppress = -1 },
		{ .family = 6, .priority = 32766, .table = HOST_TABLE_MAIN, .suppress = -1 },
	};
	struct host_network *n = &ret->network;
	struct host_link *lo;

	host_facts_init(ret);
	lo = host_add_link(n);
	assert_non_null(lo);
	*lo = (struct host_link){ .index = 1, .name = "lo", .mtu = 65536, .up = true };
	for (size_t i = 0; i < ELEMENTS(kernel); ++i)
		show_rule(&kernel[i], n);
	for (size_t i = 0; i < s->there.count; ++i)
		show(s, i, n);
	qsort(n->rules, n->rule_count, sizeof(*n->rules), compare_rules);
	n->switches.src_valid_mark = s->switches[0] ? HOST_ON : HOST_OFF;
	n->switches.ip_forward = s->switches[1] ? HOST_ON : HOST_OFF;
}

/* The priority of a rule and the mark of a link apart. */
static bool is_alike(const struct item *a, const struct item *b)
{
	struct item copy = *a;

	if (a->kind == ITEM_RULE)
		copy.rule.priority = b->rule.priority;
	if (a->kind == ITEM_LINK)
		copy.number = b->number;
	return item_equal(&copy, b);
}

static size_t count_alike(const struct items *list, const struct item *like)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; ++i)
		count += is_alike(&list->rows[i], like);
	return count;
}

bool sim_equal(const struct sim *a, const struct sim *b)
{
	for (size_t i = 0; i < a->there.count; ++i)
		if (count_alike(&a->there, &a->there.rows[i]) !=
		    count_alike(&b->there, &a->there.rows[i]))
			return false;
	return a->there.count == b->there.count &&
	       memcmp(a->switches, b->switches, sizeof(a->switches)) == 0;
}

bool sim_has(const struct sim *s, const struct item *like)
{
	return items_find(&s->there, like);
}
