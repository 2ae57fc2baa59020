#include "device/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "device/filter.h"

static void complain(const char *what, int error)
{
	log_line(LOG_WARN, "the engine keeps more rights than it needs: %s: %s", what,
		 strerrordesc_np(error));
}

/* FNV-1a, folded to 24 bits. */
static uint32_t hash_name(const char *name)
{
	uint32_t h = 2166136261U;

	for (; *name; ++name)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return (h >> 24 ^ h) & 0xffffff;
}

/* Not getpwnam: that would run the modules of the host's user data base in a process of root. */
struct sandbox_user sandbox_user(const char *interface)
{
	const uid_t number = SANDBOX_UID + hash_name(interface);
	struct sandbox_user user = { .uid = number, .gid = number };
	FILE *const f = fopen("/etc/passwd", "re");
	const struct passwd *p;

	if (!f)
		return user;
	while ((p = fgetpwent(f)))
		if (strcmp(p->pw_name, "warren") == 0 && p->pw_uid && p->pw_gid) {
			user = (struct sandbox_user){ .uid = p->pw_uid, .gid = p->pw_gid };
			break;
		}
	(void)fclose(f); /* only read */
	return user;
}

static bool is_kept(unsigned int fd, const int *fds, size_t count)
{
	for (size_t i = 0; i < count; ++i)
		if (fds[i] >= 0 && (unsigned int)fds[i] == fd)
			return true;
	return false;
}

void sandbox_keep(const int *fds, size_t count)
{
	unsigned int first = STDERR_FILENO + 1;
	unsigned int last = first;

	for (size_t i = 0; i < count; ++i)
		if (fds[i] >= 0 && (unsigned int)fds[i] >= last)
			last = (unsigned int)fds[i] + 1;
	for (; first < last; ++first)
		if (!is_kept(first, fds, count))
			close((int)first);
	(void)close_range(last, ~0U, 0); /* a kernel without it: what is there is O_CLOEXEC */
}

void sandbox_tie(pid_t monitor)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		complain("outliving its monitor", errno);
	if (getppid() != monitor)
		_exit(EXIT_FAILURE);
}

static void limit_descriptors(void)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) < 0)
		return;
	if (now.rlim_max > SANDBOX_FDS)
		now.rlim_max = SANDBOX_FDS;
	if (now.rlim_cur > now.rlim_max)
		now.rlim_cur = now.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &now) < 0)
		complain("limit of descriptors", errno);
}

/* A directory that is removed already: nothing is in it, and nothing can be made there. */
static int open_empty(void)
{
	static const char *const places[] = { "/run/warren-XXXXXX", "/tmp/warren-XXXXXX",
					      "/dev/shm/warren-XXXXXX" };
	char path[32];
	int fd;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); ++i) {
		strcpy(path, places[i]);
		if (!mkdtemp(path))
			continue;
		fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		(void)rmdir(path); /* left behind at worst, empty */
		if (fd >= 0)
			return fd;
	}
	return -errno;
}

static void leave_files(void)
{
	const int fd = open_empty();

	if (fd < 0) {
		complain("files", -fd);
		return;
	}
	if (fchdir(fd) < 0 || chroot(".") < 0)
		complain("files", errno);
	close(fd);
}

static bool become(uid_t uid, gid_t gid)
{
	return setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0;
}

static void leave_user(const struct sandbox_user *user)
{
	if (setgroups(0, NULL) < 0)
		complain("groups", errno);
	if (become(user->uid, user->gid))
		return;
	complain("user", errno);
	(void)become(SANDBOX_NOBODY, SANDBOX_NOBODY); /* a namespace may map that one */
}

static void leave_bounds(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		complain("bounding set", EPERM);
}

static void leave_capabilities(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) < 0)
		complain("capabilities", EPERM);
}

static void *do_nothing(void *ctx)
{
	return ctx;
}

/* With its first thread the C library makes calls that it never makes again. */
static void warm_threads(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, do_nothing, NULL) == 0)
		(void)pthread_join(thread, NULL); /* made above, joined once */
}

void sandbox_enter(const struct sandbox_user *user, pid_t monitor)
{
	int error;

	warm_threads();
	limit_descriptors();
	leave_files();
	leave_bounds();
	leave_user(user);
	leave_capabilities();
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) /* the change of uid has undone both */
		complain("being looked into", errno);
	sandbox_tie(monitor);
	error = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : filter_install();
	if (error)
		complain("system calls", -error);
}
