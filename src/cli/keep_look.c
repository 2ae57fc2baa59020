#include "cli/keep_look.h"

#include <errno.h>
#include <stdbool.h>

#include "net/apply.h"
#include "net/observe.h"

static int look_at_network(const struct items *owned, struct plan *ret)
{
	struct host_facts now;
	int status;

	host_facts_init(&now);
	status = observe_network(&now.network);
	if (status == 0 && !plan_repair(owned, &now.network, ret))
		status = -ENOMEM;
	host_facts_done(&now);
	return status;
}

/* What cannot be known is left as it is. */
static bool is_gone(const struct item *i, unsigned int parts)
{
	return (parts & (i->kind == ITEM_DNS ? KEEP_DNS : KEEP_FIREWALL)) && apply_is_there(i) == 0;
}

int keep_look(const struct items *owned, unsigned int parts, struct keep_gone *ret)
{
	int status = 0;

	plan_init(&ret->plan);
	items_init(&ret->others);
	if (parts & KEEP_NETWORK)
		status = look_at_network(owned, &ret->plan);
	for (size_t i = 0; status == 0 && i < owned->count; ++i)
		if (is_gone(&owned->rows[i], parts) && !items_copy(&ret->others, &owned->rows[i]))
			status = -ENOMEM;
	return status;
}

void keep_gone_done(struct keep_gone *g)
{
	plan_done(&g->plan);
	items_done(&g->others);
}

unsigned int keep_gone_kinds(const struct keep_gone *g)
{
	unsigned int kinds = 0;

	for (size_t i = 0; i < g->plan.count; ++i)
		if (g->plan.rows[i].kind == STEP_ADD || g->plan.rows[i].kind == STEP_UP)
			kinds |= 1U << g->plan.rows[i].item.kind;
	for (size_t i = 0; i < g->others.count; ++i)
		kinds |= 1U << g->others.rows[i].kind;
	return kinds;
}
