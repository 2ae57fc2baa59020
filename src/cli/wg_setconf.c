#include <stdio.h>
#include <stdlib.h>

#include "cli/conf_patch.h"
#include "cli/wg.h"
#include "cli/wg_device.h"
#include "model/sync.h"

/* What the three verbs differ in. */
enum mode { REPLACE, APPEND, SYNC };

static void say(void *ctx, size_t at, const char *words, const char *hint)
{
	(void)ctx;
	(void)at;
	(void)hint;
	fprintf(stderr, "%s\n", words);
}

static void say_more(void *ctx, size_t at, const char *words, const char *hint)
{
	const struct conf_patch *c = ctx;

	fprintf(stderr, "%s:%zu:%zu: %s%s%s\n", c->file->path, c->line + 1,
		conf_patch_column(c, at), words, hint ? "; " : "", hint ? hint : "");
}

static int read_patch(const struct wg_call *call, const struct config_file *f, enum mode mode,
		      struct model *ret)
{
	struct conf_patch c;

	conf_patch_init(&c, f);
	c.settings.say = call->is_warren ? say_more : say;
	c.settings.ctx = &c;
	return conf_patch_tell(conf_patch_read(&c, mode == APPEND, ret));
}

/* A file without peers needs no look at the device: all of them go. */
static int sync_with_device(const char *name, struct model *patch)
{
	struct model running;
	int error, code = 0;

	if (!patch->peer_count)
		return 0;
	model_init(&running);
	error = wg_device_get(name, &running);
	if (error) {
		code = wg_failed("Unable to retrieve current interface configuration", error);
	} else if (!model_sync(patch, &running)) {
		fputs("Out of memory\n", stderr);
		code = EXIT_FAILURE;
	}
	model_done(&running);
	return code;
}

static int apply(const struct wg_call *call, const struct config_file *f, enum mode mode)
{
	const char *name = call->argv[1];
	struct model patch;
	int code;

	model_init(&patch);
	code = read_patch(call, f, mode, &patch);
	if (!code && mode == SYNC)
		code = sync_with_device(name, &patch);
	if (!code)
		code = wg_device_set(name, &patch, call->is_warren);
	model_done(&patch);
	return code;
}

static int load_and_apply(const struct wg_call *call, const struct wg_verb *verb, enum mode mode)
{
	struct config_file f;
	int error, code;

	if (call->argc != 3)
		return wg_usage(call, verb);
	error = file_load(&f, call->argv[2]);
	if (error)
		return wg_failed("fopen", error);
	code = apply(call, &f, mode);
	file_done(&f);
	return code;
}

static int run_setconf(const struct wg_call *call)
{
	return load_and_apply(call, &wg_setconf, REPLACE);
}

static int run_addconf(const struct wg_call *call)
{
	return load_and_apply(call, &wg_addconf, APPEND);
}

static int run_syncconf(const struct wg_call *call)
{
	return load_and_apply(call, &wg_syncconf, SYNC);
}

const struct wg_verb wg_setconf = {
	.name = "setconf",
	.usage = "<interface> <configuration filename>",
	.purpose = "Applies a configuration file to a WireGuard interface",
	.run = run_setconf,
};

const struct wg_verb wg_addconf = {
	.name = "addconf",
	.usage = "<interface> <configuration filename>",
	.purpose = "Appends a configuration file to a WireGuard interface",
	.run = run_addconf,
};

const struct wg_verb wg_syncconf = {
	.name = "syncconf",
	.usage = "<interface> <configuration filename>",
	.purpose = "Synchronizes a configuration file to a WireGuard interface",
	.run = run_syncconf,
};
