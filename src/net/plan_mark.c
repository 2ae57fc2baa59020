#include "net/plan_private.h"

enum { MARK_FIRST = 51820 };

static bool table_is_empty(const struct host_network *n, uint32_t table)
{
	for (size_t i = 0; i < n->route_count; ++i)
		if (n->routes[i].table == table)
			return false;
	return true;
}

uint32_t plan_mark(const struct host_network *n)
{
	uint32_t mark = MARK_FIRST;

	while (!table_is_empty(n, mark))
		++mark;
	return mark;
}

/* Also what another tunnel would have there if nobody had flushed it. */
static bool is_of_others(const struct items *others, uint32_t mark)
{
	for (size_t i = 0; others && i < others->count; ++i) {
		const struct item *o = &others->rows[i];

		if (o->kind == ITEM_LINK && o->number == mark)
			return true;
		if (o->kind == ITEM_RULE && (o->rule.mark == mark || o->rule.table == mark))
			return true;
		if (o->kind == ITEM_ROUTE && o->table == mark)
			return true;
	}
	return false;
}

static uint32_t free_mark(const struct plan_case *p)
{
	uint32_t mark = plan_mark(p->n);

	while (!table_is_empty(p->n, mark) || is_of_others(p->c->others, mark))
		++mark;
	return mark;
}

uint32_t plan_owned_mark(const struct items *owned)
{
	for (size_t i = 0; owned && i < owned->count; ++i)
		if (owned->rows[i].kind == ITEM_RULE && owned->rows[i].rule.mask)
			return owned->rows[i].rule.mark;
	for (size_t i = 0; owned && i < owned->count; ++i)
		if (owned->rows[i].kind == ITEM_LINK)
			return owned->rows[i].number;
	return 0;
}

bool plan_takes(const struct tunnel *t, uint8_t family)
{
	if (t->table != TUNNEL_TABLE_AUTO)
		return false;
	for (size_t i = 0; i < t->model.peer_count; ++i)
		for (size_t j = 0; j < t->model.peers[i].allowed_count; ++j) {
			const struct model_allowed *a = &t->model.peers[i].allowed[j];

			if (a->prefix.bits == 0 && a->prefix.ip.family == family && !a->remove)
				return true;
		}
	return false;
}

bool plan_takes_default(const struct tunnel *t)
{
	return plan_takes(t, FAMILY_V4) || plan_takes(t, FAMILY_V6);
}

uint32_t plan_case_mark(const struct plan_case *p)
{
	const bool wants_one = plan_takes_default(p->t) || p->t->own.kill_switch != TUNNEL_KILL_OFF;

	if (p->t->model.has_fwmark && p->t->model.fwmark)
		return p->t->model.fwmark;
	if (!wants_one)
		return 0;
	if (p->c->has_mark && p->c->mark)
		return p->c->mark;
	return plan_owned_mark(p->owned) ? plan_owned_mark(p->owned) : free_mark(p);
}

uint32_t plan_mark_for(const struct tunnel *t, const struct host_network *n,
		       const struct plan_choice *c)
{
	return plan_case_mark(&(struct plan_case){ t, n, c, NULL });
}
