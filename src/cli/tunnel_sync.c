#include "cli/tunnel_sync.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/patch_print.h"
#include "cli/run_file.h"
#include "cli/stop.h"
#include "cli/tunnel_hands.h"
#include "cli/wg_device.h"
#include "control/sockaddr.h"
#include "model/difference.h"

/* What runs */

static int open_journal(struct sync *s)
{
	struct tunnel_case *c = s->c;
	int status;

	if (!c->o->dry_run)
		return tunnel_case_lock(c);
	status = journal_peek(&c->j, &journal_host, c->name);
	if (status < 0 && status != -ENOENT)
		return tunnel_case_fail(c, "the journal of %s: %s", c->name, strerror(-status));
	return 0;
}

static int settle(struct sync *s)
{
	struct tunnel_case *c = s->c;

	if (!c->j.found || c->j.phase == JOURNAL_UPPED)
		return 0;
	if (c->o->dry_run)
		return tunnel_case_fail(c, "%s was left half done by an earlier command", c->name);
	return tunnel_case_recover(c);
}

static int read_device(struct sync *s)
{
	const int error = wg_device_get(s->c->name, &s->running);

	if (!error)
		return 0;
	if (error == -EPERM || error == -EACCES)
		return tunnel_case_fail(s->c, "only root may do this");
	if (error == -EPROTONOSUPPORT || error == -ENODEV || error == -ENOENT)
		return tunnel_case_fail(s->c, "%s is not up; `warren up %s' brings it up",
					s->c->name, s->c->o->word);
	return tunnel_case_fail(s->c, "%s cannot be read: %s", s->c->name, strerror(-error));
}

/* Endpoints by name: one of several addresses of the name is as good as another. */

static bool is_one_of(const char *host, const char *service, const struct endpoint *now)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP };
	struct addrinfo *list = NULL;
	bool found = false;

	if (getaddrinfo(host, service, &hints, &list) != 0)
		return false;
	for (const struct addrinfo *a = list; a && !found; a = a->ai_next) {
		struct endpoint e;

		found = sockaddr_to_endpoint(a->ai_addr, a->ai_addrlen, &e) &&
			endpoint_equal(&e, now);
	}
	freeaddrinfo(list);
	return found;
}

static const struct model_peer *find_peer(const struct model *m, const struct key_public *key)
{
	for (size_t i = 0; i < m->peer_count; ++i)
		if (memcmp(&m->peers[i].public_key, key, sizeof(*key)) == 0)
			return &m->peers[i];
	return NULL;
}

static void keep_endpoint(struct sync *s, size_t peer)
{
	const struct tunnel_peer *p = &s->c->t->peers[peer];
	const struct model_peer *running;
	struct model_peer *wanted = NULL;
	char port[8];

	for (size_t i = 0; i < s->c->patch.peer_count && !wanted; ++i)
		if (memcmp(&s->c->patch.peers[i].public_key, &s->c->t->model.peers[peer].public_key,
			   sizeof(wanted->public_key)) == 0)
			wanted = &s->c->patch.peers[i];
	running = wanted ? find_peer(&s->running, &wanted->public_key) : NULL;
	if (!running || !running->has_endpoint || !wanted->has_endpoint ||
	    endpoint_equal(&wanted->endpoint, &running->endpoint))
		return;
	(void)snprintf(port, sizeof(port), "%u", p->endpoint_port); /* fits */
	if (is_one_of(p->endpoint_host, p->endpoint_service ? p->endpoint_service : port,
		      &running->endpoint))
		wanted->endpoint = running->endpoint;
}

static bool is_number(const char *host)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list = NULL;
	const bool number = getaddrinfo(host, NULL, &hints, &list) == 0;

	if (number)
		freeaddrinfo(list);
	return number;
}

static void keep_endpoints(struct sync *s)
{
	for (size_t i = 0; i < s->c->t->model.peer_count; ++i) {
		const char *host = s->c->t->peers[i].endpoint_host;

		if (host && !is_number(host))
			keep_endpoint(s, i);
	}
}

/* The plan */

/* What a hook sets the file need not have. */
static bool hooks_have(const struct tunnel *t, const char *word)
{
	for (size_t k = 0; k < TUNNEL_HOOKS; ++k)
		for (size_t i = 0; i < t->hooks[k].count; ++i)
			if (strstr(t->hooks[k].rows[i].text, word))
				return true;
	return false;
}

static bool has_mark_step(const struct plan *p)
{
	for (size_t i = 0; i < p->count; ++i)
		if (p->rows[i].kind == STEP_MARK)
			return true;
	return false;
}

/* A mark that nothing needs any more goes; one that rules need goes when they are gone. */
static void drop_mark(struct sync *s)
{
	if (s->c->patch.has_fwmark || hooks_have(s->c->t, "fwmark") || has_mark_step(&s->plan) ||
	    plan_mark_for(s->c->t, &s->c->facts.network, &s->c->choice))
		return;
	s->c->patch.has_fwmark = true;
	s->c->patch.fwmark = 0;
}

static void drop_step(struct plan *p, size_t at)
{
	item_done(&p->rows[at].item);
	free(p->rows[at].text);
	memmove(&p->rows[at], &p->rows[at + 1], (p->count - at - 1) * sizeof(*p->rows));
	--p->count;
}

/* The patch becomes what differs; where nothing does the device is not asked. */
static bool reduce(struct sync *s)
{
	struct model patch;
	bool done;

	model_init(&patch);
	drop_mark(s);
	done = model_difference(&s->c->patch, &s->running, hooks_have(s->c->t, "preshared-key"),
				&patch);
	if (done) {
		model_done(&s->c->patch);
		s->c->patch = patch;
	} else {
		model_done(&patch);
	}
	for (size_t i = s->plan.count; done && i-- > 0;)
		if (s->plan.rows[i].kind == STEP_DEVICE && model_is_empty(&s->c->patch))
			drop_step(&s->plan, i);
	return done;
}

/* Where the way out is the tunnel itself, its MTU says nothing new. */
static void choose_mtu(struct sync *s)
{
	enum { OVERHEAD = 80 };
	const struct host_network *n = &s->c->facts.network;
	const struct host_link *link = host_link_by_name(n, s->c->name);

	if (link && (host_default_link(n, FAMILY_V4) == link ||
		     (!host_default_link(n, FAMILY_V4) && host_default_link(n, FAMILY_V6) == link)))
		s->c->choice.mtu = link->mtu + OVERHEAD;
}

/* What is gone is not owned in the eyes of the plan, so that it comes back: somebody may have
 * flushed what a snapshot does not tell. */
static bool plan_what_is_there(struct sync *s)
{
	const struct items *owned = &s->c->j.owned;
	struct items there;
	bool done = true;

	items_init(&there);
	for (size_t i = 0; done && i < owned->count; ++i)
		done = apply_is_there(&owned->rows[i]) == 0 || items_copy(&there, &owned->rows[i]);
	done = done && plan_sync(s->c->t, &s->c->facts.network, &s->c->choice, &there, &s->plan);
	items_done(&there);
	return done;
}

static int make_plan(struct sync *s)
{
	struct tunnel_case *c = s->c;
	int code = tunnel_case_decide(c, true, s->running.fwmark);

	if (!code && !c->j.found)
		code = tunnel_case_adopt(c, s->running.fwmark);
	if (code)
		return code;
	choose_mtu(s);
	for (size_t i = 0; i < c->j.owned.count; ++i)
		if (!items_copy(&s->before, &c->j.owned.rows[i]))
			return tunnel_case_fail(c, "out of memory");
	if (!plan_what_is_there(s) || !reduce(s))
		return tunnel_case_fail(c, "out of memory");
	return 0;
}

static bool is_nothing(const struct plan *p)
{
	for (size_t i = 0; i < p->count; ++i)
		if (p->rows[i].kind != STEP_NOTE)
			return false;
	return true;
}

static void print_plan(const struct sync *s)
{
	for (size_t i = 0; i < s->plan.count; ++i)
		if (s->plan.rows[i].kind == STEP_DEVICE)
			patch_print(&s->c->patch, s->c->name, stdout);
		else
			tunnel_print_step(&s->plan.rows[i], s->c->name, true);
}

/* Doing it */

static int fail_sync(struct sync *s, int status, const struct diag *why)
{
	int undone;

	if (why->severity != DIAG_NONE)
		tunnel_case_say(s->c, why);
	else if (status != -EINTR)
		(void)tunnel_case_fail(s->c, "%s", strerror(-status));
	undone = sync_undo(s);
	if (undone < 0)
		return tunnel_case_fail(s->c, "not all of it could be taken back");
	return tunnel_case_fail(s->c, "%s; %s is as it was before",
				status == -EINTR ? "interrupted" : "not done", s->c->name);
}

int sync_apply(struct sync *s)
{
	struct diag why = { 0 };
	int status = sync_record_write(s);

	if (status == 0)
		status = journal_phase(&s->c->j, JOURNAL_SYNC);
	if (status < 0) {
		run_file_remove(&s->c->j, RUN_FILE_SYNC);
		return tunnel_case_fail(s->c, "how to take it back cannot be written down: %s",
					strerror(-status));
	}
	status = apply_plan(&s->plan, &s->c->j, &s->c->hands, &why);
	return status < 0 ? fail_sync(s, status, &why) : 0;
}

int sync_finish(struct sync *s)
{
	const int status = journal_phase(&s->c->j, JOURNAL_UPPED);

	if (status < 0)
		return tunnel_case_fail(s->c, "the journal: %s", strerror(-status));
	run_file_remove(&s->c->j, RUN_FILE_SYNC);
	tunnel_case_note_base(s->c);
	return 0;
}

static int act(struct sync *s)
{
	const bool dry = s->c->o->dry_run;

	if (dry)
		print_plan(s);
	if (is_nothing(&s->plan)) {
		fprintf(stderr, "[!] %s is what %s says\n", s->c->name, s->c->at.path);
		if (!dry)
			tunnel_case_note_base(s->c);
		return 0;
	}
	if (dry)
		return 0;
	if (s->options->confirm)
		return sync_apply_confirmed(s);
	return sync_apply(s) ? EXIT_FAILURE : sync_finish(s);
}

static int sync_all(struct sync *s)
{
	int code = tunnel_case_load(s->c, true, true);

	if (!code)
		code = open_journal(s);
	if (!code)
		code = settle(s);
	if (!code)
		code = read_device(s);
	if (!code)
		code = tunnel_case_resolve(s->c);
	if (code)
		return code;
	keep_endpoints(s);
	code = make_plan(s);
	return code ? code : act(s);
}

int tunnel_sync(const struct sync_options *o)
{
	struct tunnel_case c;
	struct sync s = { .options = o, .c = &c };
	int code;

	if (o->answer != SYNC_NO_ANSWER)
		return sync_answer(o);
	stop_listen();
	tunnel_case_init(&c, &o->o);
	c.tells_patch = true;
	model_init(&s.running);
	items_init(&s.before);
	plan_init(&s.plan);
	code = sync_all(&s);
	plan_done(&s.plan);
	items_done(&s.before);
	model_done(&s.running);
	tunnel_case_done(&c);
	return code;
}
