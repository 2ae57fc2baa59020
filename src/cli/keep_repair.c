#include "cli/keep_repair.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/stop.h"
#include "cli/tunnel_case.h"
#include "cli/tunnel_hands.h"
#include "net/route.h"

/* A name may take long to ask for, and what is needed is at hand. */
static void recall_endpoints(struct tunnel_case *c, const struct keep_peers *known)
{
	for (size_t i = 0; i < c->t->model.peer_count; ++i) {
		struct model_peer *p = &c->t->model.peers[i];

		for (size_t k = 0; k < known->count && !p->has_endpoint; ++k) {
			if (memcmp(&known->rows[k].key, &p->public_key, sizeof(p->public_key)) !=
				    0 ||
			    !endpoint_is_set(&known->rows[k].used))
				continue;
			p->endpoint = known->rows[k].used;
			p->has_endpoint = true;
		}
	}
}

/* Peers and keys for a device that is to be made anew. */
static int prepare_device(struct tunnel_case *c, const struct keep_peers *known)
{
	const int code = c->t ? 0 : tunnel_case_load(c, false, false);

	if (code)
		return code;
	if (known)
		recall_endpoints(c, known);
	return tunnel_case_resolve(c);
}

static int take_step(struct tunnel_case *c, const struct step *s, struct diag *why)
{
	switch (s->kind) {
	case STEP_ADD:
		return apply_item(&s->item, false, &c->hands, why);
	case STEP_DEVICE:
	case STEP_MARK:
		return c->hands.device(c->hands.ctx, s, why);
	case STEP_UP:
		return route_link_up(c->name, s->number);
	case STEP_REMOVE:
	case STEP_HOOK:
	case STEP_NOTE:
		break;
	}
	return 0;
}

/* One that fails does not keep the others from being put back. */
static void put_back(struct tunnel_case *c, const struct step *s)
{
	struct diag why = { 0 };
	int status;

	tunnel_print_step(s, c->name, false);
	status = take_step(c, s, &why);
	if (status == 0 || status == -EEXIST)
		return;
	if (why.severity == DIAG_NONE)
		diag_set(&why, DIAG_ERROR, "keep", 0, "%s", strerror(-status));
	++c->failures;
	tunnel_case_say(c, &why);
}

static void put_back_others(struct tunnel_case *c, const struct items *others, unsigned int kinds)
{
	for (size_t i = 0; i < others->count; ++i)
		if (kinds & 1U << others->rows[i].kind)
			put_back(c, &(struct step){ .kind = STEP_ADD, .item = others->rows[i] });
}

static bool is_wanted(const struct step *s, unsigned int kinds)
{
	if (kinds & 1U << ITEM_LINK)
		return true;
	return (s->kind == STEP_ADD || s->kind == STEP_UP) && (kinds & 1U << s->item.kind);
}

/* What protects comes first, as it does at up. */
static int put_back_all(struct tunnel_case *c, const struct keep_gone *g, unsigned int kinds)
{
	const unsigned int tables = 1U << ITEM_TABLE;
	const int before = c->failures; /* of names without an address, which were said */

	put_back_others(c, &g->others, kinds & tables);
	for (size_t i = 0; i < g->plan.count; ++i)
		if (is_wanted(&g->plan.rows[i], kinds))
			put_back(c, &g->plan.rows[i]);
	put_back_others(c, &g->others, kinds & ~tables);
	return c->failures > before ? EXIT_FAILURE : 0;
}

static int put_back_gone(struct tunnel_case *c, const struct keep_gone *g, unsigned int kinds,
			 const struct keep_peers *known)
{
	int code = keep_gone_kinds(g) & 1U << ITEM_LINK ? prepare_device(c, known) : 0;

	if (!code && journal_share(&c->j) < 0)
		code = EXIT_FAILURE;
	if (!code)
		code = put_back_all(c, g, kinds);
	journal_unshare(&c->j);
	return code;
}

int keep_revive(struct tunnel_case *c, const struct keep_gone *g)
{
	return put_back_gone(c, g, ~0U, NULL);
}

static int repair(struct tunnel_case *c, unsigned int kinds, const struct keep_peers *known)
{
	struct keep_gone gone;
	int code, status;

	if (!c->j.found || c->j.phase != JOURNAL_UPPED)
		return 0; /* somebody took it down meanwhile */
	status = keep_look(&c->j.owned, KEEP_ALL, &gone);
	code = status < 0
		       ? tunnel_case_fail(c, "this host cannot be looked at: %s", strerror(-status))
		       : put_back_gone(c, &gone, kinds, known);
	keep_gone_done(&gone);
	return code;
}

int keep_repair(const char *name, unsigned int kinds, const struct keep_peers *known)
{
	struct tunnel_options o = { .program = "warren: keep", .word = name };
	struct tunnel_case c;
	int code;

	stop_listen();
	tunnel_case_init(&c, &o);
	(void)snprintf(c.name, sizeof(c.name), "%s", name);
	code = tunnel_case_lock(&c);
	if (!code && c.j.file)
		o.word = c.j.file;
	if (!code)
		code = repair(&c, kinds, known);
	tunnel_case_done(&c);
	return code;
}
