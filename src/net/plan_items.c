#include <assert.h>
#include <string.h>

#include "net/plan_private.h"

enum {
	PATH_MTU = 1500,     /* where nothing is known of the way */
	OVERHEAD = 80,       /* outer IPv6, UDP, header, tag, padding */
	MTU_MIN = 68,        /* what IPv4 wants at least */
	RULES_BEGIN = 32766, /* the kernel's rule for the main table */
};

#define SRC_VALID_MARK "net/ipv4/conf/all/src_valid_mark"

/* Being made. The first lack of memory ends it. */
struct making {
	const struct plan_case *p;
	uint32_t mark;
	struct items *ret;
};

static struct item *add(struct making *m, enum item_kind kind)
{
	return items_add(m->ret, kind, m->p->c->link);
}

static bool add_link(struct making *m)
{
	struct item *i = add(m, ITEM_LINK);

	if (!i)
		return false;
	i->number = m->mark;
	return item_set_texts(i, NULL, m->p->c->engine);
}

static bool add_mtu(struct making *m)
{
	const uint32_t path = m->p->c->mtu ? m->p->c->mtu : PATH_MTU;
	struct item *i = add(m, ITEM_LINK_MTU);

	if (!i)
		return false;
	i->number = m->p->t->mtu;
	if (!i->number)
		i->number = path < MTU_MIN + OVERHEAD ? MTU_MIN : path - OVERHEAD;
	return true;
}

static bool add_route(struct making *m, enum host_route_kind kind, const struct prefix *prefix,
		      uint32_t table, uint32_t metric)
{
	struct item *i = add(m, ITEM_ROUTE);

	if (!i)
		return false;
	i->route = kind;
	i->prefix = *prefix;
	i->table = table;
	i->metric = metric;
	return true;
}

static uint32_t lower(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* What the kernel takes for a rule without a priority: one below the second of the list. */
static uint32_t kernel_priority(const struct host_network *n, uint8_t family)
{
	size_t seen = 0;

	for (size_t i = 0; i < n->rule_count; ++i)
		if (n->rules[i].family == family && ++seen == 2)
			return n->rules[i].priority;
	return RULES_BEGIN;
}

static bool has_priority(const struct items *i, uint8_t family, uint32_t priority)
{
	for (size_t j = 0; i && j < i->count; ++j)
		if (i->rows[j].kind == ITEM_RULE && i->rows[j].rule.family == family &&
		    i->rows[j].rule.priority == priority)
			return true;
	return false;
}

/*
 * One below what the kernel would take, so that `ip rule` looks as after wg-quick, and never what
 * another tunnel's rule has or had before somebody flushed it: its keeper puts it back there.
 */
static uint32_t free_priority(const struct making *m, uint8_t family)
{
	uint32_t priority = kernel_priority(m->p->n, family);

	for (size_t i = 0; i < m->ret->count; ++i)
		if (m->ret->rows[i].kind == ITEM_RULE && m->ret->rows[i].rule.family == family)
			priority = lower(priority, m->ret->rows[i].rule.priority);
	do
		--priority;
	while (priority > 1 && has_priority(m->p->c->others, family, priority));
	return priority;
}

static bool add_rule(struct making *m, const struct host_rule *rule)
{
	struct item *i = add(m, ITEM_RULE);

	if (!i)
		return false;
	i->rule = *rule;
	return true;
}

/* The same rule, whatever its priority; NULL: it is not owned. */
static const struct host_rule *owned_like(const struct making *m, const struct host_rule *like)
{
	const struct items *owned = m->p->owned;

	for (size_t i = 0; owned && i < owned->count; ++i) {
		struct item probe = { .kind = ITEM_RULE, .rule = *like };

		probe.rule.priority = owned->rows[i].rule.priority;
		if (item_same(&owned->rows[i], &probe))
			return &owned->rows[i].rule;
	}
	return NULL;
}

/* What is not the tunnel's own goes to its table; before that, main is asked for what is narrower
 * than a default route. Rules that stand already keep their places. */
static bool add_rules(struct making *m, uint8_t family)
{
	struct host_rule lookup = { .family = family,
				    .table = m->mark,
				    .mark = m->mark,
				    .mask = UINT32_MAX,
				    .suppress = -1,
				    .invert = true };
	struct host_rule narrower = { .family = family, .table = HOST_TABLE_MAIN };
	const struct host_rule *a = owned_like(m, &lookup), *b = owned_like(m, &narrower);

	if (a && b && b->priority < a->priority)
		return add_rule(m, a) && add_rule(m, b);
	lookup.priority = free_priority(m, family);
	if (!add_rule(m, &lookup))
		return false;
	narrower.priority = free_priority(m, family);
	return add_rule(m, &narrower);
}

static struct prefix everything(uint8_t family)
{
	return (struct prefix){ .ip = { .family = family } };
}

/* Back to the other rules goes what is excluded. */
static bool add_throws(struct making *m, uint8_t family)
{
	const struct tunnel_prefixes *excluded = &m->p->t->own.excluded;
	struct item probe = { .kind = ITEM_ROUTE, .route = HOST_THROW, .table = m->mark };

	for (size_t i = 0; i < excluded->count; ++i) {
		probe.prefix = excluded->rows[i].prefix;
		prefix_mask(&probe.prefix);
		if (probe.prefix.ip.family == family && !items_find(m->ret, &probe) &&
		    !add_route(m, HOST_THROW, &probe.prefix, m->mark, 0))
			return false;
	}
	return true;
}

/* No rule of IPv6 and none wanted: the kernel does not know it. */
static bool has_family(const struct host_network *n, uint8_t family)
{
	if (family == FAMILY_V4 || !n->ipv6_off || n->rule_count == 0)
		return true;
	for (size_t i = 0; i < n->rule_count; ++i)
		if (n->rules[i].family == family)
			return true;
	return false;
}

/* The rules find an empty table first: so nobody is refused before both stand. */
static bool add_default(struct making *m, uint8_t family)
{
	const struct prefix all = everything(family);

	if (!plan_takes(m->p->t, family) || !has_family(m->p->n, family))
		return true;
	return add_throws(m, family) && add_rules(m, family) &&
	       (!m->p->c->fail_closed || add_route(m, HOST_UNREACHABLE, &all, m->mark, UINT32_MAX));
}

static bool add_all(struct making *m, const struct items *from, enum plan_stage stage)
{
	for (size_t i = 0; from && i < from->count; ++i)
		if (plan_stage_of(&from->rows[i]) == stage && !items_find(m->ret, &from->rows[i]) &&
		    !items_copy(m->ret, &from->rows[i]))
			return false;
	return true;
}

static bool add_given(struct making *m, enum plan_stage stage)
{
	return add_all(m, m->p->c->firewall, stage) && add_all(m, m->p->c->dns, stage);
}

static bool is_left_out(const struct making *m, const struct prefix *prefix)
{
	return prefix->ip.family == FAMILY_V6 && plan_lacks_ipv6(m->p);
}

static bool add_addresses(struct making *m)
{
	const struct tunnel_prefixes *list = &m->p->t->addresses;

	for (size_t i = 0; i < list->count; ++i) {
		struct item *item = add(m, ITEM_ADDRESS);

		if (!item)
			return false;
		item->prefix = list->rows[i].prefix;
		if (is_left_out(m, &item->prefix) || items_find(m->ret, item) != item)
			--m->ret->count;
	}
	return true;
}

static uint32_t table_of(const struct making *m)
{
	switch (m->p->t->table) {
	case TUNNEL_TABLE_NUMBER:
		return m->p->t->table_number ? m->p->t->table_number : HOST_TABLE_MAIN;
	case TUNNEL_TABLE_NAME:
		assert(m->p->c->table);
		return m->p->c->table;
	case TUNNEL_TABLE_AUTO:
	case TUNNEL_TABLE_OFF:
		break;
	}
	return HOST_TABLE_MAIN;
}

static bool add_routes(struct making *m)
{
	const bool is_auto = m->p->t->table == TUNNEL_TABLE_AUTO;
	const uint32_t table = table_of(m);
	struct prefix_set routed;
	bool ok;

	prefix_set_init(&routed);
	ok = plan_routed(m->p->t, table, &routed);
	for (size_t i = 0; ok && i < routed.count; ++i) {
		const struct prefix *p = &routed.rows[i];

		if (!is_left_out(m, p))
			ok = add_route(m, HOST_UNICAST, p,
				       is_auto && p->bits == 0 ? m->mark : table, 0);
	}
	prefix_set_done(&routed);
	return ok;
}

static const struct item *find_switch(const struct items *i)
{
	char path[] = SRC_VALID_MARK;
	const struct item like = { .kind = ITEM_SWITCH, .text = path };

	return i ? items_find(i, &like) : NULL;
}

/*
 * Replies to the tunnel's own datagrams are looked up with their mark, or strict filters drop them.
 * Of a switch that another tunnel has turned, the value before that one is to come back in the end.
 */
static bool add_valid_mark(struct making *m)
{
	const struct item *turned = find_switch(m->p->owned);
	struct item *i;

	if (!turned)
		turned = find_switch(m->p->c->others);
	if (!plan_takes(m->p->t, FAMILY_V4) ||
	    (!turned && m->p->n->switches.src_valid_mark == HOST_ON))
		return true;
	i = add(m, ITEM_SWITCH);
	if (!i || !item_set_texts(i, NULL, SRC_VALID_MARK))
		return false;
	i->number = 1;
	i->old = turned ? turned->old : 0;
	return true;
}

bool plan_wanted(const struct plan_case *p, struct items *ret)
{
	struct making m = { p, plan_case_mark(p), ret };

	return add_link(&m) && add_default(&m, FAMILY_V6) && add_default(&m, FAMILY_V4) &&
	       add_given(&m, STAGE_GUARD) && add_mtu(&m) && add_routes(&m) && add_addresses(&m) &&
	       add_valid_mark(&m) && add_given(&m, STAGE_SWITCH) && add_given(&m, STAGE_FOREIGN) &&
	       add_given(&m, STAGE_DNS);
}

bool plan_items(const struct tunnel *t, const struct host_network *n, const struct plan_choice *c,
		struct items *ret)
{
	return plan_wanted(&(struct plan_case){ t, n, c, NULL }, ret);
}

/* A hook may turn IPv6 on for the link: then what the host says of new links does not count. */
bool plan_lacks_ipv6(const struct plan_case *p)
{
	const struct tunnel_texts *hooks = &p->t->hooks[TUNNEL_PRE_UP];

	for (size_t i = 0; i < hooks->count; ++i)
		if (strstr(hooks->rows[i].text, "disable_ipv6"))
			return false;
	return p->n->ipv6_off;
}
