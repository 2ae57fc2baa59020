#include "device/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "namespace.h"

enum { THREADS = 4, EACH = 500, PATH = 64 };

static char dir[32];

static const char lines[] =
	"LOCAL_STATIC_PRIVATE_KEY = AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	"REMOTE_STATIC_PUBLIC_KEY = AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	"LOCAL_EPHEMERAL_PRIVATE_KEY = AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	"PRESHARED_KEY = BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/keylog-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "log", "other", "fifo" };
	char path[PATH];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	return rmdir(dir);
}

static const char *path_of(const char *name)
{
	static char path[PATH];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void need_root(void)
{
	if (geteuid() != 0) {
		print_message("a key log is for root only\n");
		skip();
	}
}

static void log_one(const struct keylog *k)
{
	const struct key_private local = { { 1 } }, ephemeral = { { 3 } };
	const struct key_public remote = { { 2 } };
	const struct key_shared psk = { { 4 } };

	keylog_handshake(k, &local, &remote, &ephemeral, &psk);
}

static void expect_refused(const char *path, int error, const char *words)
{
	struct keylog k = { .fd = -7 };
	struct diag why = { 0 };

	assert_int_equal(keylog_open(path, &why, &k), error);
	assert_int_equal(k.fd, -7);
	assert_int_equal(why.severity, DIAG_ERROR);
	assert_non_null(strstr(why.text, words));
}

static size_t read_log(char *ret, size_t room)
{
	FILE *const f = fopen(path_of("log"), "re");
	size_t len;

	assert_non_null(f);
	len = fread(ret, 1, room - 1, f);
	(void)fclose(f); /* only read */
	ret[len] = '\0';
	return len;
}

static void wireshark_reads_it(void **state)
{
	char text[2 * sizeof(lines)];
	struct diag why = { 0 };
	struct keylog k;
	struct stat st;

	(void)state;
	need_root();
	assert_int_equal(keylog_open(path_of("log"), &why, &k), 0);
	assert_int_equal(fcntl(k.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_int_equal(stat(path_of("log"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	log_one(&k);
	keylog_close(&k);
	assert_int_equal(k.fd, -1);
	assert_int_equal(keylog_open(path_of("log"), &why, &k), 0); /* appends */
	log_one(&k);
	keylog_close(&k);
	assert_int_equal(read_log(text, sizeof(text)), 2 * strlen(lines));
	assert_memory_equal(text, lines, strlen(lines));
	assert_string_equal(text + strlen(lines), lines);
}

static void off_writes_nothing(void **state)
{
	struct keylog k = { .fd = -1 };

	(void)state;
	log_one(&k);
	keylog_close(&k);
	assert_int_equal(k.fd, -1);
}

static void touch(const char *name, mode_t mode)
{
	const int fd = open(path_of(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void a_file_of_others_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0620, 0602, 0610, 0644, 0666 };

	(void)state;
	need_root();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); ++i) {
		touch("log", modes[i]);
		expect_refused(path_of("log"), -EACCES, "0600");
	}
	touch("log", 0600);
	assert_int_equal(chown(path_of("log"), 65534, 0), 0);
	expect_refused(path_of("log"), -EACCES, "0600");
}

static void what_is_no_plain_file_is_refused(void **state)
{
	char other[PATH];

	(void)state;
	need_root();
	touch("other", 0600);
	strcpy(other, path_of("other"));
	assert_int_equal(symlink(other, path_of("log")), 0);
	expect_refused(path_of("log"), -ELOOP, "");
	assert_int_equal(unlink(path_of("log")), 0);
	assert_int_equal(link(other, path_of("log")), 0);
	expect_refused(path_of("log"), -EACCES, "plain file");
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	expect_refused(path_of("fifo"), -ENXIO, ""); /* and does not wait for a reader */
	expect_refused(dir, -EACCES, "directory");   /* /tmp: all may write there */
	expect_refused("/dev/null", -EACCES, "plain file");
}

static void a_directory_of_others_is_refused(void **state)
{
	static const mode_t modes[] = { 0720, 0702, 0770, 0777, 01777 };

	(void)state;
	need_root();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); ++i) {
		assert_int_equal(chmod(dir, modes[i]), 0);
		expect_refused(path_of("log"), -EACCES, "directory");
	}
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chown(dir, 65534, 0), 0);
	expect_refused(path_of("log"), -EACCES, "directory");
	assert_int_equal(access(path_of("log"), F_OK), -1);
	expect_refused("/nowhere/at/all", -ENOENT, "");
}

static void refused_to_a_user(void *ctx)
{
	(void)ctx;
	expect_refused(path_of("log"), -EPERM, "root");
}

static void only_root_may(void **state)
{
	(void)state;
	need_root();
	test_in_child_as_user(refused_to_a_user, NULL);
}

static void *log_many(void *arg)
{
	for (int i = 0; i < EACH; ++i)
		log_one(arg);
	return NULL;
}

static void threads_do_not_mix_lines(void **state)
{
	static char text[THREADS * EACH * sizeof(lines)];
	pthread_t threads[THREADS];
	struct diag why = { 0 };
	struct keylog k;

	(void)state;
	need_root();
	assert_int_equal(keylog_open(path_of("log"), &why, &k), 0);
	for (size_t i = 0; i < THREADS; ++i)
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, &k), 0);
	for (size_t i = 0; i < THREADS; ++i)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	keylog_close(&k);
	assert_int_equal(read_log(text, sizeof(text)), THREADS * EACH * strlen(lines));
	for (size_t i = 0; i < (size_t)THREADS * EACH; ++i)
		assert_memory_equal(text + i * strlen(lines), lines, strlen(lines));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wireshark_reads_it, set_up, tear_down),
		cmocka_unit_test(off_writes_nothing),
		cmocka_unit_test_setup_teardown(a_file_of_others_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_plain_file_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_directory_of_others_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(only_root_may, set_up, tear_down),
		cmocka_unit_test_setup_teardown(threads_do_not_mix_lines, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
