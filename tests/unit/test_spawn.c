#include "base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SH(text) ((const char *const[]){ "sh", "-c", text, NULL })

static void assert_says(const struct buffer *b, const char *text)
{
	assert_int_equal(b->len, strlen(text));
	if (b->len)
		assert_memory_equal(b->bytes, text, b->len);
}

static void output_errors_and_code(void **state)
{
	static const struct {
		const char *script, *input, *output, *errors;
		int code;
	} rows[] = {
		{ "exit 0", NULL, "", "", 0 },
		{ "exit 7", NULL, "", "", 7 },
		{ "kill -9 $$", NULL, "", "", 137 },
		{ "echo out; echo err >&2", NULL, "out\n", "err\n", 0 },
		{ "cat", "some words", "some words", "", 0 },
		{ "cat", NULL, "", "", 0 },
		{ "exec cat /dev/stdin", "opened again", "opened again", "", 0 },
		{ "true", "nobody reads this", "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		const struct spawn s = { .argv = SH(rows[i].script),
					 .input = rows[i].input,
					 .input_len = rows[i].input ? strlen(rows[i].input) : 0 };
		struct spawn_result r;

		assert_int_equal(spawn_run(&s, &r), 0);
		assert_int_equal(r.code, rows[i].code);
		assert_says(&r.output, rows[i].output);
		assert_says(&r.errors, rows[i].errors);
		spawn_result_done(&r);
	}
}

static void words_reach_no_shell(void **state)
{
	const struct spawn s = { .argv = (const char *const[]){ "printf", "%s|%s", "$(id); `id`",
								"a b\n*", NULL } };
	struct spawn_result r;

	(void)state;
	assert_int_equal(spawn_run(&s, &r), 0);
	assert_says(&r.output, "$(id); `id`|a b\n*");
	spawn_result_done(&r);
}

static void nothing_is_inherited(void **state)
{
	const struct spawn s = {
		.argv = SH("ls /proc/self/fd | tr '\\n' ' '; echo; "
			   "unset PWD OLDPWD SHLVL _; env | sort; "
			   "sed -nE 's/Sig(Blk|Ign).*(.{7})$/\\1 \\2/p' /proc/self/status"),
		.env = (const char *const[]){ "MORE=1", NULL },
	};
	const int fd = dup(STDIN_FILENO); /* without close-on-exec */
	struct spawn_result r;
	sigset_t set;

	(void)state;
	assert_true(fd > STDERR_FILENO);
	assert_int_equal(setenv("SECRET", "x", 1), 0);
	assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
	assert_int_equal(sigemptyset(&set), 0);
	assert_int_equal(sigaddset(&set, SIGTERM), 0);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	assert_int_equal(spawn_run(&s, &r), 0);
	assert_says(&r.output, "0 1 2 3 \n" /* 3: the folder that ls reads */
			       "HOME=/root\nLC_ALL=C\nMORE=1\nPATH=" SPAWN_PATH "\n"
			       "Blk 0000000\nIgn 0000000\n");
	spawn_result_done(&r);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
	assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
	assert_int_equal(unsetenv("SECRET"), 0);
	assert_int_equal(close(fd), 0);
}

static void held_descriptor_is_the_fourth(void **state)
{
	const struct spawn s = { .argv = SH("ls /proc/self/fd | tr '\\n' ' '; "
					    "test /proc/self/fd/3 -ef /dev/null || echo other") };
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct spawn_result r;

	(void)state;
	assert_true(fd >= 0);
	spawn_hold(fd);
	assert_int_equal(spawn_run(&s, &r), 0);
	assert_says(&r.output, "0 1 2 3 4 ");
	spawn_result_done(&r);
	spawn_hold(-1);
	assert_int_equal(close(fd), 0);
}

static void what_is_not_there(void **state)
{
	static const char *const names[] = { "warren-no-such-program",
					     "",
					     "/etc/passwd",
					     "/usr",
					     "./sh",
					     "bin/sh",
					     "../bin/sh",
					     "/nowhere/sh" };
	char path[SPAWN_NAME];

	(void)state;
	assert_int_equal(setenv("PATH", "/nowhere", 1), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
		const struct spawn s = { .argv = (const char *const[]){ names[i], NULL } };
		struct spawn_result r;

		assert_false(spawn_find(names[i], path));
		assert_int_equal(spawn_run(&s, &r), -ENOENT);
		spawn_result_done(&r);
	}
	assert_true(spawn_find("sh", path)); /* whatever PATH says */
	assert_int_equal(path[0], '/');
	assert_true(spawn_find("/bin/sh", path));
	assert_string_equal(path, "/bin/sh");
}

static bool sleeps(long pid)
{
	char file[64], text[64] = "";
	FILE *f;

	(void)snprintf(file, sizeof(file), "/proc/%ld/cmdline", pid);
	f = fopen(file, "r");
	if (!f)
		return false;
	(void)!fgets(text, sizeof(text), f); /* nothing, of a zombie */
	(void)fclose(f);                     /* only read */
	return strcmp(text, "sleep") == 0;
}

static void too_slow_is_killed_with_its_children(void **state)
{
	const struct spawn s = { .argv = SH("sleep 1000 & echo $!; wait"), .timeout_ms = 300 };
	struct spawn_result r;
	long pid = 0;

	(void)state;
	assert_int_equal(spawn_run(&s, &r), -ETIMEDOUT);
	buffer_append(&r.output, "", 1);
	pid = strtol(r.output.bytes, NULL, 10); /* 0: on a slow machine it has not come so far */
	for (int i = 0; pid > 0 && sleeps(pid) && i < 6000; ++i)
		assert_int_equal(usleep(10000), 0);
	assert_false(pid > 0 && sleeps(pid));
	spawn_result_done(&r);
}

static void background_child_does_not_keep_us(void **state)
{
	const struct spawn s = { .argv = SH("sleep 60 & echo $!") };
	struct spawn_result r;

	(void)state;
	assert_int_equal(spawn_run(&s, &r), 0);
	assert_int_equal(r.code, 0);
	buffer_append(&r.output, "", 1);
	assert_int_equal(kill((pid_t)strtol(r.output.bytes, NULL, 10), SIGKILL), 0);
	spawn_result_done(&r);
}

static void output_has_a_bound(void **state)
{
	static const struct {
		const char *script;
		size_t max;
		int status;
		size_t len;
	} rows[] = {
		{ "printf 12345", 5, 0, 5 },
		{ "printf 123456", 5, -EFBIG, 0 },
		{ "exec yes", 100000, -EFBIG, 0 }, /* and is ended */
		{ "yes | head -c 300000 >&2; echo done", 10, 0, 5 },
		{ "yes | head -c 300000", 0, 0, 300000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		const struct spawn s = { .argv = SH(rows[i].script), .output_max = rows[i].max };
		struct spawn_result r;

		assert_int_equal(spawn_run(&s, &r), rows[i].status);
		if (rows[i].status == 0)
			assert_int_equal(r.output.len, rows[i].len);
		assert_true(r.errors.len <= SPAWN_ERRORS);
		spawn_result_done(&r);
	}
}

static void first_error(void **state)
{
	static const struct {
		const char *said, *line;
	} rows[] = {
		{ "", "" },
		{ "\n\n  first\nsecond\n", "first" },
		{ "no end", "no end" },
		{ "\033[31mred\n", "?[31mred" },
		{ "123456789012345678901234567890", "1234567890123456789" },
	};
	char line[20];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
		struct spawn_result r = { 0 };

		buffer_append(&r.errors, rows[i].said, strlen(rows[i].said));
		spawn_first_error(&r, line, sizeof(line));
		assert_string_equal(line, rows[i].line);
		spawn_result_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_errors_and_code),
		cmocka_unit_test(words_reach_no_shell),
		cmocka_unit_test(nothing_is_inherited),
		cmocka_unit_test(too_slow_is_killed_with_its_children),
		cmocka_unit_test(background_child_does_not_keep_us),
		cmocka_unit_test(output_has_a_bound),
		cmocka_unit_test(first_error),
		cmocka_unit_test(held_descriptor_is_the_fourth),
		cmocka_unit_test(what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
