#include "net/plan_private.h"

static bool is_gone(const struct items *owned, const struct host_network *n, enum item_kind kind)
{
	for (size_t i = 0; i < owned->count; ++i)
		if (owned->rows[i].kind == kind)
			return item_is_there(&owned->rows[i], n) == 0;
	return false;
}

bool plan_link_is_down(const struct host_network *n, const char *name)
{
	const struct host_link *link = host_link_by_name(n, name);

	return link && !link->up;
}

static bool repair_device(const struct items *owned, struct plan *ret)
{
	const uint32_t mark = plan_owned_mark(owned);

	return plan_add_text(ret, STEP_DEVICE, "addconf") &&
	       (mark == 0 || plan_add_number(ret, STEP_MARK, mark));
}

static bool repair_stage(const struct items *owned, const struct host_network *n,
			 enum plan_stage stage, bool link_is_gone, struct plan *ret)
{
	for (size_t i = 0; i < owned->count; ++i) {
		const struct item *item = &owned->rows[i];
		const bool comes_up = item->kind == ITEM_LINK_MTU &&
				      (link_is_gone || plan_link_is_down(n, item->link));

		if (plan_stage_of(item) == stage && item_is_there(item, n) == 0 &&
		    !plan_add_item(ret, comes_up ? STEP_UP : STEP_ADD, item))
			return false;
	}
	return true;
}

bool plan_repair(const struct items *owned, const struct host_network *n, struct plan *ret)
{
	const bool link_is_gone = is_gone(owned, n, ITEM_LINK);
	bool ok = repair_stage(owned, n, STAGE_LINK, link_is_gone, ret);

	if (link_is_gone)
		ok = ok && repair_device(owned, ret);
	for (enum plan_stage s = STAGE_GUARD; ok && s < STAGES; ++s)
		ok = repair_stage(owned, n, s, link_is_gone, ret);
	return ok;
}
