#include "net/plan_private.h"

/*
 * Of two rules that say the same the nearest before `behind` is ours, as whoever made both made
 * them one after the other; 0: any.
 */
static const struct host_rule *find_rule(const struct host_network *n, const struct items *others,
					 const struct host_rule *like, uint32_t behind)
{
	const struct host_rule *found = NULL;

	for (size_t i = 0; i < n->rule_count; ++i) {
		struct item probe = { .kind = ITEM_RULE, .rule = *like };

		probe.rule.priority = n->rules[i].priority;
		if (behind && probe.rule.priority >= behind)
			continue;
		if (item_is_there(&probe, &(struct host_network){ .rules = &n->rules[i],
								  .rule_count = 1 }) != 1)
			continue;
		if ((!others || !items_find(others, &probe)) &&
		    (!found || found->priority < probe.rule.priority))
			found = &n->rules[i];
	}
	return found;
}

/* The rules come in pairs, and the second has a place only before the first. */
static bool adopt_rule(const struct plan_case *p, const struct item *wanted, struct items *ret)
{
	const struct items *others = p->c->others;
	const struct host_rule *found = NULL;
	uint32_t behind = 0;

	for (size_t i = 0; i < ret->count; ++i)
		if (ret->rows[i].kind == ITEM_RULE &&
		    ret->rows[i].rule.family == wanted->rule.family)
			behind = ret->rows[i].rule.priority;
	if (wanted->rule.mask || behind)
		found = find_rule(p->n, others, &wanted->rule, behind);
	if (!found)
		return true;
	if (!items_copy(ret, wanted))
		return false;
	ret->rows[ret->count - 1].rule.priority = found->priority;
	return true;
}

/* A switch of before is nobody's: what it was is not known. */
static bool adopt(const struct plan_case *p, const struct item *wanted, struct items *ret)
{
	if (wanted->kind == ITEM_RULE)
		return adopt_rule(p, wanted, ret);
	if (wanted->kind == ITEM_SWITCH || wanted->kind == ITEM_FOREIGN)
		return true;
	return item_is_there(wanted, p->n) == 0 || items_copy(ret, wanted);
}

bool plan_adopt(const struct tunnel *t, const struct host_network *n, const struct plan_choice *c,
		struct items *ret)
{
	const struct plan_case p = { t, n, c, NULL };
	struct items wanted;
	bool ok;

	items_init(&wanted);
	ok = plan_wanted(&p, &wanted);
	for (size_t i = 0; ok && i < wanted.count; ++i)
		ok = adopt(&p, &wanted.rows[i], ret);
	items_done(&wanted);
	return ok;
}
