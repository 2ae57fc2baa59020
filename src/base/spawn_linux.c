#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/write_all.h"

enum { ENV_MAX = 32, PIECE = 16 * 1024 };

/* What runs, and our ends of its streams; -1: none. */
struct child {
	pid_t pid;
	int pidfd; /* -1: this kernel has none, and we wait for the ends of the streams */
	int output;
	int errors;
	long long deadline; /* ms of the monotonic clock; 0: none */
	size_t output_max;
};

static int held = -1;

void spawn_hold(int fd)
{
	held = fd;
}

/* The file to run */

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

bool spawn_find(const char *program, char ret[static SPAWN_NAME])
{
	char path[SPAWN_NAME];
	int len;

	if (strchr(program, '/')) {
		if (program[0] != '/' || strlen(program) >= SPAWN_NAME || !is_program(program))
			return false;
		memcpy(ret, program, strlen(program) + 1);
		return true;
	}
	for (const char *at = SPAWN_PATH, *end; *at; at = *end ? end + 1 : end) {
		end = strchrnul(at, ':');
		len = snprintf(path, sizeof(path), "%.*s/%s", (int)(end - at), at, program);
		if (*program && len > 0 && len < SPAWN_NAME && is_program(path)) {
			memcpy(ret, path, (size_t)len + 1);
			return true;
		}
	}
	return false;
}

/* Its streams */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* A file, not a pipe: it takes all at once, and a reader that goes away early kills nobody. */
static int open_input(const struct spawn *s)
{
	int fd, status;

	if (!s->input)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	status = write_all(fd, s->input, s->input_len);
	if (status == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	if (status == 0)
		status = -errno;
	close(fd);
	errno = -status;
	return -1;
}

/* fds: input, and the two pipes of output and errors, ours first. */
static int open_streams(const struct spawn *s, int fds[static 5])
{
	for (int i = 0; i < 5; ++i)
		fds[i] = -1;
	if (s->share_streams)
		return 0;
	fds[0] = open_input(s);
	if (fds[0] < 0 || pipe2(fds + 1, O_CLOEXEC) < 0 || pipe2(fds + 3, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* Its start */

static int add_streams(posix_spawn_file_actions_t *a, const int fds[static 5])
{
	int status = posix_spawn_file_actions_adddup2(a, fds[0], STDIN_FILENO);

	if (!status)
		status = posix_spawn_file_actions_adddup2(a, fds[2], STDOUT_FILENO);
	return status ? status : posix_spawn_file_actions_adddup2(a, fds[4], STDERR_FILENO);
}

static int set_attributes(posix_spawnattr_t *a, const struct spawn *s)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int status;

	(void)sigemptyset(&none); /* these two cannot fail */
	(void)sigfillset(&all);
	if (!s->share_streams)
		flags |= POSIX_SPAWN_SETPGROUP;
	status = posix_spawnattr_setsigmask(a, &none);
	if (!status)
		status = posix_spawnattr_setsigdefault(a, &all);
	return status ? status : posix_spawnattr_setflags(a, flags);
}

/* posix_spawn takes pointers to what it does not change. */
static int begin(const struct spawn *s, const char *path, const int fds[static 5], pid_t *ret)
{
	const char *env[ENV_MAX] = { "PATH=" SPAWN_PATH, "HOME=/root", "LC_ALL=C" };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	size_t count = 3;
	int status;

	for (size_t i = 0; s->env && s->env[i] && count + 1 < ELEMENTS(env); ++i)
		env[count++] = s->env[i];
	status = posix_spawn_file_actions_init(&actions);
	if (status)
		return -status;
	status = posix_spawnattr_init(&attributes);
	if (status)
		goto out_actions;
	status = s->share_streams ? 0 : add_streams(&actions, fds);
	if (!status && held >= 0)
		status = posix_spawn_file_actions_adddup2(&actions, held, SPAWN_HELD);
	if (!status)
		status = posix_spawn_file_actions_addclosefrom_np(&actions,
								  SPAWN_HELD + (held >= 0));
	if (!status)
		status = set_attributes(&attributes, s);
	if (!status)
		status = posix_spawn(ret, path, &actions, &attributes,
				     (char *const *)(uintptr_t)s->argv,
				     (char *const *)(uintptr_t)env);
	(void)posix_spawnattr_destroy(&attributes); /* only frees */
out_actions:
	(void)posix_spawn_file_actions_destroy(&actions);
	return -status;
}

/* Its life and end */

static long long now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* this clock is always there */
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int time_left(const struct child *c)
{
	const long long left = c->deadline - now_ms();

	if (!c->deadline)
		return -1;
	return left > 0 ? (int)left : 0;
}

/* One read, from a stream that has something or has ended. More than max is dropped: -EFBIG. */
static int take(int *fd, struct buffer *to, size_t max)
{
	char piece[PIECE];
	const ssize_t n = read(*fd, piece, sizeof(piece));
	const size_t room = max - to->len;

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0)
		close_fd(fd);
	else
		buffer_append(to, piece, (size_t)n < room ? (size_t)n : room);
	if (!buffer_ok(to))
		return -ENOMEM;
	return n > 0 && (size_t)n > room ? -EFBIG : 0;
}

static int take_ready(struct child *c, const struct pollfd ready[static 2], struct spawn_result *r)
{
	int status = 0;

	if (ready[0].revents)
		status = take(&c->output, &r->output, c->output_max);
	if (status == 0 && ready[1].revents)
		status = take(&c->errors, &r->errors, SPAWN_ERRORS);
	else
		return status;
	return status == -EFBIG ? 0 : status; /* enough of errors */
}

/* Until it has ended and its streams are empty: what it left in the background may hold them
 * open. */
static int listen_to(struct child *c, struct spawn_result *r)
{
	bool ended = false;
	int n, status = 0;

	while (status == 0 && (c->output >= 0 || c->errors >= 0 || (c->pidfd >= 0 && !ended))) {
		struct pollfd p[] = {
			{ .fd = c->output, .events = POLLIN },
			{ .fd = c->errors, .events = POLLIN },
			{ .fd = ended ? -1 : c->pidfd, .events = POLLIN },
		};

		n = poll(p, ELEMENTS(p), ended ? 0 : time_left(c));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			return ended ? 0 : -ETIMEDOUT;
		if (n > 0)
			status = take_ready(c, p, r);
		ended = ended || (n > 0 && p[2].revents);
	}
	return status;
}

static int end(const struct child *c, int status, bool has_group, int *ret_code)
{
	int how = 0;

	if (status < 0)
		(void)kill(has_group ? -c->pid : c->pid, SIGKILL); /* gone is as good */
	while (waitpid(c->pid, &how, 0) < 0)
		if (errno != EINTR)
			return -errno;
	*ret_code = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
	return status;
}

static int run(const struct spawn *s, const char *path, int fds[static 5], struct spawn_result *ret)
{
	struct child c = {
		.output_max = s->output_max ? s->output_max : SPAWN_OUTPUT,
		.deadline = s->timeout_ms ? now_ms() + s->timeout_ms : 0,
	};
	int status = begin(s, path, fds, &c.pid);

	if (status < 0)
		return status;
	close_fd(&fds[2]);
	close_fd(&fds[4]);
	c.output = fds[1];
	c.errors = fds[3];
	fds[1] = fds[3] = -1;
	c.pidfd = (int)syscall(SYS_pidfd_open, c.pid, 0);
	status = end(&c, listen_to(&c, ret), !s->share_streams, &ret->code);
	close_fd(&c.output);
	close_fd(&c.errors);
	close_fd(&c.pidfd);
	return status;
}

int spawn_run(const struct spawn *s, struct spawn_result *ret)
{
	char path[SPAWN_NAME];
	int fds[5];
	int status;

	ret->code = 0;
	buffer_init(&ret->output);
	buffer_init(&ret->errors);
	if (!spawn_find(s->program ? s->program : s->argv[0], path))
		return -ENOENT;
	status = open_streams(s, fds);
	if (status == 0)
		status = run(s, path, fds, ret);
	for (size_t i = 0; i < ELEMENTS(fds); ++i)
		close_fd(&fds[i]);
	return status;
}

void spawn_result_done(struct spawn_result *r)
{
	buffer_done(&r->output);
	buffer_done(&r->errors);
}

void spawn_first_error(const struct spawn_result *r, char *ret, size_t room)
{
	size_t at = 0, len = 0;

	while (at < r->errors.len && (r->errors.bytes[at] == '\n' || r->errors.bytes[at] == ' '))
		++at;
	for (; at < r->errors.len && r->errors.bytes[at] != '\n' && len + 1 < room; ++at) {
		const char c = r->errors.bytes[at];

		ret[len++] = c >= ' ' && c <= '~' ? c : '?';
	}
	ret[len] = 0;
}
