#include <string.h>

#include "base/bytes.h"
#include "net/item.h"

enum {
	METRIC_V6 = 1024, /* what the kernel takes where no metric is given */
	BY_KERNEL = 2,    /* RTPROT_KERNEL: of an address, with which it goes */
};

static bool address_is_there(const struct item *i, const struct host_network *n, uint32_t link)
{
	for (size_t j = 0; j < n->address_count; ++j)
		if (n->addresses[j].link == link &&
		    prefix_equal(&n->addresses[j].prefix, &i->prefix))
			return true;
	return false;
}

static uint32_t metric_of(const struct item *i)
{
	return i->metric == 0 && i->prefix.ip.family == FAMILY_V6 ? METRIC_V6 : i->metric;
}

/* IPv6 shows a route that refuses as one to lo: only a route to the link is asked for its link. */
static bool is_route(const struct host_route *r, const struct item *i, uint32_t link)
{
	return r->protocol != BY_KERNEL && prefix_equal(&r->dst, &i->prefix) &&
	       r->table == i->table && r->kind == i->route && r->metric == metric_of(i) &&
	       (i->route != HOST_UNICAST || r->link == link);
}

static bool route_is_there(const struct item *i, const struct host_network *n, uint32_t link)
{
	for (size_t j = 0; j < n->route_count; ++j)
		if (is_route(&n->routes[j], i, link))
			return true;
	return false;
}

static bool is_rule(const struct host_rule *a, const struct host_rule *b)
{
	return a->priority == b->priority && a->table == b->table && a->mark == b->mark &&
	       a->mask == b->mask && a->suppress == b->suppress && a->invert == b->invert &&
	       !a->other;
}

/* A family of which no rule at all was seen was not looked at. */
static int rule_is_there(const struct item *i, const struct host_network *n)
{
	int result = -1;

	for (size_t j = 0; j < n->rule_count && result != 1; ++j)
		if (n->rules[j].family == i->rule.family)
			result = is_rule(&n->rules[j], &i->rule);
	return result;
}

static int switch_is_there(const struct item *i, const struct host_switches *s)
{
	const struct {
		const char *path;
		enum host_switch_state state;
	} known[] = {
		{ "net/ipv4/conf/all/src_valid_mark", s->src_valid_mark },
		{ "net/ipv4/ip_forward", s->ip_forward },
		{ "net/ipv6/conf/all/forwarding", s->ip6_forward },
	};

	for (size_t j = 0; j < ELEMENTS(known); ++j)
		if (i->text && strcmp(i->text, known[j].path) == 0 &&
		    known[j].state != HOST_UNKNOWN)
			return (known[j].state == HOST_ON) == (i->number != 0);
	return -1;
}

/* Of a host there is a link at least, lo: where none was seen, nobody looked. */
static int network_tells(const struct item *i, const struct host_network *n)
{
	const struct host_link *link = host_link_by_name(n, i->link);

	if (n->link_count == 0)
		return -1;
	if (i->kind == ITEM_ROUTE && i->route != HOST_UNICAST)
		return route_is_there(i, n, 0);
	if (!link)
		return 0;
	if (i->kind == ITEM_ADDRESS)
		return address_is_there(i, n, link->index);
	if (i->kind == ITEM_ROUTE)
		return route_is_there(i, n, link->index);
	return i->kind == ITEM_LINK || (link->up && link->mtu == i->number);
}

int item_is_there(const struct item *i, const struct host_network *n)
{
	switch (i->kind) {
	case ITEM_LINK:
	case ITEM_LINK_MTU:
	case ITEM_ADDRESS:
	case ITEM_ROUTE:
		return network_tells(i, n);
	case ITEM_RULE:
		return rule_is_there(i, n);
	case ITEM_SWITCH:
		return switch_is_there(i, &n->switches);
	case ITEM_TABLE:
	case ITEM_FOREIGN:
	case ITEM_DNS:
	case ITEM_KINDS:
		break;
	}
	return -1;
}
