#include <string.h>

#include "net/plan_private.h"

/*
 * What is wanted against what is owned. Most of it is: what is new comes in the order of up, then
 * what is not wanted any more goes in the order of down. The rest is about what would be in the way
 * of something new ("late": it comes when that is gone), and about two habits of Linux:
 *
 * - The first IPv4 address in a network takes the others of that network along when it goes. So
 *   these go too and come back, and meanwhile each has a bridge: the same address as a network of
 *   its own.
 * - With the last IPv4 address of a link all its IPv4 routes go. The bridges prevent that, and
 *   where no address is left at all the routes come back.
 */
struct change {
	const struct plan_case *p;
	const struct items *wanted;
	struct plan *plan;
};

static bool is_unchanged(const struct item *owned, const struct item *wanted)
{
	switch (wanted->kind) {
	case ITEM_LINK:
		return true; /* another engine is for down and up */
	case ITEM_SWITCH:
		return owned->number == wanted->number;
	case ITEM_ADDRESS:
	case ITEM_LINK_MTU:
	case ITEM_ROUTE:
	case ITEM_RULE:
	case ITEM_TABLE:
	case ITEM_FOREIGN:
	case ITEM_DNS:
	case ITEM_KINDS:
		break;
	}
	return item_equal(owned, wanted);
}

static bool is_kept(const struct change *c, const struct item *wanted)
{
	const struct item *owned = items_find(c->p->owned, wanted);

	return owned && is_unchanged(owned, wanted) && item_is_there(owned, c->p->n) != 0;
}

/* What stands on our link already by somebody else's hand goes with it in the end. */
static bool is_new(const struct change *c, const struct item *wanted)
{
	if (items_find(c->p->owned, wanted))
		return !is_kept(c, wanted);
	return !item_goes_with_link(wanted) || item_is_there(wanted, c->p->n) != 1;
}

static bool is_leaving(const struct change *c, const struct item *owned)
{
	return !items_find(c->wanted, owned);
}

static bool is_v4(const struct item *i, enum item_kind kind)
{
	return i->kind == kind && i->prefix.ip.family == FAMILY_V4;
}

static struct prefix network_of(const struct item *address)
{
	struct prefix p = address->prefix;

	prefix_mask(&p);
	return p;
}

static bool same_network(const struct item *a, const struct item *b)
{
	const struct prefix x = network_of(a), y = network_of(b);

	return is_v4(a, ITEM_ADDRESS) && is_v4(b, ITEM_ADDRESS) && x.bits < 32 &&
	       prefix_equal(&x, &y);
}

/* The kernel makes one of the address, and takes no other of the same key. */
static bool has_route_of(const struct item *address, const struct item *route)
{
	struct prefix connected;

	return is_v4(address, ITEM_ADDRESS) && route->table == HOST_TABLE_MAIN &&
	       route->metric == 0 && plan_connected(&address->prefix, &connected) &&
	       prefix_equal(&connected, &route->prefix);
}

/* The new one cannot come before the old one is gone. */
static bool is_in_way(const struct item *old, const struct item *new)
{
	if (new->kind == ITEM_ADDRESS && old->kind == ITEM_ADDRESS)
		return same_network(old, new) || (old->prefix.ip.family == FAMILY_V6 &&
						  ip_equal(&old->prefix.ip, &new->prefix.ip));
	if (new->kind != ITEM_ROUTE)
		return false;
	if (old->kind == ITEM_ROUTE)
		return old->table == new->table &&
		       old->metric == new->metric &&prefix_equal(&old->prefix, &new->prefix);
	return has_route_of(old, new);
}

/* An owned one that is wanted too, but that an address which leaves will take along. */
static bool is_taken_along(const struct change *c, const struct item *wanted)
{
	const struct items *owned = c->p->owned;

	if (!is_v4(wanted, ITEM_ADDRESS) || !is_kept(c, wanted))
		return false;
	for (size_t i = 0; i < owned->count && !item_same(&owned->rows[i], wanted); ++i)
		if (same_network(&owned->rows[i], wanted) && is_leaving(c, &owned->rows[i]))
			return true;
	return false;
}

static bool any_v4_address(const struct items *list)
{
	for (size_t i = 0; i < list->count; ++i)
		if (is_v4(&list->rows[i], ITEM_ADDRESS))
			return true;
	return false;
}

/* The last address takes it along. */
static bool is_flushed(const struct change *c, const struct item *wanted)
{
	return is_v4(wanted, ITEM_ROUTE) && item_goes_with_link(wanted) &&
	       any_v4_address(c->p->owned) && !any_v4_address(c->wanted);
}

static bool is_late(const struct change *c, const struct item *wanted)
{
	const struct items *owned = c->p->owned;

	if (is_flushed(c, wanted) || is_taken_along(c, wanted))
		return true;
	for (size_t i = 0; is_new(c, wanted) && i < owned->count; ++i)
		if (is_in_way(&owned->rows[i], wanted) && is_leaving(c, &owned->rows[i]))
			return true;
	return false;
}

/* False: it needs none. */
static bool bridge_of(const struct change *c, const struct item *wanted, struct item *ret)
{
	*ret = *wanted;
	ret->prefix.bits = 32;
	return is_v4(wanted, ITEM_ADDRESS) && is_late(c, wanted) && !items_find(c->wanted, ret);
}

/* Also one that was there before, or is left from a sync that was cut off. */
static bool is_bridge(const struct change *c, const struct item *owned)
{
	struct item bridge;

	for (size_t i = 0; i < c->wanted->count; ++i)
		if (bridge_of(c, &c->wanted->rows[i], &bridge) && item_same(&bridge, owned))
			return true;
	return false;
}

static bool leaves_early(const struct change *c, const struct item *owned)
{
	if (!item_guards(owned))
		return !is_bridge(c, owned);
	for (size_t i = 0; i < c->wanted->count; ++i)
		if (is_in_way(owned, &c->wanted->rows[i]) && is_new(c, &c->wanted->rows[i]))
			return true;
	return false;
}

static bool add_bridges(const struct change *c)
{
	struct item bridge;

	for (size_t i = 0; i < c->wanted->count; ++i) {
		if (!bridge_of(c, &c->wanted->rows[i], &bridge))
			continue;
		if (items_find(c->p->owned, &bridge) && item_is_there(&bridge, c->p->n) != 0)
			continue;
		if (!plan_add_item(c->plan, STEP_ADD, &bridge))
			return false;
	}
	return true;
}

static bool remove_bridges(const struct change *c)
{
	struct item bridge;

	for (size_t i = 0; i < c->wanted->count; ++i)
		if (bridge_of(c, &c->wanted->rows[i], &bridge) &&
		    !plan_add_item(c->plan, STEP_REMOVE, &bridge))
			return false;
	return true;
}

/* A link that had to be made anew comes up with its mtu. */
static bool add_new(const struct change *c, const struct item *wanted)
{
	const bool comes_up = wanted->kind == ITEM_LINK_MTU && is_new(c, &c->wanted->rows[0]);

	return plan_add_item(c->plan, comes_up ? STEP_UP : STEP_ADD, wanted);
}

static bool add_stage(const struct change *c, enum plan_stage stage, bool late)
{
	for (size_t i = 0; i < c->wanted->count; ++i) {
		const struct item *wanted = &c->wanted->rows[i];

		if (plan_stage_of(wanted) != stage || is_late(c, wanted) != late)
			continue;
		if ((late || is_new(c, wanted)) && !add_new(c, wanted))
			return false;
	}
	return true;
}

/* Backwards, and what comes back before what takes it along. */
static bool remove_taken_along(const struct change *c)
{
	for (size_t i = c->wanted->count; i-- > 0;)
		if (is_taken_along(c, &c->wanted->rows[i]) &&
		    !plan_add_item(c->plan, STEP_REMOVE, &c->wanted->rows[i]))
			return false;
	return true;
}

static bool remove_stage(const struct change *c, enum plan_stage stage, bool early)
{
	for (size_t i = c->p->owned->count; i-- > 0;) {
		const struct item *owned = &c->p->owned->rows[i];

		if (plan_stage_of(owned) == stage && is_leaving(c, owned) &&
		    leaves_early(c, owned) == early && !plan_add_item(c->plan, STEP_REMOVE, owned))
			return false;
	}
	return true;
}

static bool add_device(const struct change *c)
{
	const bool anew = is_new(c, &c->wanted->rows[0]);

	return plan_add_text(c->plan, STEP_DEVICE, anew ? "addconf" : "syncconf") &&
	       plan_add_mark(c->plan, c->p);
}

/* A mark that the planner chose is of no use behind the rules it was for. */
static bool drop_mark(const struct change *c)
{
	const uint32_t mark = c->p->c->has_mark ? c->p->c->mark : 0;

	if (mark == 0 || plan_case_mark(c->p) != 0 || plan_owned_mark(c->p->owned) != mark)
		return true;
	return plan_add_number(c->plan, STEP_MARK, 0);
}

static bool add_early(const struct change *c)
{
	bool ok = add_stage(c, STAGE_LINK, false) && add_device(c);

	for (enum plan_stage s = STAGE_GUARD; ok && s < STAGES; ++s)
		ok = add_stage(c, s, false) && (s != STAGE_ADDRESS || add_bridges(c));
	return ok;
}

static bool remove_early(const struct change *c)
{
	bool ok = true;

	for (enum plan_stage s = STAGES; ok && s-- > STAGE_GUARD + 1;)
		ok = (s != STAGE_ADDRESS || remove_taken_along(c)) && remove_stage(c, s, true);
	return ok && remove_stage(c, STAGE_GUARD, true);
}

static bool add_late(const struct change *c)
{
	return add_stage(c, STAGE_GUARD, true) && add_stage(c, STAGE_ADDRESS, true) &&
	       remove_bridges(c) && add_stage(c, STAGE_ROUTE, true);
}

bool plan_sync(const struct tunnel *t, const struct host_network *n, const struct plan_choice *c,
	       const struct items *owned, struct plan *ret)
{
	const struct plan_case of = { t, n, c, owned };
	struct items wanted;
	struct change change = { &of, &wanted, ret };
	bool ok;

	items_init(&wanted);
	ok = plan_wanted(&of, &wanted) && plan_add_notes(ret, &of) && add_early(&change) &&
	     remove_early(&change) && add_late(&change) &&
	     remove_stage(&change, STAGE_GUARD, false) && drop_mark(&change);
	items_done(&wanted);
	return ok;
}
