#include "device/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"

static int ends[2];

static int set_up(void **state)
{
	(void)state;
	return channel_open(ends);
}

static int tear_down(void **state)
{
	(void)state;
	close(ends[0]);
	close(ends[1]);
	return 0;
}

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; ++fd)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void messages_stay_whole_and_apart(void **state)
{
	char buf[8] = "";
	size_t count = 7;

	(void)state;
	assert_int_equal(channel_send(ends[0], "one", 3, NULL, 0), 0);
	assert_int_equal(channel_send(ends[0], "twelve bytes", 12, NULL, 0), 0);
	assert_int_equal(channel_receive(ends[1], buf, sizeof(buf), NULL, 0, &count), 3);
	assert_memory_equal(buf, "one", 3);
	assert_int_equal(count, 0);
	assert_int_equal(channel_take(ends[1], buf, sizeof(buf)), 12); /* longer than the room */
	assert_int_equal(channel_take(ends[1], buf, sizeof(buf)), -EAGAIN);
}

static void the_end_is_told(void **state)
{
	char buf[8];
	size_t count;

	(void)state;
	close(ends[0]);
	ends[0] = -1;
	assert_int_equal(channel_take(ends[1], buf, sizeof(buf)), 0);
	assert_int_equal(channel_receive(ends[1], buf, sizeof(buf), NULL, 0, &count), 0);
	assert_int_equal(channel_send(ends[1], "x", 1, NULL, 0), -EPIPE);
}

static void who_does_not_read_holds_nobody_up(void **state)
{
	int error = 0;

	(void)state;
	for (int i = 0; i < 100000 && !error; ++i)
		error = channel_send(ends[0], "news", 4, NULL, 0);
	assert_int_equal(error, -EAGAIN);
}

static void descriptors_come_along(void **state)
{
	int fds[CHANNEL_FDS_MAX], got[CHANNEL_FDS_MAX];
	struct stat a, b;
	size_t count;
	char byte;

	(void)state;
	for (int i = 0; i < CHANNEL_FDS_MAX; ++i)
		fds[i] = i % 2 ? STDIN_FILENO : ends[0];
	assert_int_equal(channel_send(ends[0], "x", 1, fds, CHANNEL_FDS_MAX), 0);
	assert_int_equal(channel_receive(ends[1], &byte, 1, got, CHANNEL_FDS_MAX, &count), 1);
	assert_int_equal(count, CHANNEL_FDS_MAX);
	for (size_t i = 0; i < count; ++i) {
		assert_int_equal(fstat(got[i], &a), 0);
		assert_int_equal(fstat(fds[i], &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
		close(got[i]);
	}
}

static void too_many_descriptors_leave_none(void **state)
{
	const int fds[] = { ends[0], ends[1], STDIN_FILENO };
	const unsigned int before = count_fds();
	size_t count;
	int got[2];
	char byte;

	(void)state;
	assert_int_equal(channel_send(ends[0], "x", 1, fds, ELEMENTS(fds)), 0);
	assert_int_equal(channel_receive(ends[1], &byte, 1, got, 2, &count), 1);
	assert_int_equal(count, 2);
	close(got[0]);
	close(got[1]);
	assert_int_equal(count_fds(), before);
	assert_int_equal(channel_send(ends[0], "x", 1, fds, ELEMENTS(fds)), 0);
	assert_int_equal(channel_take(ends[1], &byte, 1), 1); /* who wants none gets none */
	assert_int_equal(count_fds(), before);
}

/* No place for all of them: an error, and not some. */
static void without_a_place_for_them_it_fails(void **state)
{
	const int fds[] = { ends[0], ends[1], STDIN_FILENO };
	const struct rlimit few = { (rlim_t)dup(ends[0]) + 2, 256 };
	int got[3], status;
	size_t count;
	char byte;
	pid_t pid;

	(void)state;
	close((int)few.rlim_cur - 2);
	assert_int_equal(channel_send(ends[0], "x", 1, fds, ELEMENTS(fds)), 0);
	pid = fork();
	if (pid == 0) {
		const unsigned int before = count_fds();

		if (setrlimit(RLIMIT_NOFILE, &few) < 0)
			_exit(3);
		if (channel_receive(ends[1], &byte, 1, got, 3, &count) != -EMFILE)
			_exit(1);
		_exit(count_fds() == before ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define CHANNEL_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHANNEL_TEST(messages_stay_whole_and_apart),
		CHANNEL_TEST(the_end_is_told),
		CHANNEL_TEST(who_does_not_read_holds_nobody_up),
		CHANNEL_TEST(descriptors_come_along),
		CHANNEL_TEST(too_many_descriptors_leave_none),
		CHANNEL_TEST(without_a_place_for_them_it_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
