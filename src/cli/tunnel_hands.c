#include "cli/tunnel_hands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/check_run.h"
#include "cli/patch_print.h"
#include "cli/stop.h"
#include "cli/tunnel_case.h"
#include "cli/tunnel_engine.h"
#include "cli/tunnel_hook.h"
#include "control/devices.h"
#include "net/route.h"

/* The link */

static int start_engine(struct tunnel_case *c, const struct item *i, const char *program,
			struct diag *why)
{
	struct item made = { 0 };
	int status = 0;

	if (!item_copy(&made, i) || !item_set_texts(&made, NULL, program))
		status = -ENOMEM;
	if (status == 0)
		status = journal_begin(&c->j, c->j.phase, NULL, program);
	if (status == 0)
		status = journal_own(&c->j, &made);
	item_done(&made);
	return status < 0 ? status : tunnel_engine_start(program, i->link, why);
}

static int fall_back(struct tunnel_case *c, const struct item *i, struct diag *why)
{
	const char *program = tunnel_engine_program();

	if (c->o->quick)
		fprintf(stderr, "Error: Unknown device type.\n"); /* as ip says it */
	fprintf(stderr, "[!] %s\n[#] %s %s\n",
		c->o->quick ? "Missing WireGuard kernel module. Falling back to slow userspace "
			      "implementation."
			    : "this kernel has no WireGuard: taking an engine in user space",
		program, i->link);
	return start_engine(c, i, program, why);
}

static int make_link(void *ctx, const struct item *i, struct diag *why)
{
	struct tunnel_case *c = ctx;
	int status;

	if (i->text && strcmp(i->text, TUNNEL_ENGINE_KERNEL) != 0)
		return start_engine(c, i, i->text, why);
	status = route_link_add(i->link);
	if (status == -EOPNOTSUPP && c->o->engine == TUNNEL_ENGINE_AUTO)
		return fall_back(c, i, why);
	if (status == -EOPNOTSUPP) {
		diag_set(why, DIAG_ERROR, "A2", 0, "this kernel has no WireGuard");
		diag_hint(why, "--engine user takes Warren's own engine");
	} else if (status == -EPERM) {
		diag_set(why, DIAG_ERROR, "A2", 0, "%s cannot be made: Operation not permitted",
			 i->link);
		diag_hint(why,
			  "it takes CAP_NET_ADMIN; a container gets it by --cap-add NET_ADMIN");
	} else if (status < 0) {
		diag_set(why, DIAG_ERROR, "A14", 0, "%s cannot be made: %s", i->link,
			 strerror(-status));
	}
	return status;
}

static int remove_link(void *ctx, const struct item *i, struct diag *why)
{
	(void)ctx;
	return tunnel_engine_end(i->link, why);
}

/* The device */

static void explain_device(int error, struct diag *why)
{
	const struct diag deeper = *why;

	*why = (struct diag){ 0 };
	diag_set(why, DIAG_ERROR, "device", 0, "Unable to modify interface: %s",
		 deeper.severity ? deeper.text : strerror(-error));
	if (deeper.hint[0])
		diag_hint(why, "%s", deeper.hint);
}

static int set_device(void *ctx, const struct step *s, struct diag *why)
{
	struct tunnel_case *c = ctx;
	struct model mark;
	struct device d;
	int status;

	model_init(&mark);
	mark.has_fwmark = true;
	mark.fwmark = s->number;
	device_init(&d, DEVICES_DIR, c->name);
	status = d.backend.set(d.backend.ctx, s->kind == STEP_MARK ? &mark : &c->patch, why);
	model_done(&mark);
	if (status > 0)
		status = -status; /* an engine of somebody else's: control/devices.h */
	if (status)
		explain_device(status, why);
	return status;
}

/* Hooks: one that fails ends what comes up, and wg-quick's way down too. */

static int run_hook(void *ctx, const struct step *s, struct diag *why)
{
	struct tunnel_case *c = ctx;
	const bool down = c->j.phase == JOURNAL_DOWN;
	int status;

	if (c->hooks_refused) {
		diag_set(why, DIAG_ERROR, "writable", 0,
			 "%s `%.60s' is not run: others can write the file that it stands in",
			 tunnel_hook_name(s->hook), s->text);
		check_disarm(why->text, strlen(why->text));
		status = -EPERM;
	} else {
		status = tunnel_hook_run(s, c->name, c->at.path, why);
	}
	if (status == 0)
		return 0;
	c->hook_code = status > 0 ? status : 1;
	if (!down || c->o->quick)
		return -ECANCELED;
	++c->failures;
	tunnel_case_say(c, why);
	return 0;
}

/* Words */

void tunnel_print_step(const struct step *s, const char *link, bool to_output)
{
	struct buffer b;

	buffer_init(&b);
	if (step_print(s, link, &b) && buffer_ok(&b)) {
		check_disarm(b.bytes, b.len);
		fprintf(to_output ? stdout : stderr, "%.*s\n", (int)b.len, b.bytes);
	}
	buffer_done(&b);
}

static void print(void *ctx, const struct step *s)
{
	const struct tunnel_case *c = ctx;

	if (s->kind == STEP_DEVICE && c->tells_patch)
		patch_print(&c->patch, c->name, stderr);
	else
		tunnel_print_step(s, c->name, false);
}

static void tell(void *ctx, const struct diag *why)
{
	struct tunnel_case *c = ctx;

	++c->failures;
	fprintf(stderr, "[!] %s\n", why->text);
	if (why->hint[0])
		fprintf(stderr, "    %s\n", why->hint);
}

static bool is_stopped(void *ctx)
{
	(void)ctx;
	return stop_is_asked();
}

void tunnel_hands_init(struct apply_hands *h, struct tunnel_case *c)
{
	*h = (struct apply_hands){
		.make_link = make_link,
		.remove_link = remove_link,
		.hook = run_hook,
		.device = set_device,
		.print = print,
		.tell = tell,
		.is_stopped = is_stopped,
		.ctx = c,
	};
}
