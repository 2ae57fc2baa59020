#include "cli/tunnel_engine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/spawn.h"
#include "control/devices.h"
#include "control/uapi_client.h"
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

static int remove_socket(const char *link, struct diag *why)
{
	char path[PATH_MAX];
	int status = 0;

	(void)snprintf(path, sizeof(path), DEVICES_DIR "/%s.sock", link); /* fits: a link's name */
	if (unlink(path) < 0 && errno != ENOENT)
		status = -errno;
	if (status < 0)
		diag_set(why, DIAG_ERROR, "A14", 0, "%s cannot be removed: %s", path,
			 strerror(-status));
	return status;
}

/* A connection ends with the last process that could answer it: unlike a process id never stale. */
static bool wait_for_close(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	for (int waited = 0; waited < END_MS; waited += LAST_WAIT_US / 1000)
		if (poll(&p, 1, LAST_WAIT_US / 1000) > 0) /* a signal makes it shorter */
			return true;
	return false;
}

/* Engines end when their socket is removed, wherever their link has gone. */
static int end_by_socket(const char *link, struct diag *why)
{
	int fd, status;
	bool ended;

	if (uapi_client_connect(DEVICES_DIR, link, &fd) < 0)
		return has_socket(link) ? remove_socket(link, why) : 0;
	status = remove_socket(link, why);
	ended = status == 0 && wait_for_close(fd);
	close(fd);
	if (ended || status < 0)
		return status;
	diag_set(why, DIAG_ERROR, "A14", 0, "the engine of %s does not end: is it stopped?", link);
	diag_hint(why, "its socket is removed: it ends once it runs again (kill -CONT)");
	return -ETIMEDOUT;
}

int tunnel_engine_end(const char *link, struct diag *why)
{
	/* Who may remove nothing may still find that there is nothing. */
	const bool there = if_nametoindex(link) != 0;
	const int status = there ? route_link_remove(link) : 0;

	if (status < 0) {
		diag_set(why, DIAG_ERROR, "A14", 0, "%s cannot be removed: %s", link,
			 strerror(-status));
		return status;
	}
	return there && wait_for_end(link) ? 0 : end_by_socket(link, why);
}
