#include "net/adopt.h"

#include <stddef.h>

enum {
	METRIC_V6 = 1024, /* what the kernel takes where none is given */
	BY_KERNEL = 2,    /* RTPROT_KERNEL: of an address, with which it goes */
};

struct adoption {
	const struct host_link *link;
	const struct host_network *n;
	const struct items *others;
	struct items *ret;
};

static struct item *add(struct adoption *a, enum item_kind kind)
{
	return items_add(a->ret, kind, a->link->name);
}

static bool add_link(struct adoption *a, const char *engine, uint32_t mark)
{
	struct item *i = add(a, ITEM_LINK);

	if (!i)
		return false;
	i->number = mark;
	if (!item_set_texts(i, NULL, engine))
		return false;
	i = add(a, ITEM_LINK_MTU);
	if (i)
		i->number = a->link->mtu;
	return i;
}

/* An engine that is no kernel link may have got one of fe80::/10 by itself: it goes with it. */
static bool add_addresses(struct adoption *a)
{
	for (size_t k = 0; k < a->n->address_count; ++k) {
		const struct host_address *address = &a->n->addresses[k];
		struct item *i;

		if (address->link != a->link->index ||
		    (!a->link->wireguard && ip_is_link_local(&address->prefix.ip)))
			continue;
		i = add(a, ITEM_ADDRESS);
		if (!i)
			return false;
		i->prefix = address->prefix;
	}
	return true;
}

static bool add_routes(struct adoption *a)
{
	for (size_t k = 0; k < a->n->route_count; ++k) {
		const struct host_route *route = &a->n->routes[k];
		struct item *i;

		if (route->link != a->link->index || route->protocol == BY_KERNEL ||
		    route->kind != HOST_UNICAST)
			continue;
		i = add(a, ITEM_ROUTE);
		if (!i)
			return false;
		i->prefix = route->dst;
		i->table = route->table;
		i->metric = route->dst.ip.family == FAMILY_V6 && route->metric == METRIC_V6
				    ? 0
				    : route->metric;
		i->route = HOST_UNICAST;
	}
	return true;
}

/* "not fwmark N lookup N", of which N is the mark of this tunnel. */
static bool is_lookup(const struct host_rule *r, uint32_t mark)
{
	return !r->other && r->invert && r->mark == mark && r->table == mark && r->mask;
}

static bool is_narrower(const struct host_rule *r, uint8_t family)
{
	return !r->other && !r->invert && r->family == family && !r->mask &&
	       r->table == HOST_TABLE_MAIN && r->suppress == 0;
}

static bool add_rule(struct adoption *a, const struct host_rule *rule)
{
	struct item probe = { .kind = ITEM_RULE, .rule = *rule }, *i;

	if (a->others && items_find(a->others, &probe))
		return true;
	i = add(a, ITEM_RULE);
	if (i)
		i->rule = *rule;
	return i;
}

/* The one that came right behind it stands right before it: the kernel counts down. */
static const struct host_rule *narrower_of(const struct adoption *a, const struct host_rule *lookup)
{
	const struct host_rule *best = NULL;

	for (size_t k = 0; k < a->n->rule_count; ++k) {
		const struct host_rule *r = &a->n->rules[k];

		if (is_narrower(r, lookup->family) && r->priority < lookup->priority &&
		    (!best || r->priority > best->priority))
			best = r;
	}
	return best;
}

static bool has_rules(const struct host_network *n, uint32_t mark)
{
	for (size_t k = 0; mark && k < n->rule_count; ++k)
		if (is_lookup(&n->rules[k], mark))
			return true;
	return false;
}

static bool add_rules(struct adoption *a, uint32_t mark)
{
	for (size_t k = 0; mark && k < a->n->rule_count; ++k) {
		const struct host_rule *r = &a->n->rules[k], *narrower;

		if (!is_lookup(r, mark))
			continue;
		narrower = narrower_of(a, r);
		if (!add_rule(a, r) || (narrower && !add_rule(a, narrower)))
			return false;
	}
	return true;
}

bool adopt_items(const char *link, const char *engine, uint32_t mark, const struct host_network *n,
		 const struct items *others, struct items *ret)
{
	struct adoption a = { host_link_by_name(n, link), n, others, ret };

	if (!a.link)
		return true;
	return add_link(&a, engine, has_rules(n, mark) ? mark : 0) && add_rules(&a, mark) &&
	       add_addresses(&a) && add_routes(&a);
}
