#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/show_drops.h"
#include "cli/show_fields.h"
#include "cli/show_json.h"
#include "cli/show_pretty.h"
#include "cli/wg.h"
#include "cli/wg_device.h"
#include "control/devices.h"

/* What is asked for: of one device, of all, or only the names of all. */
struct request {
	const struct wg_call *call;
	const char *target; /* "all", "interfaces" or a name */
	const char *field;  /* NULL: everything, for people */
	bool is_json;
	struct json_out *json;
};

enum outcome { SHOWN, NO_SUCH_FIELD, SHOW_FAILED };

static bool is_on(const char *value, bool otherwise)
{
	if (value && strcmp(value, "always") == 0)
		return true;
	if (value && strcmp(value, "never") == 0)
		return false;
	return otherwise;
}

static struct show_style style_now(void)
{
	const char *hide = getenv("WG_HIDE_KEYS");
	const time_t now = time(NULL);

	return (struct show_style){
		.colour = is_on(getenv("WG_COLOR_MODE"), isatty(STDOUT_FILENO) == 1),
		.keys = hide && strcmp(hide, "never") == 0,
		.now = now < 0 ? 0 : (uint64_t)now,
	};
}

static enum outcome print(const struct request *r, struct out *o, const char *name,
			  const struct model *m, bool is_all)
{
	const struct show_style style = style_now();
	struct show_view view;

	if (!show_view_init(&view, m->name[0] ? m->name : name, m))
		return SHOW_FAILED;
	if (r->is_json) {
		show_json_device(r->json, &view);
		return SHOWN;
	}
	if (r->field)
		return show_field(o, &view, r->field, is_all) ? SHOWN : NO_SUCH_FIELD;
	return show_pretty(o, &view, &style) ? SHOWN : SHOW_FAILED;
}

/* Gives the exit code; says only what the caller of one and of all would say alike. */
static int judge(const struct request *r, enum outcome outcome)
{
	switch (outcome) {
	case SHOWN:
		return 0;
	case NO_SUCH_FIELD:
		fprintf(stderr, "Invalid parameter: `%s'\n", r->field);
		(void)wg_usage(r->call, &wg_show);
		return 1;
	case SHOW_FAILED:
		fprintf(stderr, "%s: out of memory\n", r->call->program);
		return 1;
	}
	return 1;
}

static int show_one(const struct request *r, struct out *o)
{
	struct model m;
	int error, code;

	model_init(&m);
	error = wg_device_get(r->target, &m);
	code = error ? wg_failed("Unable to access interface", error)
		     : judge(r, print(r, o, r->target, &m, false));
	model_done(&m);
	return code;
}

/* Of all that can be read: it is a failure where none can. */
static int show_listed(const struct request *r, struct out *o, const struct device_list *list)
{
	enum outcome outcome = SHOWN;
	bool has_shown = false;

	for (size_t i = 0; i < list->count && outcome == SHOWN; ++i) {
		const char *name = list->items[i].name;
		struct model m;
		int error;

		model_init(&m);
		error = wg_device_get(name, &m);
		if (error) {
			fprintf(stderr, "Unable to access interface %s: %s\n", name,
				strerror(-error));
		} else {
			outcome = print(r, o, name, &m, true);
			has_shown = true;
			if (!r->field && !r->is_json && i + 1 < list->count)
				out_text(o, "\n");
		}
		model_done(&m);
	}
	return has_shown || !list->count ? judge(r, outcome) : EXIT_FAILURE;
}

static void show_names(struct out *o, const struct device_list *list)
{
	for (size_t i = 0; i < list->count; ++i) {
		out_text(o, list->items[i].name);
		out_text(o, i + 1 < list->count ? " " : "\n");
	}
}

static int show_all(const struct request *r, struct out *o)
{
	struct device_list list;
	int code = 0;
	const int error = devices_list(DEVICES_DIR, &list);

	if (error)
		return wg_failed("Unable to list interfaces", error);
	if (strcmp(r->target, "all") == 0)
		code = show_listed(r, o, &list);
	else
		show_names(o, &list);
	devices_done(&list);
	return code;
}

static int show_one_drops(const struct request *r, struct out *o)
{
	struct diagnosis d;
	int error;

	diagnosis_init(&d);
	error = wg_device_diagnose(r->target, &d);
	if (error == -EOPNOTSUPP)
		fprintf(stderr,
			"%s: what runs this interface does not tell why it drops packets; "
			"warren's own engine does (warren run)\n",
			r->target);
	else if (error)
		(void)wg_failed("Unable to access interface", error);
	else if (r->is_json)
		show_drops_json(r->json, r->target, &d);
	else
		show_drops_text(o, r->target, &d, style_now().now);
	diagnosis_done(&d);
	return error ? EXIT_FAILURE : 0;
}

/* Of each in turn, as show does it; it is a failure where none tells. */
static int show_all_drops(const struct request *r, struct out *o)
{
	struct device_list list;
	bool has_shown = false;
	const int error = devices_list(DEVICES_DIR, &list);
	int code;

	if (error)
		return wg_failed("Unable to list interfaces", error);
	for (size_t i = 0; i < list.count; ++i) {
		struct request one = *r;

		one.target = list.items[i].name;
		if (i > 0 && has_shown)
			out_text(o, "\n");
		has_shown = show_one_drops(&one, o) == 0 || has_shown;
	}
	code = has_shown || list.count == 0 ? 0 : EXIT_FAILURE;
	devices_done(&list);
	return code;
}

static int show(const struct request *r, struct out *o)
{
	const bool is_names = strcmp(r->target, "interfaces") == 0;
	const bool is_all = is_names || strcmp(r->target, "all") == 0;
	int code;

	if (r->call->is_warren && !is_all && r->field && strcmp(r->field, "drops") == 0)
		return show_one_drops(r, o);
	if (r->call->is_warren && !r->is_json && strcmp(r->target, "all") == 0 && r->field &&
	    strcmp(r->field, "drops") == 0)
		return show_all_drops(r, o);
	if (r->is_json && (r->field || is_names))
		return wg_usage(r->call, &wg_show);
	if (r->is_json)
		show_json_begin(r->json);
	code = is_all ? show_all(r, o) : show_one(r, o);
	if (r->is_json)
		show_json_end(r->json);
	return code;
}

/* Where it stands among the words does not matter; it is taken out of them. */
static bool take_json(int *argc, char *argv[])
{
	const int given = *argc;
	int kept = 0;

	for (int i = 0; i < given; ++i)
		if (strcmp(argv[i], "--json") != 0)
			argv[kept++] = argv[i];
	*argc = kept;
	return kept < given;
}

static bool is_help(const char *word)
{
	return strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "help") == 0;
}

static int run(const struct wg_call *call)
{
	int argc = call->argc;
	struct request r = { .call = call,
			     .is_json = call->is_warren && take_json(&argc, call->argv) };
	struct out o;
	struct json_out json = { .out = &o };

	r.json = &json;
	if (argc == 2 && is_help(call->argv[1])) {
		(void)wg_usage(call, &wg_show);
		return 0;
	}
	r.target = argc > 1 ? call->argv[1] : "all";
	r.field = argc > 2 ? call->argv[2] : NULL;
	if (argc > 3 || (r.field && strcmp(r.target, "interfaces") == 0))
		return wg_usage(call, &wg_show);
	out_init(&o, STDOUT_FILENO);
	return out_end(&o, call->program, show(&r, &o));
}

const struct wg_verb wg_show = {
	.name = "show",
	.usage =
		"{ <interface> | all | interfaces } [public-key | private-key | listen-port | "
		"fwmark | "
		"peers | preshared-keys | endpoints | allowed-ips | latest-handshakes | transfer | "
		"persistent-keepalive | dump]",
	.more = "[--json] { <interface> | all | interfaces } [public-key | private-key | "
		"listen-port | "
		"fwmark | peers | preshared-keys | endpoints | allowed-ips | latest-handshakes | "
		"transfer | "
		"persistent-keepalive | dump | drops]",
	.purpose = "Shows the current configuration and device information",
	.run = run,
};
