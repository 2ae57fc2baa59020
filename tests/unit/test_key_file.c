#include "cli/key_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"

#define KEY "ERERERERERERERERERERERERERERERERERERERERERE="
#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static char folder[] = "/tmp/warren-key-XXXXXX";

static int enter_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return chdir("/") || rmdir(folder);
}

static void put(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

#define TEXT(text) text, sizeof(text) - 1

static const struct {
	const char *text;
	size_t len;
	enum key_file_error error;
	char trailing;
	uint8_t first; /* of the key */
} rows[] = {
	{ TEXT(KEY "\n"), KEY_FILE_OK, 0, 0x11 },
	{ TEXT(KEY), KEY_FILE_OK, 0, 0x11 },
	{ TEXT(KEY " \t\r\n\v\f\n"), KEY_FILE_OK, 0, 0x11 },
	{ TEXT(ZEROS "\n"), KEY_FILE_OK, 0, 0 },
	{ TEXT(""), KEY_FILE_OK, 0, 0 },
	{ TEXT(" "), KEY_FILE_LENGTH, 0, 0xff },
	{ TEXT("\n" KEY), KEY_FILE_TRAILING, '=', 0xff },
	{ TEXT(KEY "\nx"), KEY_FILE_TRAILING, 'x', 0xff },
	{ TEXT(KEY "\0"), KEY_FILE_TRAILING, '\0', 0xff },
	{ TEXT("ERERERERERERERERERERERERERERERERERERERERERE"), KEY_FILE_LENGTH, 0, 0xff },
	{ TEXT("ERERERERERERERERERERERERERERERERERERERERERF="), KEY_FILE_FORMAT, 0, 0xff },
	{ TEXT("!RERERERERERERERERERERERERERERERERERERERERE="), KEY_FILE_FORMAT, 0, 0xff },
	{ TEXT("\0RERERERERERERERERERERERERERERERERERERERERE="), KEY_FILE_FORMAT, 0, 0xff },
};

static void each_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		uint8_t key[KEY_LEN];
		char trailing = '\0';

		memset(key, 0xff, sizeof(key));
		put("key", rows[i].text, rows[i].len);
		assert_int_equal(key_file_read("key", key, &trailing), rows[i].error);
		assert_int_equal(trailing, rows[i].trailing);
		assert_int_equal(key[0], rows[i].first);
	}
	assert_int_equal(unlink("key"), 0);
}

static void what_is_no_file(void **state)
{
	uint8_t key[KEY_LEN];
	char trailing;

	(void)state;
	assert_int_equal(key_file_read("nope", key, &trailing), KEY_FILE_NO_OPEN);
	assert_int_equal(key_file_read(".", key, &trailing), KEY_FILE_LENGTH);
	assert_int_equal(key_file_read("/dev/null", key, &trailing), KEY_FILE_OK);
	assert_int_equal(key[31], 0);
}

static void fs6_written_for_its_owner_alone(void **state)
{
	const mode_t mask = umask(0);
	uint8_t key[KEY_LEN], again[KEY_LEN];
	char trailing;
	struct stat st;

	(void)state;
	memset(key, 0x11, sizeof(key));
	assert_int_equal(key_file_write("key", key), 0);
	(void)umask(mask);
	assert_int_equal(stat("key", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 45);
	assert_int_equal(key_file_read("key", again, &trailing), KEY_FILE_OK);
	assert_memory_equal(again, key, sizeof(key));
	assert_int_equal(unlink("key"), 0);
}

static void fs6_goes_over_nothing(void **state)
{
	uint8_t key[KEY_LEN] = { 0 };
	struct stat st;

	(void)state;
	put("old", "mine", 4);
	assert_int_equal(symlink("aim", "link"), 0);
	assert_int_equal(key_file_write("old", key), 1);
	assert_int_equal(key_file_write("link", key), 1);
	assert_int_equal(key_file_write("no/such", key), 1);
	assert_int_equal(stat("old", &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_not_equal(stat("aim", &st), 0);
	assert_int_equal(unlink("old"), 0);
	assert_int_equal(unlink("link"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_file),
		cmocka_unit_test(what_is_no_file),
		cmocka_unit_test(fs6_written_for_its_owner_alone),
		cmocka_unit_test(fs6_goes_over_nothing),
	};

	return cmocka_run_group_tests(tests, enter_folder, remove_folder);
}
