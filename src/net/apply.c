#include "net/apply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "net/apply_switch.h"
#include "net/dns.h"
#include "net/firewall.h"
#include "net/foreign.h"
#include "net/observe.h"
#include "net/route.h"

/* What failed, in words */

static void name_owner(const struct item *i, struct diag *why)
{
	struct host_facts facts;

	host_facts_init(&facts);
	if (observe_network(&facts.network) == 0)
		for (size_t r = 0; r < facts.network.route_count; ++r) {
			const struct host_route *row = &facts.network.routes[r];
			const struct host_link *link =
				host_link_by_index(&facts.network, row->link);

			if (row->table != i->table || row->dst.bits != i->prefix.bits ||
			    !ip_equal(&row->dst.ip, &i->prefix.ip) || !link)
				continue;
			diag_hint(why,
				  "%s has it: take that down first, or leave the network out of "
				  "AllowedIPs, or say `Table = off'",
				  link->name);
			break;
		}
	host_facts_done(&facts);
}

static void explain_route(const struct item *i, bool remove, int status, struct diag *why)
{
	char prefix[TEXT_PREFIX];

	text_from_prefix(&i->prefix, prefix);
	if (i->kind == ITEM_ROUTE && status == -EEXIST) {
		diag_set(why, DIAG_ERROR, "A15", 0, "%s is routed already, in table %u", prefix,
			 i->table);
		name_owner(i, why);
	} else if (i->prefix.ip.family == FAMILY_V6 && (status == -EACCES || status == -EPERM)) {
		diag_set(why, DIAG_ERROR, "A5", 0,
			 "%s cannot be put on %s: IPv6 may be off on this host (%s)", prefix,
			 i->link, strerror(-status));
		diag_hint(why, "set net.ipv6.conf.all.disable_ipv6 to 0, or take the IPv6 "
			       "addresses out of the file");
	} else {
		diag_set(why, DIAG_ERROR, "apply", 0, "%s %s %s %s: %s",
			 i->kind == ITEM_ADDRESS ? "the address" : "the route", prefix,
			 remove ? "cannot be taken off" : "cannot be given to", i->link,
			 strerror(-status));
	}
}

static void explain(const struct item *i, bool remove, int status, struct diag *why)
{
	const char *verb = remove ? "removed" : "added";

	switch (i->kind) {
	case ITEM_ADDRESS:
	case ITEM_ROUTE:
		explain_route(i, remove, status, why);
		return;
	case ITEM_RULE:
		diag_set(why, DIAG_ERROR, "apply", 0,
			 "the IPv%u rule of priority %u cannot be %s: %s", i->rule.family,
			 i->rule.priority, verb, strerror(-status));
		return;
	case ITEM_LINK_MTU:
		diag_set(why, DIAG_ERROR, "apply", 0, "the MTU of %s cannot be set to %u: %s",
			 i->link, i->number, strerror(-status));
		return;
	case ITEM_LINK:
	case ITEM_SWITCH:
	case ITEM_TABLE:
	case ITEM_FOREIGN:
	case ITEM_DNS:
	case ITEM_KINDS:
		break;
	}
	diag_set(why, DIAG_ERROR, "apply", 0, "%.120s cannot be %s: %s",
		 i->name ? i->name : i->link, verb, strerror(-status));
}

/* One item */

static int put(const struct item *i, bool remove, const struct apply_hands *h, struct diag *why)
{
	switch (i->kind) {
	case ITEM_LINK:
		return remove ? h->remove_link(h->ctx, i, why) : h->make_link(h->ctx, i, why);
	case ITEM_LINK_MTU:
		return remove ? 0 : route_item(i, false);
	case ITEM_ADDRESS:
	case ITEM_ROUTE:
	case ITEM_RULE:
		return route_item(i, remove);
	case ITEM_SWITCH:
		return remove ? apply_switch_restore(i, why) : apply_switch_set(i, why);
	case ITEM_TABLE:
		return remove ? firewall_remove(i, why) : firewall_add(i, why);
	case ITEM_FOREIGN:
		return remove ? foreign_remove(i, why) : foreign_add(i, why);
	case ITEM_DNS:
		return remove ? dns_remove(i, why) : dns_add(i, why);
	case ITEM_KINDS:
		break;
	}
	return -EINVAL;
}

int apply_item(const struct item *i, bool remove, const struct apply_hands *h, struct diag *why)
{
	const int status = put(i, remove, h, why);

	if (status < 0 && why->severity == DIAG_NONE)
		explain(i, remove, status, why);
	return status;
}

int apply_is_there(const struct item *i)
{
	switch (i->kind) {
	case ITEM_TABLE:
		return firewall_is_there(i);
	case ITEM_FOREIGN:
		return foreign_is_there(i);
	case ITEM_DNS:
		return dns_is_there(i);
	case ITEM_LINK:
	case ITEM_ADDRESS:
	case ITEM_LINK_MTU:
	case ITEM_ROUTE:
	case ITEM_RULE:
	case ITEM_SWITCH:
	case ITEM_KINDS:
		break;
	}
	return -1;
}

/* A plan */

struct run {
	struct journal *j;
	const struct apply_hands *h;
	struct items others; /* what other tunnels own */
	bool has_others;
};

/* What fails in these is told, and the tunnel is there all the same. */
static bool may_fail(const struct run *r, const struct item *i)
{
	return (i->kind == ITEM_DNS && !r->h->dns_must) || i->kind == ITEM_SWITCH ||
	       i->kind == ITEM_FOREIGN || (i->kind == ITEM_TABLE && !firewall_must(i));
}

static const struct item *find_other(struct run *r, const struct item *i)
{
	if (!r->has_others && journal_others(r->j, &r->others) == 0)
		r->has_others = true;
	return items_find(&r->others, i);
}

static int explain_journal(int status, struct diag *why)
{
	if (status < 0)
		diag_set(why, DIAG_ERROR, "apply", 0,
			 "what is to be undone later cannot be written down: %s",
			 strerror(-status));
	return status;
}

/*
 * What it was before: that is the host's, or, where another tunnel has changed it, what it was
 * before that one. False: it is so already, and nobody's but the host's.
 */
static bool prepare_switch(struct run *r, struct item *i)
{
	const struct item *other = find_other(r, i);
	uint32_t now = 0;

	if (other)
		i->old = other->old;
	else if (apply_switch_read(i->text, &now) == 0)
		i->old = now;
	return other || now != i->number;
}

static int add(struct run *r, const struct item *given, struct diag *why)
{
	struct item i = *given; /* its texts are given's */
	int status;
	bool ours;

	if (i.kind == ITEM_SWITCH && !prepare_switch(r, &i))
		return 0;
	ours = items_find(&r->j->owned, &i) != NULL;
	status = explain_journal(journal_own(r->j, &i), why);
	if (status < 0)
		return status;
	status = apply_item(&i, false, r->h, why);
	if (status == -EEXIST && ours) {
		*why = (struct diag){ 0 };
		return 0; /* a command that was killed had added it */
	}
	/* What was refused is not there, or is somebody else's; programs may have done a part. */
	if (status == -EEXIST || (status < 0 && i.kind != ITEM_LINK && i.kind != ITEM_TABLE &&
				  i.kind != ITEM_FOREIGN && i.kind != ITEM_DNS))
		(void)journal_lose(r->j, &i); /* undoing it once more is harmless */
	return status;
}

/* The link took them along. */
static void lose_with_link(struct journal *j)
{
	for (size_t i = j->owned.count; i-- > 0;)
		if (item_goes_with_link(&j->owned.rows[i])) {
			const struct item *last = &j->owned.rows[i];

			if (journal_lose(j, last) < 0)
				return; /* undoing them once more is harmless */
		}
}

static int take_off(struct run *r, const struct item *i, struct diag *why)
{
	const bool stays = i->kind == ITEM_SWITCH && find_other(r, i);
	int status = stays ? 0 : apply_item(i, true, r->h, why);

	if (status < 0 && i->kind == ITEM_SWITCH) {
		r->h->tell(r->h->ctx, why); /* it never will be */
		status = 0;
	}
	if (status < 0)
		return status;
	if (i->kind == ITEM_LINK)
		lose_with_link(r->j);
	return explain_journal(journal_lose(r->j, i), why);
}

static int share(struct run *r, bool patient)
{
	int status;

	do
		status = journal_share(r->j);
	while (status == -EINTR && patient);
	return status;
}

static int run_hook(struct run *r, const struct step *s, bool patient, struct diag *why)
{
	int status, again;

	journal_unshare(r->j);
	status = r->h->hook(r->h->ctx, s, why);
	again = share(r, patient);
	return status < 0 ? status : again;
}

static int bring_up(const struct step *s, struct journal *j, struct diag *why)
{
	int status = s->item.kind == ITEM_LINK_MTU ? journal_own(j, &s->item) : 0;

	if (status < 0)
		return explain_journal(status, why);
	status = route_link_up(j->name, s->number);
	if (status == -EADDRINUSE)
		diag_set(why, DIAG_ERROR, "A6", 0, "the port that %s listens on is in use",
			 j->name);
	else if (status < 0)
		diag_set(why, DIAG_ERROR, "apply", 0, "%s cannot be set up: %s", j->name,
			 strerror(-status));
	return status;
}

static int take_step(struct run *r, const struct step *s, struct diag *why)
{
	const bool patient = r->j->phase == JOURNAL_DOWN;

	r->h->print(r->h->ctx, s);
	switch (s->kind) {
	case STEP_ADD:
		return add(r, &s->item, why);
	case STEP_REMOVE:
		return take_off(r, &s->item, why);
	case STEP_HOOK:
		return run_hook(r, s, patient, why);
	case STEP_DEVICE:
	case STEP_MARK:
		return r->h->device(r->h->ctx, s, why);
	case STEP_UP:
		return bring_up(s, r->j, why);
	case STEP_NOTE:
		break;
	}
	return 0;
}

/* May the rest go on? Then it has been told. An engine that only does not end holds nothing up. */
static bool is_forgiven(const struct run *r, const struct step *s, int status)
{
	if (s->kind == STEP_ADD)
		return may_fail(r, &s->item);
	if (s->kind == STEP_REMOVE && s->item.kind == ITEM_LINK && status == -ETIMEDOUT)
		return r->j->phase == JOURNAL_DOWN;
	return s->kind == STEP_REMOVE && r->j->phase == JOURNAL_DOWN && s->item.kind != ITEM_LINK;
}

static void undo_step(struct run *r, const struct step *s)
{
	struct step back = *s; /* borrows all */
	struct diag why = { 0 };
	int status = 0;

	if (s->kind != STEP_ADD && s->kind != STEP_REMOVE) {
		if (r->h->undo && s->kind != STEP_NOTE)
			r->h->undo(r->h->ctx, s);
		return;
	}
	back.kind = s->kind == STEP_ADD ? STEP_REMOVE : STEP_ADD;
	if (back.kind == STEP_REMOVE && !items_find(&r->j->owned, &s->item))
		return; /* it never came */
	r->h->print(r->h->ctx, &back);
	status = back.kind == STEP_ADD ? add(r, &s->item, &why) : take_off(r, &s->item, &why);
	if (status < 0)
		r->h->tell(r->h->ctx, &why);
}

/* The last of the steps may be the one that failed: it may have been done in part. */
static void undo(struct run *r, const struct plan *p, size_t count)
{
	struct diag why = { 0 };

	(void)share(r, true); /* who undoes goes on without it */
	if (r->j->phase == JOURNAL_SYNC) {
		while (count-- > 0)
			undo_step(r, &p->rows[count]);
		return;
	}
	if (apply_recover(r->j, r->h, &why) < 0)
		r->h->tell(r->h->ctx, &why);
}

static bool is_stopped(const struct run *r)
{
	return r->j->phase != JOURNAL_DOWN && r->h->is_stopped && r->h->is_stopped(r->h->ctx);
}

static int end_early(struct run *r, const struct plan *p, size_t count, int status)
{
	if (r->j->phase != JOURNAL_DOWN)
		undo(r, p, count);
	return status;
}

static int run_steps(struct run *r, const struct plan *p, struct diag *why)
{
	int first = 0;

	for (size_t i = 0; i < p->count; ++i) {
		const struct step *s = &p->rows[i];
		struct diag here = { 0 };
		int status;

		if (is_stopped(r))
			return end_early(r, p, i, -EINTR);
		status = take_step(r, s, &here);
		if (status == 0)
			continue;
		if (is_forgiven(r, s, status)) {
			r->h->tell(r->h->ctx, &here);
			if (s->kind == STEP_REMOVE && first == 0)
				first = status;
			continue;
		}
		*why = here;
		return end_early(r, p, i + 1, status);
	}
	/* The last one may have been a long hook. */
	return is_stopped(r) ? end_early(r, p, p->count, -EINTR) : first;
}

int apply_plan(const struct plan *p, struct journal *j, const struct apply_hands *h,
	       struct diag *why)
{
	struct run r = { .j = j, .h = h };
	int status = share(&r, j->phase == JOURNAL_DOWN);

	items_init(&r.others);
	if (status == 0)
		status = run_steps(&r, p, why);
	else if (status != -EINTR)
		(void)explain_journal(status, why);
	journal_unshare(j);
	items_done(&r.others);
	return status;
}

int apply_recover(struct journal *j, const struct apply_hands *h, struct diag *why)
{
	struct plan p;
	int status = 0;

	plan_init(&p);
	if (j->phase != JOURNAL_DOWN)
		status = explain_journal(journal_phase(j, JOURNAL_DOWN), why);
	if (status == 0 && !plan_down(NULL, &j->owned, &p))
		status = -ENOMEM;
	if (status == 0)
		status = apply_plan(&p, j, h, why);
	plan_done(&p);
	return status < 0 ? status : explain_journal(journal_remove(j), why);
}
