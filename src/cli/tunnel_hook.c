#include "cli/tunnel_hook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spawn.h"
#include "cli/check_run.h"

const char *tunnel_hook_name(enum tunnel_hook hook)
{
	static const char *const names[TUNNEL_HOOKS] = {
		[TUNNEL_PRE_UP] = "PreUp",
		[TUNNEL_POST_UP] = "PostUp",
		[TUNNEL_PRE_DOWN] = "PreDown",
		[TUNNEL_POST_DOWN] = "PostDown",
	};

	return names[hook];
}

static void explain(const struct step *s, int status, int code, struct diag *why)
{
	char text[96];

	(void)snprintf(text, sizeof(text), "%s", s->text);
	check_disarm(text, strlen(text));
	if (status < 0)
		diag_set(why, DIAG_ERROR, "A13", 0, "%s `%s' cannot be run: %s",
			 tunnel_hook_name(s->hook), text,
			 status == -ENOENT ? "there is neither bash nor sh" : strerror(-status));
	else if (code > 128)
		diag_set(why, DIAG_ERROR, "A13", 0, "%s `%s' was killed by signal %d",
			 tunnel_hook_name(s->hook), text, code - 128);
	else if (code)
		diag_set(why, DIAG_ERROR, "A13", 0, "%s `%s' failed with exit code %d",
			 tunnel_hook_name(s->hook), text, code);
}

int tunnel_hook_run(const struct step *s, const char *link, const char *file, struct diag *why)
{
	const char *const bash[] = { "bash", "-e",          "-o", "pipefail", "-O", "extglob",
				     "-O",   "nocasematch", "-c", s->text,    NULL };
	const char *const sh[] = { "sh", "-e", "-c", s->text, NULL };
	char interface[32], *config = NULL, path[SPAWN_NAME];
	const char *env[3] = { interface };
	struct spawn how = { .env = env, .share_streams = true };
	struct spawn_result r;
	int status;

	(void)snprintf(interface, sizeof(interface), "INTERFACE=%s", link);
	if (file && asprintf(&config, "CONFIG_FILE=%s", file) < 0)
		return -ENOMEM;
	env[1] = config;
	how.argv = spawn_find("bash", path) ? bash : sh;
	status = spawn_run(&how, &r);
	explain(s, status, r.code, why);
	status = status < 0 ? status : r.code;
	spawn_result_done(&r);
	free(config);
	return status;
}
