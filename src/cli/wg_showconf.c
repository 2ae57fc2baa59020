#include <errno.h>
#include <unistd.h>

#include "cli/show_fields.h"
#include "cli/wg.h"
#include "cli/wg_device.h"

static int print(const struct wg_call *call, const struct model *m)
{
	struct show_view view;
	struct out o;

	if (!show_view_init(&view, call->argv[1], m))
		return wg_failed("Unable to access interface", -ENOMEM);
	out_init(&o, STDOUT_FILENO);
	show_config(&o, &view);
	return out_end(&o, call->program, 0);
}

static int run(const struct wg_call *call)
{
	struct model m;
	int error, code;

	if (call->argc != 2)
		return wg_usage(call, &wg_showconf);
	model_init(&m);
	error = wg_device_get(call->argv[1], &m);
	code = error ? wg_failed("Unable to access interface", error) : print(call, &m);
	model_done(&m);
	return code;
}

const struct wg_verb wg_showconf = {
	.name = "showconf",
	.usage = "<interface>",
	.purpose = "Shows the current configuration of a given WireGuard interface, for use with "
		   "`setconf'",
	.run = run,
};
