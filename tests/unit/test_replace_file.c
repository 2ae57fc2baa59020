#include "cli/replace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define ACCESS_LIST "system.posix_acl_access"
#define DEFAULT_LIST "system.posix_acl_default"

/* user::rw-, user:9:r--, group::---, mask::r--, other::---: its file shows the mode 0640 */
static const uint8_t list[] = {
	2, 0, 0,    0,    0x01, 0,    6,    0, 0xff, 0xff, 0xff, 0xff, 0x02, 0,    4,
	0, 9, 0,    0,    0,    0x04, 0,    0, 0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,
	4, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 0,    0,    0xff, 0xff, 0xff, 0xff,
};

static char folder[64], file[96];

static void write_old(mode_t mode)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_true(fputs("old", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, mode), 0);
}

static int make_folder(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof(folder), "/tmp/warren-replace-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(file, sizeof(file), "%s/wg0.conf", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return unlink(file) == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static mode_t mode_now(void)
{
	struct stat st;

	assert_int_equal(stat(file, &st), 0);
	return st.st_mode & 07777;
}

static void assert_holds(const char *text)
{
	char bytes[16] = "";
	FILE *f = fopen(file, "r");

	assert_non_null(f);
	assert_non_null(fgets(bytes, sizeof(bytes), f));
	(void)fclose(f); /* only read */
	assert_string_equal(bytes, text);
}

static void mode_and_bytes(void **state)
{
	static const struct {
		mode_t was;
		bool private;
		mode_t is;
	} rows[] = { { 0600, false, 0600 }, { 0640, false, 0640 }, { 0644, true, 0600 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		write_old(rows[i].was);
		assert_int_equal(replace_file(file, "old", 3, "new", 3, rows[i].private), 0);
		assert_holds("new");
		assert_int_equal(mode_now(), rows[i].is);
	}
}

static void what_changed_meanwhile_stays(void **state)
{
	(void)state;
	write_old(0600);
	assert_int_equal(replace_file(file, "ol", 2, "new", 3, false), -ESTALE);
	assert_int_equal(replace_file(file, "oldx", 4, "new", 3, false), -ESTALE);
	assert_holds("old");
}

/* Without its list, the mode 0640 would open it to the group. */
static void access_list_stays(void **state)
{
	uint8_t now[sizeof(list) + 1];

	(void)state;
	write_old(0600);
	if (setxattr(file, ACCESS_LIST, list, sizeof(list), 0) < 0)
		skip(); /* this file system has none */
	assert_int_equal(mode_now(), 0640);
	assert_int_equal(replace_file(file, "old", 3, "new", 3, false), 0);
	assert_holds("new");
	assert_int_equal(mode_now(), 0640);
	assert_int_equal(getxattr(file, ACCESS_LIST, now, sizeof(now)), sizeof(list));
	assert_memory_equal(now, list, sizeof(list));
	assert_int_equal(replace_file(file, "new", 3, "old", 3, true), 0);
	assert_int_equal(mode_now(), 0600); /* the mask takes all from the others */
	assert_int_equal(removexattr(file, ACCESS_LIST), 0);
}

/* What the folder gives to new files, the old one did not have. */
static void list_of_the_folder_is_not_taken(void **state)
{
	uint8_t now[sizeof(list)];

	(void)state;
	write_old(0640);
	if (setxattr(folder, DEFAULT_LIST, list, sizeof(list), 0) < 0)
		skip(); /* this file system has none */
	assert_int_equal(replace_file(file, "old", 3, "new", 3, false), 0);
	assert_int_equal(mode_now(), 0640);
	assert_int_equal(getxattr(file, ACCESS_LIST, now, sizeof(now)), -1);
	assert_int_equal(removexattr(folder, DEFAULT_LIST), 0);
}

static void touch(const char *name, char ret[static 160])
{
	FILE *f;

	(void)snprintf(ret, 160, "%s/%s", folder, name);
	f = fopen(ret, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
}

/* What a killed one left goes; what somebody is writing, and what only looks like it, stays. */
static void fp2_stale_ones_are_swept(void **state)
{
	char stale[160], held[160], other[160];
	int fd;

	(void)state;
	write_old(0600);
	touch(".warren-0123456789abcdef.tmp", stale);
	touch(".warren-1123456789abcdef.tmp", held);
	touch(".warren-0123456789abcdeg.tmp", other);
	fd = open(held, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(replace_file(file, "old", 3, "new", 3, true), 0);
	assert_int_equal(access(stale, F_OK), -1);
	assert_int_equal(unlink(held), 0);
	assert_int_equal(unlink(other), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mode_and_bytes),
		cmocka_unit_test(what_changed_meanwhile_stays),
		cmocka_unit_test(access_list_stays),
		cmocka_unit_test(list_of_the_folder_is_not_taken),
		cmocka_unit_test(fp2_stale_ones_are_swept),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
