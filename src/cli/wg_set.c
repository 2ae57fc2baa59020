#include <stdio.h>

#include "cli/set_args.h"
#include "cli/wg.h"
#include "cli/wg_device.h"

static void say(void *ctx, size_t at, const char *words, const char *hint)
{
	(void)ctx;
	(void)at;
	(void)hint;
	fprintf(stderr, "%s\n", words);
}

/* The place as people count words: set is the first, the interface the second. */
static void say_more(void *ctx, size_t at, const char *words, const char *hint)
{
	const struct set_args *s = ctx;

	(void)at;
	fprintf(stderr, "warren: word %zu: %s%s%s\n", s->at + 3, words, hint ? "; " : "",
		hint ? hint : "");
}

static int run(const struct wg_call *call)
{
	struct set_args args;
	struct model patch;
	int code = 1;

	if (call->argc < 3)
		return wg_usage(call, &wg_set);
	set_args_init(&args);
	args.settings.say = call->is_warren ? say_more : say;
	args.settings.ctx = &args;
	model_init(&patch);
	if (set_args_parse(&args, call->argc - 2, call->argv + 2, &patch))
		code = wg_device_set(call->argv[1], &patch, call->is_warren);
	model_done(&patch);
	return code;
}

const struct wg_verb wg_set = {
	.name = "set",
	.usage = "<interface> [listen-port <port>] [fwmark <mark>] [private-key <file path>] [peer "
		 "<base64 public key> [remove] [preshared-key <file path>] [endpoint <ip>:<port>] "
		 "[persistent-keepalive <interval seconds>] [allowed-ips "
		 "[+|-]<ip1>/<cidr1>[,[+|-]<ip2>/<cidr2>]...] ]...",
	.purpose = "Change the current configuration, add peers, remove peers, or change peers",
	.run = run,
};
