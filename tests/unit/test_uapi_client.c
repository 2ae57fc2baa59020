#include "control/uapi_client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "control/devices.h"
#include "control/uapi.h"

#define KEY "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"

/* One end of a connection, and how badly it behaves. */
struct daemon {
	const char *answer;
	size_t reads; /* stop reading after so many bytes; 0: at the blank line */
	bool drips;   /* byte by byte */
	bool hasty;   /* answers before it reads */
	int late;     /* reads only after so many milliseconds */
	int fd;
	struct buffer heard;
	pthread_t thread;
};

static bool is_over(const struct daemon *d)
{
	if (d->reads)
		return d->heard.len >= d->reads;
	return d->heard.len >= 2 && memcmp(d->heard.bytes + d->heard.len - 2, "\n\n", 2) == 0;
}

static void hear(struct daemon *d)
{
	char piece[4096];
	ssize_t len;

	while (!is_over(d)) {
		len = recv(d->fd, piece, d->reads ? 1 : sizeof(piece), 0);
		if (len <= 0)
			return;
		buffer_append(&d->heard, piece, (size_t)len);
	}
}

static void say(const struct daemon *d)
{
	const size_t len = strlen(d->answer), step = d->drips ? 1 : len;

	for (size_t at = 0; at < len; at += step)
		if (send(d->fd, d->answer + at, step, MSG_NOSIGNAL) < 0)
			return;
}

static void *serve(void *ctx)
{
	struct daemon *d = ctx;

	if (d->hasty)
		say(d);
	(void)poll(NULL, 0, d->late);
	hear(d);
	if (!d->hasty)
		say(d);
	close(d->fd);
	return NULL;
}

/* The client's end. */
static int daemon_start(struct daemon *d)
{
	int ends[2];

	buffer_init(&d->heard);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	d->fd = ends[1];
	assert_int_equal(pthread_create(&d->thread, NULL, serve, d), 0);
	return ends[0];
}

static void daemon_join(struct daemon *d, int fd, const char *heard)
{
	close(fd);
	assert_int_equal(pthread_join(d->thread, NULL), 0);
	assert_true(buffer_ok(&d->heard));
	if (heard) {
		assert_int_equal(d->heard.len, strlen(heard));
		assert_memory_equal(d->heard.bytes, heard, d->heard.len);
	}
	buffer_done(&d->heard);
}

static const struct {
	const char *name;
	struct daemon daemon;
	int get, set, diagnose; /* what a call of each returns */
} behaviours[] = {
	{ "well behaved", { .answer = "errno=0\n\n" }, 0, 0, 0 },
	{ "slow", { .answer = "errno=0\n\n", .drips = true }, 0, 0, 0 },
	{ "hasty", { .answer = "errno=0\n\n", .hasty = true }, 0, 0, 0 },
	{ "talks on", { .answer = "errno=0\n\nlisten_port=junk\n\n" }, 0, 0, 0 },
	{ "negative", { .answer = "errno=-98\n\n" }, -EPROTO, -EADDRINUSE, -EPROTO },
	{ "positive", { .answer = "errno=98\n\n" }, -EADDRINUSE, 98, -EADDRINUSE },
	{ "silent", { .answer = "" }, -EPROTO, -EPROTO, -EOPNOTSUPP },
	{ "hangs up at once", { .answer = "", .reads = 1 }, -EPROTO, -EPROTO, -EOPNOTSUPP },
	{ "ends in a line", { .answer = "errno=0" }, -EPROTO, -EPROTO, -EPROTO },
	{ "ends without a blank line", { .answer = "errno=0\n" }, -EPROTO, -EPROTO, -EPROTO },
	{ "says why and hangs up",
	  { .answer = "errno=-22\n\n", .reads = 1 },
	  -EPROTO,
	  -EINVAL,
	  -EPROTO },
	{ "agrees before it read all", { .answer = "errno=0\n\n", .reads = 1 }, 0, 0, 0 },
	{ "no protocol of ours",
	  { .answer = "HTTP/1.1 400 Bad Request\r\n\r\n" },
	  -EPROTO,
	  -EPROTO,
	  -EPROTO },
};

static void get_of_every_behaviour(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(behaviours); ++i) {
		struct daemon d = behaviours[i].daemon;
		const int fd = daemon_start(&d);
		struct model m;
		int error;

		model_init(&m);
		error = uapi_client_get(fd, &m);
		if (error != behaviours[i].get)
			fail_msg("%s: %d", behaviours[i].name, error);
		daemon_join(&d, fd, d.reads ? NULL : "get=1\n\n");
		model_done(&m);
	}
}

static void set_of_every_behaviour(void **state)
{
	const struct model patch = { .listen_port = 7, .has_listen_port = true };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(behaviours); ++i) {
		struct daemon d = behaviours[i].daemon;
		const int fd = daemon_start(&d);
		const int error = uapi_client_set(fd, &patch);

		if (error != behaviours[i].set)
			fail_msg("%s: %d", behaviours[i].name, error);
		daemon_join(&d, fd, d.reads ? NULL : "set=1\nlisten_port=7\n\n");
	}
}

static void diagnose_of_every_behaviour(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(behaviours); ++i) {
		struct daemon d = behaviours[i].daemon;
		const int fd = daemon_start(&d);
		struct diagnosis got;
		int error;

		diagnosis_init(&got);
		error = uapi_client_diagnose(fd, &got);
		if (error != behaviours[i].diagnose)
			fail_msg("%s: %d", behaviours[i].name, error);
		daemon_join(&d, fd, d.reads ? NULL : "diagnose=1\n\n");
		diagnosis_done(&got);
	}
}

static void failed_get_leaves_nothing(void **state)
{
	struct daemon d = { .answer = "private_key=" KEY "\npublic_key=" KEY
				      "\nallowed_ip=::/0\nerrno=5\n\n" };
	const int fd = daemon_start(&d);
	struct model m;

	(void)state;
	model_init(&m);
	assert_int_equal(uapi_client_get(fd, &m), -EIO);
	daemon_join(&d, fd, NULL);
	assert_int_equal(m.peer_count, 0);
	assert_false(m.has_private_key);
	model_done(&m);
}

/* A patch of many pieces; KEY is in each of its peers. */
static void make_patch(struct model *m, size_t peers)
{
	struct prefix p = { .ip = { .family = FAMILY_V4 }, .bits = 32 };

	model_init(m);
	m->replace_peers = true;
	for (size_t i = 0; i < peers; ++i) {
		struct model_peer *peer = model_add_peer(m);

		assert_non_null(peer);
		store64_le(peer->public_key.bytes, i);
		peer->replace_allowed = true;
		store32_be(p.ip.bytes, (uint32_t)i);
		assert_true(model_add_allowed(peer, &p, false));
	}
}

static void big_set_arrives_whole(void **state)
{
	struct daemon d = { .answer = "errno=0\n\n" };
	const int fd = daemon_start(&d);
	struct buffer want;
	struct model patch;

	(void)state;
	make_patch(&patch, 20000);
	buffer_init(&want);
	uapi_write_patch(&want, &patch);
	buffer_append(&want, "", 1);
	assert_true(buffer_ok(&want));
	assert_int_equal(uapi_client_set(fd, &patch), 0);
	daemon_join(&d, fd, want.bytes);
	buffer_done(&want);
	model_done(&patch);
}

/* It refuses the first line and hangs up while most of the request is still to come. */
static void big_set_refused_early(void **state)
{
	static const struct {
		const char *answer;
		int error;
	} rows[] = {
		{ "errno=-22\n\n", -EINVAL },
		{ "errno=22\n\n", 22 },
		{ "errno=0\n\n", -EPROTO }, /* it can't have read it */
		{ "", -EPROTO },
	};
	struct model patch;

	(void)state;
	make_patch(&patch, 20000);
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct daemon d = { .answer = rows[i].answer, .reads = 6 };
		const int fd = daemon_start(&d);

		assert_int_equal(uapi_client_set(fd, &patch), rows[i].error);
		daemon_join(&d, fd, NULL);
	}
	model_done(&patch);
}

/* It talks on; we listen no longer than a line may be. */
static void endless_line_ends_at_a_bound(void **state)
{
	char *line = calloc(1, 8 * UAPI_LINE_MAX);
	struct daemon d = { .answer = line };
	struct model m;
	int fd;

	(void)state;
	assert_non_null(line);
	memset(line, 'x', 8 * UAPI_LINE_MAX - 1);
	fd = daemon_start(&d);
	model_init(&m);
	assert_int_equal(uapi_client_get(fd, &m), -EPROTO);
	daemon_join(&d, fd, NULL);
	model_done(&m);
	free(line);
}

static void on_alarm(int number)
{
	(void)number;
}

struct storm {
	pthread_t victim;
	volatile bool over;
};

static void *storm_run(void *ctx)
{
	const struct storm *s = ctx;

	while (!s->over) {
		(void)pthread_kill(s->victim, SIGUSR1);
		(void)poll(NULL, 0, 1);
	}
	return NULL;
}

/* Signals without SA_RESTART, all the time. */
static void signals_are_waited_out(void **state)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	struct storm storm = { .victim = pthread_self() };
	struct sigaction before;
	struct model patch;
	pthread_t thread;

	(void)state;
	make_patch(&patch, 5000);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	assert_int_equal(pthread_create(&thread, NULL, storm_run, &storm), 0);
	for (int i = 0; i < 5; ++i) {
		struct daemon d = { .answer = "errno=0\n\n", .drips = true, .late = 20 };
		const int fd = daemon_start(&d);
		const int error = uapi_client_set(fd, &patch);

		assert_int_equal(error, 0);
		daemon_join(&d, fd, NULL);
	}
	storm.over = true;
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	model_done(&patch);
}

/* A directory with all that may lie there. */
struct place {
	char dir[64];
	int listener;
};

static void path_of(const struct place *p, const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	assert_true((size_t)snprintf(ret->sun_path, sizeof(ret->sun_path), "%s/%s", p->dir, name) <
		    sizeof(ret->sun_path));
}

static int bind_at(const struct place *p, const char *name)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;

	path_of(p, name, &address);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct sockaddr_un path;
	int fd;

	assert_non_null(p);
	strcpy(p->dir, "/tmp/warren-devices-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	p->listener = bind_at(p, "live.sock");
	assert_int_equal(listen(p->listener, 16), 0);
	close(bind_at(p, "stale.sock"));
	path_of(p, "file.sock", &path);
	fd = open(path.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	path_of(p, "folder.sock", &path);
	assert_int_equal(mkdir(path.sun_path, 0700), 0);
	path_of(p, "fifo.sock", &path);
	assert_int_equal(mkfifo(path.sun_path, 0600), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;
	DIR *dir = opendir(p->dir);
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		if (unlinkat(dirfd(dir), e->d_name, 0) < 0)
			(void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	closedir(dir);
	close(p->listener);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static bool exists(const struct place *p, const char *name)
{
	struct sockaddr_un path;
	struct stat st;

	path_of(p, name, &path);
	return lstat(path.sun_path, &st) == 0;
}

static void connect_rows(void **state)
{
	const struct place *p = *state;
	char longest[200];
	const struct {
		const char *name;
		int error;
	} rows[] = {
		{ "live", 0 },        { "stale", -ECONNREFUSED },
		{ "stale", -ENOENT }, /* since just now */
		{ "none", -ENOENT },  { "file", -EBADF },
		{ "folder", -EBADF }, { "fifo", -EBADF },
		{ "", -ENOENT },      { "../x", -EINVAL },
		{ "live/", -EINVAL }, { longest, -EINVAL },
	};

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		int fd = -1;

		if (uapi_client_connect(p->dir, rows[i].name, &fd) != rows[i].error)
			fail_msg("%s", rows[i].name);
		assert_int_equal(fd >= 0, rows[i].error == 0);
		if (fd >= 0)
			close(fd);
	}
	assert_false(exists(p, "stale.sock"));
	assert_true(exists(p, "file.sock") && exists(p, "live.sock") && exists(p, "fifo.sock"));
}

/* Kernel devices of this machine may go before; the sockets are those of the folder. */
static void list_finds_served_sockets(void **state)
{
	const struct place *p = *state;
	struct device_list l;
	size_t sockets = 0;

	assert_int_equal(devices_list(p->dir, &l), 0);
	for (size_t i = 0; i < l.count; ++i) {
		if (l.items[i].kind == DEVICE_KERNEL) {
			assert_int_equal(sockets, 0);
			continue;
		}
		++sockets;
		assert_string_equal(l.items[i].name, "live");
	}
	assert_int_equal(sockets, 1);
	assert_false(exists(p, "stale.sock"));
	devices_done(&l);
	assert_int_equal(devices_list("/nonexistent", &l), 0);
	devices_done(&l);
	assert_int_equal(devices_list("/etc/passwd", &l), -ENOTDIR);
}

static void only_whole_suffixes_are_sockets(void **state)
{
	const struct place *p = *state;
	static const char *const names[] = { ".sock", "x.socket", "xsock", "x.sock.bak" };
	struct device_list l;
	int fds[ELEMENTS(names)];

	for (size_t i = 0; i < ELEMENTS(names); ++i) {
		fds[i] = bind_at(p, names[i]);
		assert_int_equal(listen(fds[i], 1), 0);
	}
	assert_int_equal(devices_list(p->dir, &l), 0);
	assert_true(l.count >= 1);
	assert_string_equal(l.items[l.count - 1].name, "live");
	assert_true(l.count == 1 || l.items[l.count - 2].kind == DEVICE_KERNEL);
	devices_done(&l);
	for (size_t i = 0; i < ELEMENTS(names); ++i)
		close(fds[i]);
}

struct server {
	const struct place *place;
	const char *answer;
	struct daemon daemon;
};

static void *accept_one(void *ctx)
{
	struct server *s = ctx;

	s->daemon = (struct daemon){ .answer = s->answer };
	buffer_init(&s->daemon.heard);
	s->daemon.fd = accept(s->place->listener, NULL, NULL);
	return serve(&s->daemon);
}

static void device_speaks_to_its_socket(void **state)
{
	struct server s = { .place = *state, .answer = "listen_port=9\nerrno=0\n\n" };
	struct model_cursor cursor = { .serial = 1 };
	struct device d;
	pthread_t thread;
	struct model m;

	device_init(&d, s.place->dir, "live");
	model_init(&m);
	assert_int_equal(pthread_create(&thread, NULL, accept_one, &s), 0);
	assert_int_equal(d.backend.get(d.backend.ctx, &cursor, &m), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(cursor.serial, 0);
	assert_int_equal(m.listen_port, 9);
	assert_string_equal(m.name, "live");
	assert_int_equal(device_kind(&d), DEVICE_USERSPACE);
	buffer_done(&s.daemon.heard);
	model_done(&m);
}

static void failed_set_says_why(void **state)
{
	struct server s = { .place = *state, .answer = "errno=-98\n\n" };
	const struct model patch = { .has_listen_port = true };
	struct diag why = { 0 };
	struct device d;
	pthread_t thread;

	device_init(&d, s.place->dir, "live");
	assert_int_equal(pthread_create(&thread, NULL, accept_one, &s), 0);
	assert_int_equal(d.backend.set(d.backend.ctx, &patch, &why), -EADDRINUSE);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(why.severity, DIAG_ERROR);
	assert_non_null(strstr(why.text, "in use"));
	buffer_done(&s.daemon.heard);
}

/* What has no served socket is the kernel's, who knows no such device, or not us, or no driver. */
static void device_without_socket_is_the_kernels(void **state)
{
	static const char *const names[] = { "stale", "none", "file", "../../etc/x", "" };
	const struct place *p = *state;

	for (size_t i = 0; i < ELEMENTS(names); ++i) {
		struct model_cursor cursor = { 0 };
		struct diag why = { 0 };
		struct diagnosis diagnosis;
		struct device d;
		struct model m;
		int error;

		device_init(&d, p->dir, names[i]);
		assert_int_equal(device_kind(&d), DEVICE_KERNEL);
		model_init(&m);
		error = d.backend.get(d.backend.ctx, &cursor, &m);
		assert_true(error == -EPROTONOSUPPORT || error == -ENODEV || error == -EPERM);
		error = d.backend.set(d.backend.ctx, &m, &why);
		assert_true(error == -EPROTONOSUPPORT || error == -ENODEV || error == -EPERM);
		assert_int_equal(why.severity, DIAG_ERROR);
		assert_int_equal(d.backend.diagnose(d.backend.ctx, &diagnosis), -EOPNOTSUPP);
		model_done(&m);
	}
}

/* The kernel takes nothing back: what is said of a failure must not promise that. */
static void what_the_kernel_may_have_changed_is_said(void **state)
{
	static const char some[] = "what comes before the part that was refused may have";
	static const char first[] = "the first 1 of 2 peers were changed before that, and perhaps";
	struct model_peer peers[2] = { 0 };
	const struct {
		int error;
		size_t settled;
		struct model patch;
		const char *words; /* NULL: nothing but the error */
	} rows[] = {
		{ -EADDRINUSE, 0, { .has_listen_port = true }, NULL },
		{ -EADDRINUSE, 0, { .has_listen_port = true, .has_fwmark = true }, some },
		{ -EINVAL, 0, { .peers = peers, .peer_count = 2 }, some },
		{ -EINVAL, 1, { .peers = peers, .peer_count = 2 }, first },
		{ -ENODEV, 0, { .peers = peers, .peer_count = 2 }, NULL },
		{ -EPERM, 0, { .has_listen_port = true, .has_fwmark = true }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		struct diag why = { 0 };
		const char *error = strerror(-rows[i].error);

		devices_explain_kernel(rows[i].error, rows[i].settled, &rows[i].patch, &why);
		assert_memory_equal(why.text, error, strlen(error));
		if (rows[i].words)
			assert_non_null(strstr(why.text, rows[i].words));
		else
			assert_string_equal(why.text, error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(get_of_every_behaviour),
		cmocka_unit_test(set_of_every_behaviour),
		cmocka_unit_test(diagnose_of_every_behaviour),
		cmocka_unit_test(failed_get_leaves_nothing),
		cmocka_unit_test(big_set_arrives_whole),
		cmocka_unit_test(big_set_refused_early),
		cmocka_unit_test(endless_line_ends_at_a_bound),
		cmocka_unit_test(signals_are_waited_out),
		cmocka_unit_test_setup_teardown(connect_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(list_finds_served_sockets, setup, teardown),
		cmocka_unit_test_setup_teardown(only_whole_suffixes_are_sockets, setup, teardown),
		cmocka_unit_test_setup_teardown(device_speaks_to_its_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(failed_set_says_why, setup, teardown),
		cmocka_unit_test_setup_teardown(device_without_socket_is_the_kernels, setup,
						teardown),
		cmocka_unit_test(what_the_kernel_may_have_changed_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
