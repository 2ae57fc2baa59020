#include <stdlib.h>
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
	const struct host_network *n;
	const struct items *owned;
	const struct items *wanted;
	struct plan *plan;
	struct mark *marks; /* of wanted */
	bool *leaving;      /* of owned */
};

/* What becomes of a wanted one. */
struct mark {
	bool fresh; /* not there, or not like that */
	bool along; /* it is there, and will be taken along */
	bool late;
};

static bool is_unchanged(const struct item *owned, const struct item *wanted)
{
	if (wanted->kind == ITEM_LINK)
		return true; /* another engine is for down and up */
	if (wanted->kind == ITEM_SWITCH)
		return owned->number == wanted->number;
	return item_equal(owned, wanted);
}

/* What stands on our link already by somebody else's hand goes with it in the end. */
static bool is_new(const struct item *wanted, const struct item *owned,
		   const struct host_network *n)
{
	if (owned)
		return !is_unchanged(owned, wanted) || item_is_there(owned, n) == 0;
	return !item_goes_with_link(wanted) || item_is_there(wanted, n) != 1;
}

static bool is_v4(const struct item *i, enum item_kind kind)
{
	return i->kind == kind && i->prefix.ip.family == FAMILY_V4;
}

static bool same_network(const struct item *a, const struct item *b)
{
	struct prefix x = a->prefix, y = b->prefix;

	prefix_mask(&x);
	prefix_mask(&y);
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
static bool is_in_way(const struct item *old, const struct item *coming)
{
	if (coming->kind == ITEM_ADDRESS && old->kind == ITEM_ADDRESS)
		return same_network(old, coming) || (old->prefix.ip.family == FAMILY_V6 &&
						     ip_equal(&old->prefix.ip, &coming->prefix.ip));
	if (coming->kind != ITEM_ROUTE)
		return false;
	if (old->kind == ITEM_ROUTE)
		return prefix_equal(&old->prefix, &coming->prefix) && old->table == coming->table &&
		       old->metric == coming->metric;
	return has_route_of(old, coming);
}

static bool any_in_way(const struct change *c, const struct item *coming)
{
	for (size_t i = 0; i < c->owned->count; ++i)
		if (c->leaving[i] && is_in_way(&c->owned->rows[i], coming))
			return true;
	return false;
}

/* An address that stays, but was added behind one of its network that leaves. */
static bool is_taken_along(const struct change *c, const struct item *wanted)
{
	if (!is_v4(wanted, ITEM_ADDRESS))
		return false;
	for (size_t i = 0; i < c->owned->count; ++i) {
		if (item_same(&c->owned->rows[i], wanted))
			return false;
		if (c->leaving[i] && same_network(&c->owned->rows[i], wanted))
			return true;
	}
	return false;
}

static bool any_v4_address(const struct items *list)
{
	for (size_t i = 0; i < list->count; ++i)
		if (is_v4(&list->rows[i], ITEM_ADDRESS))
			return true;
	return false;
}

static int compare_pointers(const void *a, const void *b)
{
	return item_order(*(const struct item *const *)a, *(const struct item *const *)b);
}

/* Sorted pointers to them; NULL: out of memory. The caller's to free. */
static const struct item **sort(const struct items *list)
{
	const struct item **rows = calloc(list->count + 1, sizeof(*rows));

	for (size_t i = 0; rows && i < list->count; ++i)
		rows[i] = &list->rows[i];
	if (rows)
		qsort(rows, list->count, sizeof(*rows), compare_pointers);
	return rows;
}

static const struct item *find(const struct item **sorted, size_t count, const struct item *like)
{
	const struct item **at = bsearch(&like, sorted, count, sizeof(like), compare_pointers);

	return at ? *at : NULL;
}

static bool match(struct change *c)
{
	const struct item **owned = sort(c->owned), **wanted = sort(c->wanted);
	const bool ok = owned && wanted;

	for (size_t i = 0; ok && i < c->owned->count; ++i)
		c->leaving[i] = !find(wanted, c->wanted->count, &c->owned->rows[i]);
	for (size_t i = 0; ok && i < c->wanted->count; ++i) {
		const struct item *w = &c->wanted->rows[i];

		c->marks[i].fresh = is_new(w, find(owned, c->owned->count, w), c->n);
	}
	free(owned);
	free(wanted);
	return ok;
}

static void judge(struct change *c)
{
	/* With the last address the routes go. */
	const bool flushed = any_v4_address(c->owned) && !any_v4_address(c->wanted);

	for (size_t i = 0; i < c->wanted->count; ++i) {
		const struct item *w = &c->wanted->rows[i];
		struct mark *m = &c->marks[i];

		m->along = !m->fresh && is_taken_along(c, w);
		m->late = m->along || (m->fresh && any_in_way(c, w)) ||
			  (flushed && is_v4(w, ITEM_ROUTE) && item_goes_with_link(w));
	}
}

/* False: it needs none. */
static bool bridge_of(const struct change *c, size_t wanted, struct item *ret)
{
	*ret = c->wanted->rows[wanted];
	ret->prefix.bits = 32;
	return is_v4(ret, ITEM_ADDRESS) && c->marks[wanted].late && !items_find(c->wanted, ret);
}

/* Also one that was there before, or is left from a sync that was cut off. */
static bool is_bridge(const struct change *c, const struct item *owned)
{
	struct item bridge;

	if (!is_v4(owned, ITEM_ADDRESS))
		return false;
	for (size_t i = 0; i < c->wanted->count; ++i)
		if (bridge_of(c, i, &bridge) && item_same(&bridge, owned))
			return true;
	return false;
}

static bool add_bridges(const struct change *c)
{
	struct item bridge;

	for (size_t i = 0; i < c->wanted->count; ++i) {
		if (!bridge_of(c, i, &bridge))
			continue;
		if (items_find(c->owned, &bridge) && item_is_there(&bridge, c->n) != 0)
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
		if (bridge_of(c, i, &bridge) && !plan_add_item(c->plan, STEP_REMOVE, &bridge))
			return false;
	return true;
}

/* What guards leaves last, unless it is in the way. */
static bool leaves_early(const struct change *c, const struct item *owned)
{
	if (!item_guards(owned))
		return !is_bridge(c, owned);
	for (size_t i = 0; i < c->wanted->count; ++i)
		if (c->marks[i].fresh && is_in_way(owned, &c->wanted->rows[i]))
			return true;
	return false;
}

static bool link_is_new(const struct change *c)
{
	for (size_t i = 0; i < c->wanted->count; ++i)
		if (c->wanted->rows[i].kind == ITEM_LINK)
			return c->marks[i].fresh;
	return false;
}

/* A link that had to be made anew, or that somebody took down, comes up with its mtu. */
static enum step_kind kind_of_adding(const struct change *c, const struct item *wanted)
{
	const bool comes_up = link_is_new(c) || plan_link_is_down(c->n, wanted->link);

	return wanted->kind == ITEM_LINK_MTU && comes_up ? STEP_UP : STEP_ADD;
}

static bool add_stage(const struct change *c, enum plan_stage stage, bool late)
{
	for (size_t i = 0; i < c->wanted->count; ++i) {
		const struct mark *m = &c->marks[i];

		if (plan_stage_of(&c->wanted->rows[i]) == stage && m->late == late &&
		    (late || m->fresh) &&
		    !plan_add_item(c->plan, kind_of_adding(c, &c->wanted->rows[i]),
				   &c->wanted->rows[i]))
			return false;
	}
	return true;
}

/* Backwards, and what comes back before what takes it along. */
static bool remove_taken_along(const struct change *c)
{
	for (size_t i = c->wanted->count; i-- > 0;)
		if (c->marks[i].along && !plan_add_item(c->plan, STEP_REMOVE, &c->wanted->rows[i]))
			return false;
	return true;
}

static bool remove_stage(const struct change *c, enum plan_stage stage, bool early)
{
	for (size_t i = c->owned->count; i-- > 0;) {
		const struct item *owned = &c->owned->rows[i];

		if (c->leaving[i] && plan_stage_of(owned) == stage &&
		    leaves_early(c, owned) == early && !plan_add_item(c->plan, STEP_REMOVE, owned))
			return false;
	}
	return true;
}

static bool add_device(const struct change *c, const struct plan_case *p)
{
	const char *verb = link_is_new(c) ? "addconf" : "syncconf";

	return plan_add_text(c->plan, STEP_DEVICE, verb) && plan_add_mark(c->plan, p);
}

static bool add_early(const struct change *c, const struct plan_case *p)
{
	bool ok = add_stage(c, STAGE_LINK, false) && add_device(c, p);

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

static bool make(struct change *c, const struct plan_case *p)
{
	bool ok;

	c->marks = calloc(c->wanted->count + 1, sizeof(*c->marks));
	c->leaving = calloc(c->owned->count + 1, sizeof(*c->leaving));
	ok = c->marks && c->leaving && match(c);
	if (ok) {
		judge(c);
		ok = add_early(c, p) && remove_early(c) && add_late(c) &&
		     remove_stage(c, STAGE_GUARD, false);
	}
	free(c->marks);
	free(c->leaving);
	return ok;
}

/* A mark that the planner chose is of no use behind the rules it was for. */
static bool drop_mark(struct plan *plan, const struct plan_case *p)
{
	const uint32_t mark = p->c->has_mark ? p->c->mark : 0;

	if (mark == 0 || plan_case_mark(p) != 0 || plan_owned_mark(p->owned) != mark)
		return true;
	return plan_add_number(plan, STEP_MARK, 0);
}

bool plan_sync(const struct tunnel *t, const struct host_network *n, const struct plan_choice *c,
	       const struct items *owned, struct plan *ret)
{
	const struct plan_case of = { t, n, c, owned };
	struct items wanted;
	struct change change = { .n = n, .owned = owned, .wanted = &wanted, .plan = ret };
	bool ok;

	items_init(&wanted);
	ok = plan_wanted(&of, &wanted) && plan_add_notes(ret, &of) && make(&change, &of) &&
	     drop_mark(ret, &of);
	items_done(&wanted);
	return ok;
}
