#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/quick.h"
#include "cli/run_file.h"
#include "cli/save.h"
#include "cli/stop.h"
#include "cli/tunnel_up.h"
#include "cli/wg_device.h"
#include "control/devices.h"
#include "net/observe.h"

/* The name alone is enough to take a tunnel down: its file may be gone. */
static bool name_from_word(struct tunnel_case *c)
{
	const char *slash = strrchr(c->o->word, '/');
	const char *last = slash ? slash + 1 : c->o->word;
	const size_t len = strlen(last);
	const size_t end = slash ? strlen(".conf") : 0;

	if (len <= end || len - end >= sizeof(c->name) ||
	    strcmp(last + len - end, ".conf" + 5 - end))
		return false;
	memcpy(c->name, last, len - end);
	c->name[len - end] = '\0';
	return text_is_interface_name(c->name);
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* The file that it was brought up from, else the one that the word means. */
static int load(struct tunnel_case *c)
{
	struct tunnel_options named = *c->o;
	const struct tunnel_options *given = c->o;
	char usual[64];
	int code;

	(void)snprintf(usual, sizeof(usual), "/etc/wireguard/%s.conf", c->name);
	if (!strchr(given->word, '/')) {
		if (c->j.file && is_there(c->j.file))
			named.word = c->j.file;
		else if (!is_there(usual))
			return tunnel_case_fail(c, "the file of %s is gone: no hooks are run",
						c->name);
	}
	c->o = &named;
	code = tunnel_case_load(c, false, false);
	c->o = given;
	if (code)
		return code;
	return 0;
}

/* Nothing of ours: say what there is. */
static int meet_stranger(struct tunnel_case *c)
{
	const struct host_link *link;
	struct host_facts now;
	char usual[64];
	struct device d;
	bool there;

	host_facts_init(&now);
	link = observe_network(&now.network) == 0 ? host_link_by_name(&now.network, c->name) : NULL;
	device_init(&d, DEVICES_DIR, c->name);
	there = (link && link->wireguard) || device_kind(&d) == DEVICE_USERSPACE;
	host_facts_done(&now);
	(void)snprintf(usual, sizeof(usual), "/etc/wireguard/%s.conf", c->name);
	if (there)
		return tunnel_case_fail(c,
					"%s was not brought up by warren: take it down with what "
					"made it\n    `wg-quick down %s', or `ip link delete dev "
					"%s'",
					c->name, c->name, c->name);
	if (!is_there(usual) && !(strchr(c->o->word, '/') && is_there(c->o->word)))
		return tunnel_case_fail(c,
					"there is no tunnel %s: no file %s, nothing on this host",
					c->name, usual);
	fprintf(stderr, "[!] %s is not up\n", c->name);
	return 0;
}

/* wg-quick takes down whatever link of that kind the file is named after: one that came up before
 * this program took the other one's place, too. */
static int take_over(struct tunnel_case *c)
{
	struct model running;
	int code;

	model_init(&running);
	c->adopts = true;
	if (wg_device_get(c->name, &running) < 0)
		code = tunnel_case_fail(c, "`%s' is not a WireGuard interface", c->name);
	else
		code = tunnel_case_decide(c, true, running.fwmark);
	if (code == 0)
		code = tunnel_case_adopt(c, running.fwmark);
	model_done(&running);
	return code;
}

static int fail_down(struct tunnel_case *c, int status, const struct diag *why)
{
	if (why->severity != DIAG_NONE)
		tunnel_case_say(c, why);
	if (status != -ECANCELED)
		(void)tunnel_case_fail(c, "%s is not wholly down; `down' again goes on", c->name);
	return c->hook_code && c->o->quick ? c->hook_code : EXIT_FAILURE;
}

/* How many of the steps come before the link goes away: SaveConfig stands behind them. */
static size_t count_pre_down(const struct plan *p)
{
	size_t n = 0;

	while (n < p->count && p->rows[n].kind == STEP_HOOK && p->rows[n].hook == TUNNEL_PRE_DOWN)
		++n;
	return n;
}

/* SaveConfig. What cannot be saved ends wg-quick's way down; ours says so, and goes on. */
static int save(struct tunnel_case *c)
{
	const struct tunnel_call call = { c->o->program, c->o->quick, c->o->word };

	if (!c->t || !c->t->save_config || save_tunnel(&call, &c->at) == 0)
		return 0;
	++c->failures;
	c->hook_code = EXIT_FAILURE;
	return c->o->quick ? -ECANCELED : 0;
}

static int apply(struct tunnel_case *c, const struct plan *p)
{
	const size_t before = count_pre_down(p);
	const struct plan first = { .rows = p->rows, .count = before };
	const struct plan rest = { .rows = p->rows + before, .count = p->count - before };
	const enum journal_phase was = c->j.phase;
	struct diag why = { 0 };
	int status = journal_phase(&c->j, JOURNAL_DOWN);

	if (status == 0)
		status = apply_plan(&first, &c->j, &c->hands, &why);
	if (status == 0 && was == JOURNAL_UPPED)
		status = save(c);
	if (status == -ECANCELED) /* wg-quick leaves it as it is */
		(void)!journal_phase(&c->j, was);
	if (status == 0)
		status = apply_plan(&rest, &c->j, &c->hands, &why);
	if (status == 0 || (status == -ECANCELED && c->j.owned.count == 0)) {
		int removed;

		run_file_remove_all(&c->j);
		removed = journal_remove(&c->j);
		status = status ? status : removed;
	}
	if (status < 0)
		return fail_down(c, status, &why);
	return c->failures && c->hook_code ? EXIT_FAILURE : 0;
}

static int plan_and_apply(struct tunnel_case *c)
{
	struct plan p;
	int code;

	plan_init(&p);
	if (!plan_down(c->t, &c->j.owned, &p))
		code = tunnel_case_fail(c, "out of memory");
	else
		code = apply(c, &p);
	plan_done(&p);
	return code;
}

static int down(struct tunnel_case *c)
{
	int code = tunnel_case_need_root(c);

	if (code)
		return code;
	if (c->o->quick) {
		code = tunnel_case_load(c, false, false);
		if (code)
			return code;
	} else if (!name_from_word(c)) {
		return tunnel_case_fail(c,
					"`%s' is neither the name of a tunnel nor the path of "
					"its file",
					c->o->word);
	}
	code = tunnel_case_lock(c);
	if (code)
		return code;
	if (!c->j.found && !c->o->quick)
		return meet_stranger(c);
	code = c->j.found ? 0 : take_over(c);
	if (code)
		return code;
	if (c->j.phase != JOURNAL_UPPED)
		fprintf(stderr, "[!] %s was left half done by an earlier command: taking it down\n",
			c->name);
	if (!c->o->quick)
		(void)!load(c); /* what is wrong was said: it goes down without its hooks */
	return plan_and_apply(c);
}

int tunnel_down(const struct tunnel_options *o)
{
	struct tunnel_case c;
	int code;

	stop_listen();
	tunnel_case_init(&c, o);
	code = down(&c);
	tunnel_case_done(&c);
	return code;
}

int down_run(const struct tunnel_call *call)
{
	return tunnel_down(&(struct tunnel_options){
		.program = call->program,
		.quick = call->quick,
		.word = call->word,
	});
}
