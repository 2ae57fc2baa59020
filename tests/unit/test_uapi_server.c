#include "control/uapi_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/time.h"

#define KEY "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"

/* A device of two numbers and as many peers as a test wants. */
struct device {
	struct backend backend;
	uint16_t port;
	size_t peers;
	size_t piece;    /* peers in a piece of a get; 0: all */
	size_t fails_at; /* a get, from this peer on; 0: never */
	unsigned int sets;
	int error; /* of the next set */
};

struct fixture {
	char dir[64];
	char path[96];
	struct device device;
	struct uapi_server *server;
};

static int device_get(void *ctx, struct model_cursor *cursor, struct model *ret)
{
	const struct device *d = ctx;
	const size_t from = cursor->serial;

	if (d->fails_at && from >= d->fails_at)
		return -ENOMEM;
	if (!from) {
		ret->listen_port = d->port;
		ret->has_listen_port = true;
	}
	for (size_t i = from; i < d->peers && !(d->piece && i == from + d->piece); ++i) {
		struct model_peer *p = model_add_peer(ret);

		if (!p)
			return -ENOMEM;
		store64_le(p->public_key.bytes, i);
		cursor->serial = i + 1;
	}
	if (cursor->serial == d->peers)
		cursor->serial = 0;
	return 0;
}

static int device_set(void *ctx, const struct model *patch, struct diag *why)
{
	struct device *d = ctx;
	const int error = d->error;

	d->error = 0;
	if (error) {
		diag_set(why, DIAG_ERROR, "test", 0, "as the test wants");
		return error;
	}
	++d->sets;
	if (patch->has_listen_port)
		d->port = patch->listen_port;
	return 0;
}

static int device_diagnose(void *ctx, struct diagnosis *ret)
{
	(void)ctx;
	if (!diagnosis_take(ret, 0, 0, 0, 1))
		return -ENOMEM;
	ret->counts[0] = (struct named_count){ "answers", 42 };
	return 0;
}

static void device_init(struct device *d)
{
	*d = (struct device){ .backend = { device_get, device_set, device_diagnose, d },
			      .port = 7 };
}

static int start(struct fixture *f)
{
	struct diag why = { 0 };
	const int error = uapi_server_new(f->dir, "wg0", &f->device.backend, &why, &f->server);

	assert_int_equal(error != 0, why.severity == DIAG_ERROR);
	assert_int_equal(error != 0, why.text[0] != '\0');
	assert_int_equal(error != 0, why.hint[0] != '\0');
	return error;
}

static int setup_dir(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->dir, "/tmp/warren-uapi-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(chmod(f->dir, 0755), 0);
	(void)snprintf(f->path, sizeof(f->path), "%s/wg0.sock", f->dir);
	device_init(&f->device);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	setup_dir(state);
	return start(*state);
}

/* Whatever a test left behind; how many names there were. */
static int empty_dir(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	int count = 0;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		++count;
		if (unlinkat(dirfd(dir), e->d_name, 0) < 0)
			(void)unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
	}
	closedir(dir);
	return count;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->server = uapi_server_free(f->server);
	empty_dir(f->dir);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

static int try_dial(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		const int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static int dial(const struct fixture *f)
{
	const int fd = try_dial(f->path, SOCK_STREAM);

	assert_true(fd >= 0);
	return fd;
}

static void pump(struct fixture *f, int wait_ms)
{
	struct pollfd p = { .fd = uapi_server_fd(f->server), .events = POLLIN };

	if (poll(&p, 1, wait_ms) == 1)
		uapi_server_handle(f->server);
}

static void settle(struct fixture *f)
{
	for (int i = 0; i < 100; ++i)
		pump(f, 0);
}

static void say_bytes(struct fixture *f, int fd, const char *bytes, size_t len)
{
	for (size_t sent = 0; sent < len;) {
		const ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
		pump(f, 0);
	}
}

static void say(struct fixture *f, int fd, const char *text)
{
	say_bytes(f, fd, text, strlen(text));
}

/* Reads len bytes, or to the end. Returns how many; *ret_error is the errno of a broken connection.
 */
static size_t hear(struct fixture *f, int fd, char *ret, size_t len, int *ret_error)
{
	const uint64_t end = now_ms() + 5000;
	size_t have = 0;

	*ret_error = 0;
	while (have < len && now_ms() < end) {
		const ssize_t n = recv(fd, ret + have, len - have, 0);

		if (n == 0)
			return have;
		if (n > 0) {
			have += (size_t)n;
		} else if (errno != EAGAIN) {
			*ret_error = errno;
			return have;
		} else {
			pump(f, 1);
		}
	}
	assert_true(now_ms() < end);
	return have;
}

static void expect(struct fixture *f, int fd, const char *want)
{
	char text[4096] = "";
	int error;

	assert_true(strlen(want) < sizeof(text));
	(void)hear(f, fd, text, strlen(want), &error);
	assert_string_equal(text, want);
	assert_int_equal(error, 0);
}

/* The other end is closed in order: no answer lost, no reset. */
static void expect_end(struct fixture *f, int fd)
{
	char byte;
	int error;

	assert_int_equal(hear(f, fd, &byte, 1, &error), 0);
	assert_int_equal(error, 0);
}

static void expect_quiet(struct fixture *f, int fd)
{
	char byte;

	settle(f);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static const char get_answer[] = "listen_port=7\nerrno=0\n\n";

static void ask(struct fixture *f)
{
	const int fd = dial(f);

	say(f, fd, "get=1\n\n");
	expect(f, fd, get_answer);
	close(fd);
	settle(f);
}

static bool is_file(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* How often the loop would wake in a while with nothing that can be done. */
static int count_wakes(struct fixture *f, int ms)
{
	const uint64_t end = now_ms() + (uint64_t)ms;
	struct pollfd p = { .fd = uapi_server_fd(f->server), .events = POLLIN };
	int wakes = 0;

	while (now_ms() < end) {
		if (poll(&p, 1, 10) == 1) {
			++wakes;
			uapi_server_handle(f->server);
		}
	}
	return wakes;
}

static void requests_are_served_in_sequence(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f);

	say(f, fd, "get=1\n\n");
	expect(f, fd, get_answer);
	say(f, fd, "set=1\nlisten_port=9\n\n");
	expect(f, fd, "errno=0\n\n");
	assert_int_equal(f->device.port, 9);
	say(f, fd, "diagnose=1\n\n");
	expect(f, fd, "count=answers 42\nerrno=0\n\n");
	say(f, fd, "get=1\n\nset=1\nlisten_port=7\n\nget=1\n\nge");
	expect(f, fd, "listen_port=9\nerrno=0\n\nerrno=0\n\nlisten_port=7\nerrno=0\n\n");
	say(f, fd, "t=1\n\n");
	expect(f, fd, get_answer);
	expect_quiet(f, fd);
	close(fd);
}

static void a_client_that_shuts_down_its_side_is_answered(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f);

	say(f, fd, "get=1\n\n");
	shutdown(fd, SHUT_WR);
	expect(f, fd, get_answer);
	expect_end(f, fd);
	close(fd);
}

static void a_complete_set_counts_though_its_client_left(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f);

	assert_int_equal(send(fd, "set=1\nlisten_port=9\n\n", 21, 0), 21);
	close(fd);
	settle(f);
	assert_int_equal(f->device.port, 9);
}

static void a_failed_set_is_told_and_the_connection_stays(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f);

	f->device.error = -EADDRINUSE;
	say(f, fd, "set=1\nlisten_port=9\n\nget=1\n\n");
	expect(f, fd, "errno=-98\n\nlisten_port=7\nerrno=0\n\n");
	close(fd);
}

static void eof_without_blank_line_discards(void **state)
{
	static const char *const halves[] = { "set=1\nlisten_port=9\n", "set=1\nlisten_port=9",
					      "set=1\n", "s", "" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ELEMENTS(halves); ++i) {
		const int fd = dial(f);

		say(f, fd, halves[i]);
		shutdown(fd, SHUT_WR);
		expect_end(f, fd);
		close(fd);
		settle(f);
		assert_int_equal(f->device.sets, 0);
		assert_int_equal(f->device.port, 7);
	}
}

/* What a client reads does not tell in how many pieces it was made. */
static void fx6_get_in_pieces_is_whole(void **state)
{
	static const size_t pieces[] = { 0, 1, 3, 9, 10, 11 };
	struct fixture *f = *state;

	f->device.peers = 10;
	for (size_t i = 0; i < ELEMENTS(pieces); ++i) {
		const int fd = dial(f);
		struct buffer want;

		f->device.piece = pieces[i];
		buffer_init(&want);
		buffer_printf(&want, "listen_port=%u\n", f->device.port);
		for (unsigned int k = 0; k < 10; ++k)
			buffer_printf(&want,
				      "public_key=%02x%062d\npreshared_key=%064d\n"
				      "protocol_version=1\nlast_handshake_time_sec=0\n"
				      "last_handshake_time_nsec=0\ntx_bytes=0\nrx_bytes=0\n"
				      "persistent_keepalive_interval=0\n",
				      k, 0, 0);
		buffer_printf(&want, "errno=0\n\n%c", 0);
		for (int twice = 0; twice < 2; ++twice) {
			say(f, fd, "get=1\n\n");
			expect(f, fd, want.bytes);
		}
		buffer_done(&want);
		close(fd);
	}
}

/* It may go wrong halfway: then the errno says so, and the next request is served. */
static void get_that_fails_halfway_says_so(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f);

	f->device.peers = 3;
	f->device.piece = 1;
	f->device.fails_at = 1;
	say(f, fd, "get=1\n\n");
	expect(f, fd,
	       "listen_port=7\n"
	       "public_key=0000000000000000000000000000000000000000000000000000000000000000\n"
	       "preshared_key=0000000000000000000000000000000000000000000000000000000000000000\n"
	       "protocol_version=1\nlast_handshake_time_sec=0\nlast_handshake_time_nsec=0\n"
	       "tx_bytes=0\nrx_bytes=0\npersistent_keepalive_interval=0\nerrno=12\n\n");
	f->device.fails_at = 0;
	say(f, fd, "set=1\nlisten_port=9\n\n");
	expect(f, fd, "errno=0\n\n");
	close(fd);
}

static void fc6_error_closes_connection(void **state)
{
	static const struct {
		const char *request;
		const char *answer;
	} rows[] = {
		{ "set=1\nlisten_port=x\n\nset=1\nlisten_port=9\n\n", "errno=-22\n\n" },
		{ "set=1\nlisten_port\nlisten_port=9\n\n", "errno=-71\n\n" },
		{ "set=1\nlisten_port=x\nset=1\nlisten_port=9\n\n", "errno=-22\n\n" },
		{ "get=1\nlisten_port=9\n\n", "errno=22\n\n" },
		{ "bogus=1\n\nset=1\nlisten_port=9\n\n", "" },
		{ "\nset=1\nlisten_port=9\n\n", "" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const int fd = dial(f);

		say(f, fd, rows[i].request);
		expect(f, fd, rows[i].answer);
		expect_end(f, fd);
		close(fd);
		settle(f);
		assert_int_equal(f->device.sets, 0);
	}
}

/* It has 4 MB in flight behind the bad line: it must still be able to send them, and see why not.
 */
static void fc6_error_reaches_a_client_that_still_sends(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f);
	char line[64];

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	say(f, fd, "set=1\nlisten_port=x\n");
	for (int i = 0; i < 4 << 20; i += (int)sizeof(line))
		say_bytes(f, fd, line, sizeof(line));
	expect(f, fd, "errno=-22\n\n");
	expect_end(f, fd);
	close(fd);
}

static void one_byte_at_a_time(struct fixture *f)
{
	const char request[] = "set=1\nlisten_port=7\npublic_key=" KEY "\n\n";
	const int fd = dial(f);

	for (size_t i = 0; i < strlen(request); ++i) {
		expect_quiet(f, fd);
		say_bytes(f, fd, request + i, 1);
	}
	expect(f, fd, "errno=0\n\n");
	close(fd);
}

static void line_of_64_kb(struct fixture *f, size_t len, const char *answer)
{
	const int fd = dial(f);
	char *line = malloc(len);

	assert_non_null(line);
	memset(line, 'a', len);
	line[len - 1] = '\n';
	say(f, fd, "set=1\n");
	say_bytes(f, fd, line, len);
	say(f, fd, "\n");
	expect(f, fd, answer);
	expect_end(f, fd);
	free(line);
	close(fd);
}

/* About 10 MB that the first client does not read; the second is served, then the first gets all.
 */
static void client_that_never_reads(struct fixture *f)
{
	const int idle = dial(f), fd = dial(f);
	char *text = malloc(64 << 20);
	const char tail[] = "errno=0\n\nlisten_port=7\nerrno=0\n\n";
	size_t len;
	int error;

	assert_non_null(text);
	f->device.peers = 30000;
	say(f, idle, "get=1\n\nget=1\n\n");
	settle(f);
	assert_int_equal(count_wakes(f, 100), 0);
	f->device.peers = 0;
	say(f, fd, "get=1\n\n");
	expect(f, fd, get_answer);
	close(fd);
	shutdown(idle, SHUT_WR);
	len = hear(f, idle, text, 64 << 20, &error);
	assert_int_equal(error, 0);
	assert_true(len > 8U << 20);
	assert_memory_equal(text + len - strlen(tail), tail, strlen(tail));
	free(text);
	close(idle);
	settle(f);
}

static void clients_at_once(struct fixture *f, int count)
{
	int *fds = calloc((size_t)count, sizeof(*fds));

	assert_non_null(fds);
	for (int i = 0; i < count; ++i) {
		fds[i] = dial(f);
		assert_int_equal(send(fds[i], "get=1\n\n", 7, 0), 7);
	}
	for (int i = 0; i < count; ++i) {
		expect(f, fds[i], get_answer);
		close(fds[i]);
	}
	free(fds);
	settle(f);
}

static void fc7_grammar_and_slow_clients(void **state)
{
	struct fixture *f = *state;

	one_byte_at_a_time(f);
	line_of_64_kb(f, UINT64_C(65536) + 1, "errno=-71\n\n");
	line_of_64_kb(f, UINT64_C(65536) + 2, "errno=-5\n\n");
	client_that_never_reads(f);
	clients_at_once(f, 200);
}

/* Every place is held: by clients at rest, by one that is half way. The new one gets the latter's.
 */
static void fc7_a_stuck_client_makes_place(void **state)
{
	struct fixture *f = *state;
	int fds[UAPI_CLIENTS_MAX], fd;
	const uint64_t begin = now_ms();

	for (int i = 0; i < UAPI_CLIENTS_MAX; ++i) {
		fds[i] = dial(f);
		say(f, fds[i], i == 40 ? "get=1\n" : "get=1\n\n");
		if (i != 40)
			expect(f, fds[i], get_answer);
	}
	fd = dial(f);
	say(f, fd, "get=1\n\n");
	expect(f, fd, get_answer);
	assert_true(now_ms() - begin >= 900);
	expect_end(f, fds[40]);
	close(fd);
	settle(f);
	for (int i = 0; i < UAPI_CLIENTS_MAX; ++i) {
		if (i != 40) {
			say(f, fds[i], "get=1\n\n");
			expect(f, fds[i], get_answer);
		}
		close(fds[i]);
	}
}

/* Hundreds that say nothing come first: they go, the oldest first, and who asks is answered. */
static void fc7_idle_clients_make_place(void **state)
{
	enum { IDLE = 300 };
	struct fixture *f = *state;
	const uint64_t end = now_ms() + 3000;
	int fds[IDLE], fd;
	char text[8];
	ssize_t len;

	for (int i = 0; i < IDLE; ++i)
		fds[i] = dial(f);
	fd = dial(f);
	assert_int_equal(send(fd, "get=1\n\n", 7, 0), 7);
	do {
		pump(f, 20);
		len = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	} while (len < 0 && now_ms() < end);
	assert_true(len > 0);
	expect_end(f, fds[0]);
	say(f, fds[IDLE - 1], "get=1\n\n"); /* the youngest is still there */
	expect(f, fds[IDLE - 1], get_answer);
	for (int i = 0; i < IDLE; ++i)
		close(fds[i]);
	close(fd);
}

/* Who has asked while the server was busy is not idle. */
static void fc7_a_request_that_waits_is_no_idleness(void **state)
{
	struct fixture *f = *state;
	int fds[UAPI_CLIENTS_MAX], fd;

	for (int i = 0; i < UAPI_CLIENTS_MAX; ++i)
		fds[i] = dial(f);
	settle(f);
	for (int i = 0; i < UAPI_CLIENTS_MAX; ++i)
		assert_int_equal(send(fds[i], "get=1\n\n", 7, 0), 7);
	fd = dial(f);
	(void)poll(NULL, 0, 200);
	for (int i = 0; i < UAPI_CLIENTS_MAX; ++i)
		expect(f, fds[i], get_answer);
	for (int i = 0; i < UAPI_CLIENTS_MAX; ++i)
		close(fds[i]);
	say(f, fd, "get=1\n\n");
	expect(f, fd, get_answer);
	close(fd);
}

/* One byte now and then is no progress: it does not hold the place against others. */
static void fc7_trickling_is_no_progress(void **state)
{
	struct fixture *f = *state;
	const uint64_t end = now_ms() + 4000;
	int fds[UAPI_CLIENTS_MAX], fd;
	char text[8];
	ssize_t len;

	for (int i = 0; i < UAPI_CLIENTS_MAX; ++i) {
		fds[i] = dial(f);
		say(f, fds[i], "set=1\n");
	}
	fd = dial(f);
	assert_int_equal(send(fd, "get=1\n\n", 7, 0), 7);
	do {
		for (int i = 0; i < UAPI_CLIENTS_MAX; ++i)
			(void)send(fds[i], "a", 1, MSG_NOSIGNAL); /* one of them gets closed */
		(void)poll(NULL, 0, 20);
		settle(f);
		len = recv(fd, text, sizeof(text), 0);
	} while (len < 0 && now_ms() < end);
	assert_true(len > 0);
	for (int i = 0; i < UAPI_CLIENTS_MAX; ++i)
		close(fds[i]);
	close(fd);
}

static void fp4_no_descriptors_never_spins(void **state)
{
	struct fixture *f = *state;
	const int held = dial(f), waiting = dial(f);
	struct rlimit old, tight;

	say(f, held, "get=1\n\n");
	expect(f, held, get_answer);
	settle(f);
	close(held);
	settle(f);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	const int late = dial(f);
	tight.rlim_cur = 4; /* less than are open: none can be added */
	assert_int_equal(send(late, "get=1\n\n", 7, 0), 7);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	const int wakes = count_wakes(f, 500);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(wakes >= 2 && wakes <= 14);
	expect(f, late, get_answer);
	say(f, waiting, "get=1\n\n");
	expect(f, waiting, get_answer);
	close(late);
	close(waiting);
	settle(f);
	assert_int_equal(count_wakes(f, 250), 0);
}

static void an_idle_server_never_wakes(void **state)
{
	struct fixture *f = *state;
	const int fd = dial(f);

	say(f, fd, "get=1\n");
	settle(f);
	assert_int_equal(count_wakes(f, 300), 0);
	close(fd);
}

static void make_stale(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
}

static void refused_and_untouched(struct fixture *f, int error)
{
	struct stat before, after;

	assert_int_equal(lstat(f->path, &before), 0);
	assert_int_equal(start(f), error);
	assert_int_equal(lstat(f->path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_mode, after.st_mode);
}

static void refuses_files_and_links(struct fixture *f)
{
	char target[96];
	int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "mine", 4), 4);
	close(fd);
	refused_and_untouched(f, -EEXIST);
	unlink(f->path);

	(void)snprintf(target, sizeof(target), "%s/target", f->dir);
	make_stale(target);
	assert_int_equal(symlink(target, f->path), 0);
	refused_and_untouched(f, -EEXIST);
	assert_true(is_file(target));
	unlink(target);
	refused_and_untouched(f, -EEXIST); /* it dangles */
	unlink(f->path);

	assert_int_equal(mkdir(f->path, 0755), 0);
	refused_and_untouched(f, -EEXIST);
	rmdir(f->path);
}

static void refuses_a_dead_one_where_others_write(struct fixture *f)
{
	make_stale(f->path);
	assert_int_equal(chmod(f->dir, 0775), 0);
	refused_and_untouched(f, -EEXIST);
	assert_int_equal(chmod(f->dir, 01777), 0);
	refused_and_untouched(f, -EEXIST);
	assert_int_equal(chmod(f->dir, 0755), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(f->path, 65534, 65534), 0);
		refused_and_untouched(f, -EEXIST);
		assert_int_equal(chown(f->path, 0, 0), 0);
		assert_int_equal(chown(f->dir, 65534, 65534), 0);
		refused_and_untouched(f, -EEXIST);
		assert_int_equal(chown(f->dir, 0, 0), 0);
	}
}

static void fp15_stale_socket_file_symlink_and_live_one(void **state)
{
	struct fixture *f = *state, other;

	refuses_files_and_links(f);
	refuses_a_dead_one_where_others_write(f);
	assert_int_equal(start(f), 0); /* the dead one, now in order, gave way */
	ask(f);
	other = *f;
	refused_and_untouched(&other, -EADDRINUSE);
	ask(f);
	f->server = uapi_server_free(f->server);
	assert_int_equal(empty_dir(f->dir), 0);
}

/* A starter that was killed half way leaves its names; the next one is not held up. */
static void leftovers_of_a_killed_starter_do_no_harm(void **state)
{
	struct fixture *f = *state;
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/.wg0.new", f->dir);
	make_stale(path);
	(void)snprintf(path, sizeof(path), "%s/.wg0.lock", f->dir);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(start(f), 0);
	ask(f);
	f->server = uapi_server_free(f->server);
	assert_int_equal(empty_dir(f->dir), 0);
}

/* All wait at the gate; the winner serves until it is told to end. */
static int race(struct fixture *f, int gate, int done)
{
	char byte;
	int error;

	(void)!read(gate, &byte, 1);
	error = start(f);
	if (error)
		return error == -EADDRINUSE ? 1 : 2;
	(void)!write(done, "w", 1);
	for (int i = 0; i < 2000 && !uapi_server_is_gone(f->server); ++i)
		pump(f, 5);
	uapi_server_free(f->server);
	return 0;
}

static void one_race(struct fixture *f, bool stale)
{
	enum { STARTERS = 50 };
	int gate[2], done[2], status, won = 0, lost = 0;
	char byte;

	if (stale)
		make_stale(f->path);
	assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	for (int i = 0; i < STARTERS; ++i) {
		const pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			close(gate[1]);
			_exit(prctl(PR_SET_PDEATHSIG, SIGKILL) ? 3 : race(f, gate[0], done[1]));
		}
	}
	close(gate[1]);
	for (int i = 0; i < STARTERS - 1; ++i) {
		assert_true(wait(&status) > 0 && WIFEXITED(status));
		lost += WEXITSTATUS(status) == 1;
	}
	assert_int_equal(lost, STARTERS - 1);
	assert_int_equal(read(done[0], &byte, 1), 1);
	const int fd = dial(f);
	assert_int_equal(send(fd, "get=1\n\n", 7, 0), 7);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(unlink(f->path), 0);
	assert_true(wait(&status) > 0 && WIFEXITED(status));
	won += WEXITSTATUS(status) == 0;
	assert_int_equal(won, 1);
	close(fd);
	close(gate[0]);
	close(done[0]);
	close(done[1]);
	assert_int_equal(empty_dir(f->dir), 0);
}

static void fp17_fifty_binds_race_one_wins(void **state)
{
	one_race(*state, false);
	one_race(*state, true);
}

/* Looks at every name at once when it appears, in a process of its own. */
static int watch_modes(const char *dir, int watch)
{
	_Alignas(struct inotify_event) char events[4096];
	int seen = 0;

	for (;;) {
		const ssize_t len = read(watch, events, sizeof(events));
		const struct inotify_event *e;

		for (ssize_t at = 0; at < len; at += (ssize_t)(sizeof(*e) + e->len)) {
			char path[300];
			struct stat st;

			e = (const struct inotify_event *)(const void *)(events + at);
			if (strcmp(e->name, "end") == 0)
				return seen;
			(void)snprintf(path, sizeof(path), "%s/%s", dir, e->name);
			if (lstat(path, &st) < 0)
				continue;
			if (st.st_mode & 0177)
				return 100;
			seen += strcmp(e->name, "wg0.sock") == 0;
			/* nobody who sees the name is refused */
			if (strcmp(e->name, "wg0.sock") == 0 && is_file(path)) {
				const int fd = try_dial(path, SOCK_STREAM);

				if (fd == -ECONNREFUSED && is_file(path))
					return 101;
				if (fd >= 0)
					close(fd);
			}
		}
	}
}

static void is_0600_from_birth(struct fixture *f)
{
	const int watch = inotify_init1(IN_CLOEXEC);
	char end[96];
	int status;
	pid_t pid;

	(void)snprintf(end, sizeof(end), "%s/end", f->dir);
	assert_true(inotify_add_watch(watch, f->dir, IN_CREATE | IN_MOVED_TO | IN_ATTRIB) >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(prctl(PR_SET_PDEATHSIG, SIGKILL) ? 102 : watch_modes(f->dir, watch));
	for (int i = 0; i < 50; ++i) {
		struct stat st;

		assert_int_equal(start(f), 0);
		assert_int_equal(lstat(f->path, &st), 0);
		assert_int_equal(st.st_mode, S_IFSOCK | 0600);
		f->server = uapi_server_free(f->server);
	}
	close(open(end, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 0, 99);
	unlink(end);
	close(watch);
}

static int ask_as(uid_t uid, const char *path)
{
	const char request[] = "get=1\n\n";
	char answer[64];
	struct pollfd p = { .events = POLLIN };

	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return 3;
	p.fd = try_dial(path, SOCK_STREAM);
	if (p.fd < 0)
		return p.fd == -EACCES ? 1 : 4;
	(void)send(p.fd, request, strlen(request), MSG_NOSIGNAL);
	(void)poll(&p, 1, 5000);
	return recv(p.fd, answer, sizeof(answer), 0) > 0 ? 0 : 2;
}

static int run_ask_as(struct fixture *f, uid_t uid)
{
	const pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(ask_as(uid, f->path));
	while (waitpid(pid, &status, WNOHANG) == 0)
		pump(f, 5);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void fs7_socket_is_private_from_birth(void **state)
{
	struct fixture *f = *state;
	const mode_t mask = umask(0);

	is_0600_from_birth(f);
	assert_int_equal(start(f), 0);
	umask(mask);
	if (geteuid() != 0)
		skip();
	assert_int_equal(run_ask_as(f, 65534), 1);
	/* even where somebody opened the file to all: the server looks at who asks */
	assert_int_equal(chmod(f->path, 0666), 0);
	assert_int_equal(run_ask_as(f, 65534), 2);
	assert_int_equal(run_ask_as(f, 0), 0);
}

static bool gone_soon(struct fixture *f)
{
	for (int i = 0; i < 20 && !uapi_server_is_gone(f->server); ++i)
		pump(f, 50);
	return uapi_server_is_gone(f->server);
}

static void place_file(const char *path)
{
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void deleted(const struct fixture *f)
{
	unlink(f->path);
}

static void deleted_and_replaced(const struct fixture *f)
{
	unlink(f->path);
	make_stale(f->path);
}

static void renamed_over(const struct fixture *f)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/new", f->dir);
	place_file(path);
	assert_int_equal(rename(path, f->path), 0);
}

static void moved_away(const struct fixture *f)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/old", f->dir);
	assert_int_equal(rename(f->path, path), 0);
}

static void replaced_by_link(const struct fixture *f)
{
	moved_away(f);
	assert_int_equal(symlink("old", f->path), 0);
}

static void replaced_by_directory(const struct fixture *f)
{
	unlink(f->path);
	assert_int_equal(mkdir(f->path, 0755), 0);
}

static void fp14_deleted_or_replaced_socket_is_noticed(void **state)
{
	static void (*const ways[])(const struct fixture *f) = {
		deleted,    deleted_and_replaced, renamed_over,
		moved_away, replaced_by_link,     replaced_by_directory,
	};
	struct fixture *f = *state;
	struct stat before, after;

	for (size_t i = 0; i < ELEMENTS(ways); ++i) {
		char other[96];

		assert_int_equal(start(f), 0);
		(void)snprintf(other, sizeof(other), "%s/wg1.sock", f->dir);
		make_stale(other);
		unlink(other);
		settle(f);
		assert_false(uapi_server_is_gone(f->server));
		ask(f);
		ways[i](f);
		assert_true(gone_soon(f));
		/* what stands there now is somebody else's */
		memset(&before, 0, sizeof(before));
		memset(&after, 0, sizeof(after));
		(void)lstat(f->path, &before);
		f->server = uapi_server_free(f->server);
		(void)lstat(f->path, &after);
		assert_int_equal(before.st_ino, after.st_ino);
		empty_dir(f->dir);
	}
}

/* Even if nobody handled the event before the end. */
static void free_leaves_a_foreign_file_alone(void **state)
{
	struct fixture *f = *state;

	deleted_and_replaced(f);
	f->server = uapi_server_free(f->server);
	assert_true(is_file(f->path));
}

static void a_moved_directory_is_noticed(void **state)
{
	struct fixture *f = *state;
	char moved[96];

	(void)snprintf(moved, sizeof(moved), "%s.moved", f->dir);
	assert_int_equal(rename(f->dir, moved), 0);
	assert_true(gone_soon(f));
	assert_int_equal(rename(moved, f->dir), 0);
}

static void a_missing_directory_is_made(void **state)
{
	struct fixture *f = *state, inner = *f;
	const mode_t mask = umask(077);
	struct stat st;

	(void)snprintf(inner.dir, sizeof(inner.dir), "%.40s/w", f->dir);
	(void)snprintf(inner.path, sizeof(inner.path), "%s/wg0.sock", inner.dir);
	assert_int_equal(start(&inner), 0);
	umask(mask);
	assert_int_equal(stat(inner.dir, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	ask(&inner);
	uapi_server_free(inner.server);
	assert_int_equal(rmdir(inner.dir), 0);
}

static void names_and_places_that_cannot_be(void **state)
{
	static const char *const names[] = { "", ".", "..", "a/b", "sixteen-letters-", "a b" };
	struct fixture *f = *state;
	char deep[200];

	for (size_t i = 0; i < ELEMENTS(names); ++i) {
		struct diag why = { 0 };

		assert_int_equal(
			uapi_server_new(f->dir, names[i], &f->device.backend, &why, &f->server),
			-EINVAL);
		assert_true(why.text[0] && why.hint[0]);
	}
	(void)snprintf(deep, sizeof(deep), "%s/%0120d", f->dir, 0);
	struct diag why = { 0 };
	assert_int_equal(uapi_server_new(deep, "wg0", &f->device.backend, &why, &f->server),
			 -ENAMETOOLONG);
	assert_int_equal(rmdir(deep), 0);
	why = (struct diag){ 0 };
	assert_int_equal(
		uapi_server_new("/proc/no/such", "wg0", &f->device.backend, &why, &f->server),
		-ENOENT);
	assert_null(f->server);
}

static void an_adopted_socket_is_served_and_watched(void **state)
{
	struct fixture *f = *state;
	struct diag why = { 0 };
	struct uapi_server *second;
	const int fd = fcntl(uapi_server_listener(f->server), F_DUPFD_CLOEXEC, 0);

	assert_int_equal(uapi_server_adopt(fd, f->dir, "wg0", &f->device.backend, &why, &second),
			 0);
	/* as in a new engine on an old socket: the first one is killed and cleans nothing up */
	struct uapi_server *first = f->server;
	f->server = second;
	ask(f);
	assert_int_equal(unlink(f->path), 0);
	assert_true(gone_soon(f));
	uapi_server_free(first);
}

static void what_is_no_listener_is_not_adopted(void **state)
{
	struct fixture *f = *state;
	struct uapi_server *server = NULL;
	int fds[3];

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[2] = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < ELEMENTS(fds); ++i) {
		struct diag why = { 0 };

		assert_int_equal(
			uapi_server_adopt(fds[i], f->dir, "wg0", &f->device.backend, &why, &server),
			-EINVAL);
		assert_true(why.text[0] && why.hint[0]);
		assert_int_equal(close(fds[i]), 0);
	}
	assert_null(server);
}

static void free_of_nothing_is_fine(void **state)
{
	(void)state;
	assert_null(uapi_server_free(NULL));
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup_dir, teardown)
#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERVED(requests_are_served_in_sequence),
		SERVED(a_client_that_shuts_down_its_side_is_answered),
		SERVED(a_complete_set_counts_though_its_client_left),
		SERVED(a_failed_set_is_told_and_the_connection_stays),
		SERVED(eof_without_blank_line_discards),
		SERVED(fx6_get_in_pieces_is_whole),
		SERVED(get_that_fails_halfway_says_so),
		SERVED(fc6_error_closes_connection),
		SERVED(fc6_error_reaches_a_client_that_still_sends),
		SERVED(fc7_grammar_and_slow_clients),
		SERVED(fc7_a_stuck_client_makes_place),
		SERVED(fc7_idle_clients_make_place),
		SERVED(fc7_a_request_that_waits_is_no_idleness),
		SERVED(fc7_trickling_is_no_progress),
		SERVED(fp4_no_descriptors_never_spins),
		SERVED(an_idle_server_never_wakes),
		IN_DIR(fp15_stale_socket_file_symlink_and_live_one),
		IN_DIR(leftovers_of_a_killed_starter_do_no_harm),
		IN_DIR(fp17_fifty_binds_race_one_wins),
		IN_DIR(fs7_socket_is_private_from_birth),
		IN_DIR(fp14_deleted_or_replaced_socket_is_noticed),
		SERVED(free_leaves_a_foreign_file_alone),
		SERVED(a_moved_directory_is_noticed),
		IN_DIR(a_missing_directory_is_made),
		IN_DIR(names_and_places_that_cannot_be),
		SERVED(an_adopted_socket_is_served_and_watched),
		SERVED(what_is_no_listener_is_not_adopted),
		cmocka_unit_test(free_of_nothing_is_fine),
	};

	log_setup(LOG_SILENT, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
