#include "cli/tunnel_up.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/keep_repair.h"
#include "cli/port_owner.h"
#include "cli/quick.h"
#include "cli/stop.h"
#include "cli/tunnel_engine.h"
#include "cli/tunnel_hands.h"
#include "control/devices.h"
#include "net/observe.h"

/* What stands there already */

enum standing { STANDS_NOTHING, STANDS_LINK, STANDS_SOCKET };

static bool has_socket(const char *name)
{
	struct device d;

	device_init(&d, DEVICES_DIR, name);
	return device_kind(&d) == DEVICE_USERSPACE;
}

static int look(struct tunnel_case *c, enum standing *ret, bool *ret_wireguard)
{
	const struct host_link *link;
	struct host_facts now;
	int status;

	host_facts_init(&now);
	status = observe_network(&now.network);
	link = status == 0 ? host_link_by_name(&now.network, c->name) : NULL;
	*ret_wireguard = has_socket(c->name) || (link && link->wireguard);
	*ret = link ? STANDS_LINK : *ret_wireguard ? STANDS_SOCKET : STANDS_NOTHING;
	host_facts_done(&now);
	return status < 0
		       ? tunnel_case_fail(c, "this host cannot be looked at: %s", strerror(-status))
		       : 0;
}

static int clear_away(struct tunnel_case *c)
{
	struct diag why = { 0 };

	fprintf(stderr,
		"[!] %s is there and not ours: --force removes it\n[#] ip link delete dev "
		"%s\n",
		c->name, c->name);
	if (tunnel_engine_end(c->name, &why) == 0)
		return 0;
	tunnel_case_say(c, &why);
	return EXIT_FAILURE;
}

/* Rules, refusing routes or tables of its own: without them what went into the tunnel goes
 * elsewhere. */
static bool has_guards(const struct items *owned)
{
	for (size_t i = 0; i < owned->count; ++i)
		if (owned->rows[i].kind == ITEM_RULE || owned->rows[i].kind == ITEM_TABLE)
			return true;
	return false;
}

/* H8: taking the rest back first would let out what the guards still hold. */
static int revive(struct tunnel_case *c, const struct keep_gone *gone)
{
	c->revived = true;
	fprintf(stderr, "[!] %s of %s is gone: putting it back; hooks are not run again\n",
		keep_gone_kinds(gone) & 1U << ITEM_LINK ? "the device" : "a part", c->name);
	if (keep_revive(c, gone) == 0)
		return 0;
	return tunnel_case_fail(c, "what guards %s stays; `down %s' takes it away", c->name,
				c->name);
}

/* Up it is, but somebody, or a command that was killed, may have left less than all of it. To
 * wg-quick a tunnel is up where its device is. */
static int complete(struct tunnel_case *c, bool has_link)
{
	struct keep_gone gone;
	int status, code = 0;

	if (c->o->dry_run || (c->o->quick && has_link))
		return 0;
	status = keep_look(&c->j.owned, KEEP_ALL, &gone);
	if (status < 0)
		code = tunnel_case_fail(c, "this host cannot be looked at: %s", strerror(-status));
	else if (keep_gone_kinds(&gone))
		code = revive(c, &gone);
	keep_gone_done(&gone);
	return code;
}

/* A14. *ret_up: it is up, and ours. */
static int meet(struct tunnel_case *c, bool *ret_up)
{
	enum standing standing;
	bool wireguard;
	int code = look(c, &standing, &wireguard);

	*ret_up = false;
	if (code)
		return code;
	if (c->j.found && c->j.phase == JOURNAL_UPPED && standing == STANDS_LINK && wireguard) {
		*ret_up = true;
		return complete(c, true);
	}
	if (c->j.found && c->j.phase == JOURNAL_UPPED && standing == STANDS_NOTHING &&
	    !c->o->dry_run && has_guards(&c->j.owned)) {
		*ret_up = true;
		return complete(c, false);
	}
	if (c->j.found && !c->o->dry_run) {
		code = tunnel_case_recover(c);
		if (!code)
			code = look(c, &standing, &wireguard);
		*ret_up = !code && c->j.found && standing == STANDS_LINK && wireguard;
		return code;
	}
	if (c->j.found || standing == STANDS_NOTHING)
		return 0;
	if (c->o->quick)
		return tunnel_case_fail(c, "`%s' already exists", c->name);
	if (c->o->force && wireguard)
		return c->o->dry_run ? 0 : clear_away(c);
	code = tunnel_case_fail(c,
				wireguard ? "%s is up already, and was not brought up by warren"
					  : "there is a link %s, and it is no tunnel",
				c->name);
	if (wireguard)
		fprintf(stderr,
			"    take it down with what made it (`wg-quick down %s'?), or let --force "
			"remove it\n",
			c->name);
	return code;
}

/* The plan */

static void print_plan(const struct tunnel_case *c, const struct plan *p)
{
	for (size_t i = 0; i < p->count; ++i)
		tunnel_print_step(&p->rows[i], c->name, true);
}

/* Whoever plans while a hook of ours runs, with the lock let go, keeps off these. The journal looks
 * for one from its end: what comes first stands there. */
static int reserve(struct tunnel_case *c, const struct plan *p)
{
	int status = 0;

	if (!c->t->hooks[TUNNEL_PRE_UP].count)
		return 0;
	for (size_t i = p->count; status == 0 && i-- > 0;) {
		const struct step *s = &p->rows[i];

		if (s->kind == STEP_ADD &&
		    (s->item.kind == ITEM_RULE ||
		     (s->item.kind == ITEM_ROUTE && s->item.table != HOST_TABLE_MAIN)))
			status = journal_want(&c->j, &s->item);
	}
	return status;
}

/* A6 */
static void name_port(const struct tunnel_case *c, struct diag *why)
{
	const uint16_t port = c->patch.listen_port;
	char owner[96];

	*why = (struct diag){ 0 };
	if (port_owner(port, owner, sizeof(owner)))
		diag_set(why, DIAG_ERROR, "A6", 0, "UDP port %u is in use by %s", port, owner);
	else
		diag_set(why, DIAG_ERROR, "A6", 0, "UDP port %u is in use", port);
	diag_hint(why, "give one of the two another port, or leave ListenPort out");
}

static int fail_up(const struct tunnel_case *c, int status, struct diag *why)
{
	if (status == -EADDRINUSE && c->patch.listen_port)
		name_port(c, why);
	if (why->severity != DIAG_NONE)
		tunnel_case_say(c, why);
	else if (status != -EINTR && status != -ECANCELED)
		(void)tunnel_case_fail(c, "%s", strerror(-status));
	if (c->j.found)
		(void)tunnel_case_fail(
			c, "something is left; `down %s' tries to take it back again", c->name);
	else if (!c->o->quick)
		(void)tunnel_case_fail(c, "%s; all that was done is undone",
				       status == -EINTR ? "interrupted" : "not up");
	return c->hook_code && c->o->quick ? c->hook_code : EXIT_FAILURE;
}

/* What cannot be noted as being up would be half done to the next command: it is undone here. */
static int finish(struct tunnel_case *c)
{
	const int status = journal_phase(&c->j, JOURNAL_UPPED);
	struct diag why = { 0 };

	if (status < 0 && apply_recover(&c->j, &c->hands, &why) < 0)
		tunnel_case_say(c, &why);
	return status;
}

static int apply(struct tunnel_case *c, const struct plan *p)
{
	struct diag why = { 0 };
	int status = journal_begin(&c->j, JOURNAL_UP, c->at.absolute, c->choice.engine);

	if (status == 0)
		status = reserve(c, p);
	if (status == 0)
		status = apply_plan(p, &c->j, &c->hands, &why);
	else
		(void)journal_remove(&c->j); /* it says that nothing is owned */
	if (status == 0) {
		tunnel_case_note_base(c); /* first: a kill in it is a kill halfway up */
		status = finish(c);
	}
	return status < 0 ? fail_up(c, status, &why) : 0;
}

static int plan_and_apply(struct tunnel_case *c)
{
	struct plan p;
	int code = tunnel_case_decide(c, false, 0);

	if (code)
		return code;
	plan_init(&p);
	if (!plan_up(c->t, &c->facts.network, &c->choice, &p))
		code = tunnel_case_fail(c, "out of memory");
	else if (c->o->dry_run)
		print_plan(c, &p);
	else
		code = apply(c, &p);
	plan_done(&p);
	return code;
}

/* A dry run takes no lock, and leaves what an earlier command left. */
static int open_journal(struct tunnel_case *c)
{
	int status;

	if (!c->o->dry_run)
		return tunnel_case_lock(c);
	status = journal_peek(&c->j, &journal_host, c->name);
	if (status < 0 && status != -ENOENT && status != -EPERM && status != -EACCES)
		return tunnel_case_fail(c, "the journal of %s: %s", c->name, strerror(-status));
	return 0;
}

static int up(struct tunnel_case *c)
{
	bool is_up;
	int code = c->o->dry_run ? 0 : tunnel_case_need_root(c);

	if (!code)
		code = tunnel_case_load(c, true, true);

	if (!code)
		code = open_journal(c);
	if (!code)
		code = meet(c, &is_up);
	if (code)
		return code;
	if (is_up && c->revived)
		return 0;
	if (is_up && c->o->quick)
		return tunnel_case_fail(c, "`%s' already exists", c->name);
	if (is_up) {
		fprintf(stderr, "[!] %s is up already; `warren sync %s' makes it equal its file\n",
			c->name, c->o->word);
		return 0;
	}
	code = tunnel_case_resolve(c);
	if (!code && stop_is_asked())
		return tunnel_case_fail(c, "interrupted; nothing was done");
	return code ? code : plan_and_apply(c);
}

int tunnel_up(const struct tunnel_options *o)
{
	struct tunnel_case c;
	int code;

	stop_listen();
	tunnel_case_init(&c, o);
	c.hands.dns_must = o->quick;
	code = up(&c);
	tunnel_case_done(&c);
	return code;
}

int up_run(const struct tunnel_call *call)
{
	return tunnel_up(&(struct tunnel_options){
		.program = call->program,
		.quick = call->quick,
		.word = call->word,
	});
}
