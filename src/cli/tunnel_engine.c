#include "cli/tunnel_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/spawn.h"
#include "control/devices.h"
#include "net/route.h"

enum { START_MS = 60000, END_MS = 5000, ENV_MAX = 24, FIRST_WAIT_US = 1000, LAST_WAIT_US = 50000 };

extern char **environ;

const char *tunnel_engine_program(void)
{
	const char *named = getenv("WG_QUICK_USERSPACE_IMPLEMENTATION");

	return named && named[0] ? named : TUNNEL_ENGINE_OWN;
}

/* What an engine may be told through its environment. */
static bool is_for_engines(const char *variable)
{
	return strncmp(variable, "LOG_LEVEL=", 10) == 0 || strncmp(variable, "WG_", 3) == 0 ||
	       strncmp(variable, "WARREN_", 7) == 0;
}

/* This very program, by a name that processes are listed under, while it is still there. */
static const char *find_self(char ret[static PATH_MAX])
{
	static const char link[] = "/proc/self/exe";
	const ssize_t len = readlink(link, ret, PATH_MAX - 1);
	struct stat named, running;

	if (len <= 0)
		return link;
	ret[len] = '\0';
	if (len < SPAWN_NAME && stat(ret, &named) == 0 && stat(link, &running) == 0 &&
	    named.st_ino == running.st_ino && named.st_dev == running.st_dev)
		return ret;
	return link;
}

/* Who may name a program may say where it is: PATH counts too, as with wg-quick. */
static const char *find_in_path(const char *program, char ret[static SPAWN_NAME])
{
	const char *list = getenv("PATH");
	char path[SPAWN_NAME];

	if (strchr(program, '/') || spawn_find(program, ret))
		return NULL;
	for (size_t len = 0; list && *list; list += len + (list[len] == ':')) {
		len = strcspn(list, ":");
		if (snprintf(path, sizeof(path), "%.*s/%s", (int)len, list, program) <
			    (int)sizeof(path) &&
		    spawn_find(path, ret))
			return ret;
	}
	return NULL;
}

static void explain(const char *program, int status, int code, struct diag *why)
{
	if (status == -ENOENT) {
		diag_set(why, DIAG_ERROR, "A2", 0, "there is no program `%.60s'", program);
		diag_hint(why, "WG_QUICK_USERSPACE_IMPLEMENTATION names it; without that Warren's "
			       "own engine is taken");
	} else if (status == -ETIMEDOUT) {
		diag_set(why, DIAG_ERROR, "A2", 0, "`%.60s' did not start within %d seconds",
			 program, START_MS / 1000);
	} else if (status < 0) {
		diag_set(why, DIAG_ERROR, "A2", 0, "`%.60s' cannot be started: %s", program,
			 strerror(-status));
	} else {
		diag_set(why, DIAG_ERROR, "A2", 0,
			 "`%.60s' could not make the device: exit code %d", program, code);
		diag_hint(why, "what it said stands above");
	}
}

int tunnel_engine_start(const char *program, const char *link, struct diag *why)
{
	const bool own = strcmp(program, TUNNEL_ENGINE_OWN) == 0;
	const char *const run[] = { "warren", "run", link, NULL };
	const char *const other[] = { program, link, NULL };
	const char *env[ENV_MAX + 1] = { NULL };
	struct spawn how = {
		.argv = own ? run : other, .env = env, .timeout_ms = START_MS, .share_streams = true
	};
	struct spawn_result r;
	char self[PATH_MAX], found[SPAWN_NAME];
	size_t count = 0;
	int status;

	for (char **at = environ; *at && count < ENV_MAX - 1; ++at)
		if (is_for_engines(*at) && strncmp(*at, "WARREN_LOCK_FD=", 15) != 0)
			env[count++] = *at;
	if (own) {
		how.program = find_self(self);
		env[count++] = "WARREN_LOCK_FD=3"; /* SPAWN_HELD */
	} else {
		how.program = find_in_path(program, found);
	}
	status = spawn_run(&how, &r);
	if (status < 0 || r.code)
		explain(program, status, r.code, why);
	if (status == 0 && r.code)
		status = -ECANCELED;
	spawn_result_done(&r);
	return status;
}

/* The process behind a socket that takes connections; 0: there is none. */
static pid_t find_engine(const char *link)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);

	(void)snprintf(to.sun_path, sizeof(to.sun_path), DEVICES_DIR "/%s.sock", link);
	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		who.pid = 0;
	close(fd);
	return who.pid;
}

static bool has_socket(const char *link)
{
	struct device d;

	device_init(&d, DEVICES_DIR, link);
	return device_kind(&d) == DEVICE_USERSPACE; /* and takes a dead one away */
}

static bool wait_for_end(const char *link)
{
	useconds_t wait = FIRST_WAIT_US, waited = 0;

	while (has_socket(link)) {
		if (waited > END_MS * 1000)
			return false;
		(void)usleep(wait); /* a signal makes it shorter */
		waited += wait;
		wait = wait * 2 < LAST_WAIT_US ? wait * 2 : LAST_WAIT_US;
	}
	return true;
}

int tunnel_engine_end(const char *link, struct diag *why)
{
	const pid_t engine = find_engine(link);
	/* Who may remove nothing may still find that there is nothing. */
	const int status = if_nametoindex(link) ? route_link_remove(link) : 0;

	if (status < 0) {
		diag_set(why, DIAG_ERROR, "A14", 0, "%s cannot be removed: %s", link,
			 strerror(-status));
		return status;
	}
	if (wait_for_end(link))
		return 0;
	if (engine > 0)
		(void)kill(engine, SIGTERM); /* it may be gone by now */
	if (wait_for_end(link))
		return 0;
	diag_set(why, DIAG_ERROR, "A14", 0, "the engine of %s, process %d, does not end", link,
		 (int)engine);
	return -ETIMEDOUT;
}
