#include "device/floor_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"

enum { PATH = 128, WRITERS = 4, EACH = 50 };

static char base[32], dir[PATH];
static const struct key_public zero_key, other_key = { { 0, 1, 2, 3 } };

/* BLAKE2s of 32 zero bytes, by another implementation. */
static const char zero_name[] = "stamp-320b5ea99e653bc2b593db4130d10a4e";

static int set_up(void **state)
{
	(void)state;
	strcpy(base, "/tmp/floor-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	(void)snprintf(dir, sizeof(dir), "%s/warren", base);
	return 0;
}

static void empty(const char *path)
{
	DIR *const d = opendir(path);
	const struct dirent *e;

	while (d && (e = readdir(d))) {
		if (unlinkat(dirfd(d), e->d_name, 0) < 0)
			(void)unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	if (d)
		(void)closedir(d); /* only read */
}

static int tear_down(void **state)
{
	(void)state;
	empty(dir);
	empty(base);
	return rmdir(base);
}

static const char *path_of(const char *name)
{
	static char path[2 * PATH];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static size_t count_files(void)
{
	DIR *const d = opendir(dir);
	const struct dirent *e;
	size_t n = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	(void)closedir(d); /* only read */
	return n;
}

static void put(const char *text, size_t len)
{
	const int fd = open(path_of(zero_name), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

static void none_is_zero(void **state)
{
	(void)state;
	assert_int_equal(floor_file_read(dir, &zero_key), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(floor_file_read(dir, &zero_key), 0);
}

static void what_was_written_is_read(void **state)
{
	static const uint64_t floors[] = { 0,         1,          9, 10, 1700000000000000000U,
					   INT64_MAX, UINT64_MAX, 5 };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(floors); ++i) {
		assert_int_equal(floor_file_write(dir, &zero_key, floors[i]), 0);
		assert_true(floor_file_read(dir, &zero_key) == floors[i]);
	}
	assert_int_equal(floor_file_read(dir, &other_key), 0);
	assert_int_equal(floor_file_write(dir, &other_key, 77), 0);
	assert_int_equal(floor_file_read(dir, &zero_key), 5);
	assert_int_equal(floor_file_read(dir, &other_key), 77);
	assert_int_equal(count_files(), 2);
}

static void only_the_owner_can_read_it(void **state)
{
	const mode_t before = umask(0);
	struct stat st;

	(void)state;
	assert_int_equal(floor_file_write(dir, &zero_key, 123456), 0);
	(void)umask(before);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(lstat(path_of(zero_name), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_size, 7);
}

static const struct {
	const char *text;
	uint64_t expect;
} contents[] = {
	{ "12\n", 12 },
	{ "18446744073709551615\n", UINT64_MAX },
	{ "12", 0 }, /* cut off: it may have been 120 */
	{ "", 0 },
	{ "\n", 0 },
	{ "12\n\n", 0 },
	{ "-1\n", 0 },
	{ "+1\n", 0 },
	{ " 1\n", 0 },
	{ "0x10\n", 0 },
	{ "12a\n", 0 },
	{ "12\n13\n", 0 },
	{ "18446744073709551616\n", 0 },
	{ "99999999999999999999\n", 0 },
	{ "000000000000000000000000000000012\n", 0 },
};

static void what_is_no_number_is_zero(void **state)
{
	char large[10000];

	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	for (size_t i = 0; i < ELEMENTS(contents); ++i) {
		put(contents[i].text, strlen(contents[i].text));
		assert_true(floor_file_read(dir, &zero_key) == contents[i].expect);
	}
	put("1\0002\n", 4);
	assert_int_equal(floor_file_read(dir, &zero_key), 0);
	put("12\n\0", 4);
	assert_int_equal(floor_file_read(dir, &zero_key), 0);
	memset(large, '1', sizeof(large));
	put(large, sizeof(large));
	assert_int_equal(floor_file_read(dir, &zero_key), 0);
	assert_int_equal(floor_file_write(dir, &zero_key, 8), 0); /* and is mended */
	assert_int_equal(floor_file_read(dir, &zero_key), 8);
}

static void links_are_not_followed(void **state)
{
	char new_name[64];
	char target[2 * PATH], temporary[2 * PATH];
	struct stat st;

	(void)state;
	assert_int_equal(floor_file_write(dir, &other_key, 55), 0);
	assert_int_equal(count_files(), 1);
	strcpy(target, path_of("victim"));
	put("42\n", 3);
	assert_int_equal(floor_file_read(dir, &zero_key), 42);
	assert_int_equal(rename(path_of(zero_name), target), 0);
	assert_int_equal(symlink(target, path_of(zero_name)), 0);
	assert_int_equal(floor_file_read(dir, &zero_key), 0);
	(void)snprintf(new_name, sizeof(new_name), "%s.%d.new", zero_name, (int)getpid());
	strcpy(temporary, path_of(new_name));
	assert_int_equal(symlink(target, temporary), 0);
	assert_int_equal(floor_file_write(dir, &zero_key, 8), 0);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(lstat(path_of(zero_name), &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(access(temporary, F_OK), -1);
}

static void a_fifo_does_not_block(void **state)
{
	(void)state;
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mkfifo(path_of(zero_name), 0600), 0);
	assert_int_equal(floor_file_read(dir, &zero_key), 0);
}

/* A full disk, as far as a test can have one: the old number stays, and nothing else. */
static void no_room_leaves_the_old_one(void **state)
{
	struct rlimit before, none;

	(void)state;
	assert_int_equal(floor_file_write(dir, &zero_key, 1234567), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, SIG_IGN);
	for (rlim_t room = 0; room < 8; ++room) {
		none = (struct rlimit){ room, before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
		assert_int_equal(floor_file_write(dir, &zero_key, 7654321), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		assert_int_equal(floor_file_read(dir, &zero_key), 1234567);
		assert_int_equal(count_files(), 1);
	}
	(void)signal(SIGXFSZ, SIG_DFL);
}

/* An engine that is not itself any more does not fill the disk of its host with floors. */
static void a_full_directory_takes_no_new_key(void **state)
{
	char name[32];

	(void)state;
	assert_int_equal(floor_file_write(dir, &zero_key, 1), 0);
	for (unsigned int i = 0; i < FLOOR_FILES_MAX; ++i) {
		FILE *f;

		(void)snprintf(name, sizeof(name), "stamp-%u", i);
		assert_non_null(f = fopen(path_of(name), "w"));
		(void)fclose(f);
	}
	assert_int_equal(floor_file_write(dir, &other_key, 2), -EDQUOT);
	assert_int_equal(floor_file_read(dir, &other_key), 0);
	assert_int_equal(floor_file_write(dir, &zero_key, 3), 0);
	assert_int_equal(floor_file_read(dir, &zero_key), 3);
}

static void a_bad_directory_is_told(void **state)
{
	char deep[2 * PATH];

	(void)state;
	(void)snprintf(deep, sizeof(deep), "%s/a/b", dir);
	assert_int_equal(floor_file_write(deep, &zero_key, 1), -ENOENT);
	assert_int_equal(close(open(dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
	assert_int_equal(floor_file_write(dir, &zero_key, 1), -ENOTDIR);
	assert_int_equal(floor_file_read(dir, &zero_key), 0);
	assert_int_equal(unlink(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mkdir(path_of(zero_name), 0700), 0);
	assert_int_equal(floor_file_write(dir, &zero_key, 1), -EISDIR);
	assert_int_equal(count_files(), 1);
}

/* Two digits or eighteen: a mix of two writers would be neither. */
static void write_often(unsigned int who)
{
	for (unsigned int i = 0; i < EACH; ++i) {
		if (floor_file_write(dir, &zero_key, who % 2 ? 11 : 222222222222222222) != 0)
			_exit(1);
	}
	_exit(0);
}

static void writers_do_not_mix(void **state)
{
	pid_t pids[WRITERS];
	int status;

	(void)state;
	assert_int_equal(floor_file_write(dir, &zero_key, 11), 0);
	for (unsigned int i = 0; i < WRITERS; ++i) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			write_often(i);
	}
	for (unsigned int i = 0; i < 20 * EACH; ++i) {
		const uint64_t floor = floor_file_read(dir, &zero_key);

		assert_true(floor == 11 || floor == 222222222222222222);
	}
	for (unsigned int i = 0; i < WRITERS; ++i) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count_files(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(none_is_zero, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_written_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_the_owner_can_read_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_number_is_zero, set_up, tear_down),
		cmocka_unit_test_setup_teardown(links_are_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_fifo_does_not_block, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_room_leaves_the_old_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_directory_takes_no_new_key, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_bad_directory_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writers_do_not_mix, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
