#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A write of up to PIPE_BUF bytes to a pipe that polls writable is whole and never sleeps. */
enum { LINE_SIZE = 512 };
static_assert(LINE_SIZE <= PIPE_BUF, "a line goes out whole");

/* Written by log_setup, read by every thread. */
static _Atomic(enum log_level) wanted = LOG_ERROR;
static _Atomic(const char *) tunnel = NULL;
static atomic_bool journal;
static atomic_bool is_system;

/* Holds two threads back from filling the same last room of a pipe between poll and write. */
static pthread_mutex_t writer = PTHREAD_MUTEX_INITIALIZER;
static unsigned long dropped; /* under writer */

static const struct {
	const char *text;
	enum log_level level;
} levels[] = {
	{ "verbose", LOG_DEBUG }, { "debug", LOG_DEBUG }, { "info", LOG_INFO },
	{ "warn", LOG_WARN },     { "error", LOG_ERROR }, { "silent", LOG_SILENT },
};

enum log_level log_level_from_text(const char *text, enum log_level otherwise)
{
	for (size_t i = 0; text && i < sizeof(levels) / sizeof(levels[0]); ++i) {
		if (strcmp(text, levels[i].text) == 0)
			return levels[i].level;
	}
	return otherwise;
}

void log_setup(enum log_level level, const char *name)
{
	wanted = level;
	tunnel = name;
	journal = getenv("JOURNAL_STREAM") != NULL;
	is_system = false;
}

void log_to_system(void)
{
	is_system = true;
}

bool log_wants(enum log_level level)
{
	return level != LOG_SILENT && level <= wanted;
}

/* syslog(3)'s numbers, without its names: they collide with ours. Of a daemon, where it asks. */
static const char *priority(enum log_level level)
{
	switch (level) {
	case LOG_SILENT:
	case LOG_ERROR:
		return is_system ? "<27>" : "<3>";
	case LOG_WARN:
		return is_system ? "<28>" : "<4>";
	case LOG_INFO:
		return is_system ? "<30>" : "<6>";
	case LOG_DEBUG:
		return is_system ? "<31>" : "<7>";
	}
	return "";
}

/* A peer chooses some of what is logged; it must not start a line or steer a terminal. */
static void disarm(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; ++p) {
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
}

/* Returns where the text goes; there is room for at least its NUL. */
static size_t begin_line(char buf[static LINE_SIZE], enum log_level level)
{
	const char *name = tunnel;
	const char *head = journal || is_system ? priority(level) : "";
	const int len = snprintf(buf, LINE_SIZE, "%swarren: %s%s", head, name ? name : "",
				 name ? ": " : "");

	return len < 0 ? 0 : len < LINE_SIZE ? (size_t)len : LINE_SIZE - 1;
}

/* Returns the length. The newline takes the place of NUL, also where the text was cut. */
static size_t end_line(char buf[static LINE_SIZE])
{
	size_t len;

	disarm(buf);
	len = strlen(buf);
	buf[len++] = '\n';
	return len;
}

/* POLLERR is a pipe without a reader: a write would raise SIGPIPE. */
static bool put(const char *line, size_t len)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&room, 1, 0) == 1 && room.revents == POLLOUT &&
	       write(STDERR_FILENO, line, len) == (ssize_t)len;
}

static bool put_loss(void)
{
	char line[LINE_SIZE];
	const size_t head = begin_line(line, LOG_WARN);

	/* cut at worst */
	(void)snprintf(line + head, LINE_SIZE - head, "%lu log lines were dropped", dropped);
	return put(line, end_line(line));
}

void log_line(enum log_level level, const char *format, ...)
{
	const int saved = errno;
	char line[LINE_SIZE];
	size_t head, len;
	va_list args;

	if (!log_wants(level))
		return;
	head = begin_line(line, level);
	va_start(args, format);
	if (vsnprintf(line + head, LINE_SIZE - head, format, args) < 0)
		line[head] = '\0';
	va_end(args);
	len = end_line(line);

	(void)pthread_mutex_lock(&writer); /* can't fail: a plain mutex, never taken twice */
	if (dropped && put_loss())
		dropped = 0;
	if (dropped || !put(line, len))
		++dropped;
	(void)pthread_mutex_unlock(&writer); /* held by us */
	errno = saved;
}
