#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

enum { THREADS = 4, LINES = 5000 };

static int saved = -1; /* the true standard error */
static int reader = -1;

/* Standard error becomes a pipe. */
static int open_pipe(void **state)
{
	int ends[2];

	(void)state;
	if (pipe(ends) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return -1;
	(void)fcntl(ends[1], F_SETPIPE_SZ, 4 * PIPE_BUF); /* only makes the test faster */
	saved = dup(STDERR_FILENO);
	if (saved < 0 || dup2(ends[1], STDERR_FILENO) < 0)
		return -1;
	close(ends[1]);
	reader = ends[0];
	return 0;
}

static int close_pipe(void **state)
{
	(void)state;
	(void)dup2(saved, STDERR_FILENO); /* was open a moment ago */
	close(saved);
	if (reader >= 0)
		close(reader);
	reader = -1;
	unsetenv("JOURNAL_STREAM");
	return 0;
}

/* What stands in the pipe, at most size - 1 bytes of it. */
static size_t drain(char *ret, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		const ssize_t n = read(reader, ret + len, size - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	ret[len] = '\0';
	return len;
}

static void assert_logged(const char *expected)
{
	char text[PIPE_BUF];

	(void)drain(text, sizeof(text));
	assert_string_equal(text, expected);
}

static void level_names(void **state)
{
	static const struct {
		const char *text;
		enum log_level level;
	} table[] = {
		{ "verbose", LOG_DEBUG }, { "debug", LOG_DEBUG }, { "info", LOG_INFO },
		{ "warn", LOG_WARN },     { "error", LOG_ERROR }, { "silent", LOG_SILENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); ++i) {
		assert_int_equal(log_level_from_text(table[i].text, LOG_ERROR), table[i].level);
		assert_int_equal(log_level_from_text(table[i].text, LOG_INFO), table[i].level);
	}
	assert_int_equal(log_level_from_text("", LOG_WARN), LOG_WARN);
	assert_int_equal(log_level_from_text("DEBUG", LOG_WARN), LOG_WARN);
	assert_int_equal(log_level_from_text("debug ", LOG_WARN), LOG_WARN);
	assert_int_equal(log_level_from_text(NULL, LOG_SILENT), LOG_SILENT);
}

static void levels(void **state)
{
	(void)state;
	for (enum log_level set = LOG_SILENT; set <= LOG_DEBUG; ++set) {
		log_setup(set, "wg0");
		assert_false(log_wants(LOG_SILENT));
		for (enum log_level l = LOG_ERROR; l <= LOG_DEBUG; ++l) {
			assert_int_equal(log_wants(l), l <= set);
			log_line(l, "line %d", (int)l);
			assert_logged(l > set          ? ""
				      : l == LOG_ERROR ? "warren: wg0: line 1\n"
				      : l == LOG_WARN  ? "warren: wg0: line 2\n"
				      : l == LOG_INFO  ? "warren: wg0: line 3\n"
						       : "warren: wg0: line 4\n");
		}
		log_line(LOG_SILENT, "never");
		assert_logged("");
	}
}

static void journal_priorities(void **state)
{
	(void)state;
	assert_int_equal(setenv("JOURNAL_STREAM", "8:1", 1), 0);
	log_setup(LOG_DEBUG, "wg0");
	log_line(LOG_ERROR, "a");
	log_line(LOG_WARN, "b");
	log_line(LOG_INFO, "c");
	log_line(LOG_DEBUG, "d");
	assert_logged("<3>warren: wg0: a\n<4>warren: wg0: b\n<6>warren: wg0: c\n"
		      "<7>warren: wg0: d\n");
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	log_setup(LOG_DEBUG, "wg0");
	log_line(LOG_ERROR, "a");
	assert_logged("warren: wg0: a\n");
}

static void system_priorities(void **state)
{
	(void)state;
	log_setup(LOG_DEBUG, "wg0");
	log_to_system();
	log_line(LOG_ERROR, "a");
	log_line(LOG_WARN, "b");
	log_line(LOG_INFO, "c");
	log_line(LOG_DEBUG, "d");
	assert_logged("<27>warren: wg0: a\n<28>warren: wg0: b\n<30>warren: wg0: c\n"
		      "<31>warren: wg0: d\n");
	log_setup(LOG_DEBUG, "wg0");
	log_line(LOG_ERROR, "a");
	assert_logged("warren: wg0: a\n");
}

static void control_characters(void **state)
{
	(void)state;
	log_setup(LOG_INFO, "wg0");
	log_line(LOG_INFO, "%s", "a\nwarren: wg0: forged");
	assert_logged("warren: wg0: a?warren: wg0: forged\n");
	log_line(LOG_INFO, "%s", "\x1b[2J\r\t\x7f\x01 end");
	assert_logged("warren: wg0: ?[2J???? end\n");
	log_line(LOG_INFO, "%s",
		 "m\xc3\xbcller \xc2\x9b"
		 "2J \xc2\xa9");
	assert_logged("warren: wg0: m\xc3\xbcller ??2J \xc2\xa9\n");
	log_setup(LOG_INFO, NULL);
	log_line(LOG_INFO, "x");
	assert_logged("warren: x\n");
	log_setup(LOG_INFO, "w\ng");
	log_line(LOG_INFO, "x");
	assert_logged("warren: w?g: x\n");
}

/* One line out, whatever its length, never longer than what a pipe takes at once. */
static void long_lines(void **state)
{
	char text[2000], got[PIPE_BUF];

	(void)state;
	log_setup(LOG_INFO, "wg0");
	memset(text, 'x', sizeof(text));
	for (size_t len = 400; len < sizeof(text); ++len) {
		const size_t head = strlen("warren: wg0: ");
		size_t n;

		text[len] = '\0';
		log_line(LOG_INFO, "%s", text);
		n = drain(got, sizeof(got));
		assert_int_equal(n, head + len < 512 ? head + len + 1 : 512);
		assert_int_equal(got[n - 1], '\n');
		assert_memory_equal(got, "warren: wg0: x", head + 1);
		text[len] = 'x';
	}
}

static void keeps_errno(void **state)
{
	int fd;

	(void)state;
	log_setup(LOG_INFO, "wg0");
	errno = EXDEV;
	log_line(LOG_INFO, "x");
	assert_int_equal(errno, EXDEV);
	log_line(LOG_DEBUG, "x");
	assert_int_equal(errno, EXDEV);

	/* polls writable, and is not */
	fd = open("/dev/null", O_RDONLY);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	errno = EXDEV;
	log_line(LOG_INFO, "x");
	assert_int_equal(errno, EXDEV);
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;

	for (; (text = strchr(text, '\n')) != NULL; ++text)
		++lines;
	return lines;
}

/* Nobody reads: the lines that do not fit are counted, and told as soon as there is room. */
static void full_pipe(void **state)
{
	static char text[1 << 20];
	unsigned long lost = 0;
	size_t kept;
	char *told;

	(void)state;
	log_setup(LOG_INFO, "wg0");
	alarm(20); /* blocking would last for ever */
	for (int i = 0; i < LINES; ++i)
		log_line(LOG_INFO, "line %d of many, with some more to fill the pipe", i);
	alarm(0);
	(void)drain(text, sizeof(text));
	kept = count_lines(text);
	assert_true(kept > 0 && kept < LINES);
	assert_null(strstr(text, "dropped"));
	assert_int_equal(text[strlen(text) - 1], '\n');

	log_line(LOG_INFO, "after");
	(void)drain(text, sizeof(text));
	told = strstr(text, "wg0: ");
	assert_non_null(told);
	lost = strtoul(told + 5, &told, 10);
	assert_int_equal(lost, LINES - kept);
	assert_string_equal(told, " log lines were dropped\nwarren: wg0: after\n");

	log_line(LOG_INFO, "again");
	assert_logged("warren: wg0: again\n");
}

static void *write_many(void *arg)
{
	for (int i = 0; i < LINES; ++i)
		log_line(LOG_INFO, "line %d of thread %d with an end", i, *(const int *)arg);
	return NULL;
}

static void *read_slowly(void *arg)
{
	const atomic_bool *stop = arg;
	static char text[8 << 20];
	size_t len = 0;

	while (!*stop || len == 0) {
		len += drain(text + len, 2 + (len % 700));
		usleep(10);
	}
	len += drain(text + len, sizeof(text) - len);
	return text;
}

/* Lines of several threads come out whole, and never block on a slow reader. */
static void many_threads(void **state)
{
	pthread_t ids[THREADS], slow;
	int numbers[THREADS];
	atomic_bool stop = false;
	unsigned long seen = 0, lost = 0;
	void *text;

	(void)state;
	log_setup(LOG_INFO, "wg0");
	alarm(50);
	assert_int_equal(pthread_create(&slow, NULL, read_slowly, &stop), 0);
	for (int i = 0; i < THREADS; ++i) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&ids[i], NULL, write_many, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; ++i)
		assert_int_equal(pthread_join(ids[i], NULL), 0);
	stop = true;
	assert_int_equal(pthread_join(slow, &text), 0);
	log_line(LOG_INFO, "line 0 of thread 0 with an end"); /* brings the last losses */
	(void)drain((char *)text + strlen(text), PIPE_BUF);
	alarm(0);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		int i, thread, end = 0;
		unsigned long n;

		if (sscanf(line, "warren: wg0: line %d of thread %d with an end%n", &i, &thread,
			   &end) == 2 &&
		    end && line[end] == '\0')
			++seen;
		else if (sscanf(line, "warren: wg0: %lu log lines were dropped%n", &n, &end) == 1)
			lost += n;
		else {
			print_message("a torn line: %s\n", line);
			fail();
		}
	}
	assert_int_equal(seen + lost, THREADS * LINES + 1);
}

/* The reader went away: no SIGPIPE, no error. */
static void no_reader(void **state)
{
	(void)state;
	log_setup(LOG_INFO, "wg0");
	close(reader);
	reader = -1;
	log_line(LOG_INFO, "x");
	log_line(LOG_INFO, "y");
	close(STDERR_FILENO);
	log_line(LOG_INFO, "z");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(level_names),
		cmocka_unit_test_setup_teardown(levels, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(journal_priorities, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(system_priorities, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(control_characters, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(long_lines, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(full_pipe, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(many_threads, open_pipe, close_pipe),
		/* the last two leave lines behind that they lost */
		cmocka_unit_test_setup_teardown(keeps_errno, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(no_reader, open_pipe, close_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
