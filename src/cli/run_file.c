#include "cli/run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/write_all.h"

enum { NAME_ROOM = JOURNAL_BASE + 16, SIZE_MAX_READ = 512 << 20 };
#define TEMPORARY ".tmp"

static void name_of(const struct journal *j, const char *end, const char *more,
		    char ret[static NAME_ROOM])
{
	(void)snprintf(ret, NAME_ROOM, "%s%s%s", j->base, end, more); /* fits */
}

/* It gets its name when it is written. */
int run_file_write(const struct journal *j, const char *end, const struct buffer *b)
{
	char name[NAME_ROOM], temporary[NAME_ROOM];
	int fd, status;

	name_of(j, end, "", name);
	name_of(j, end, TEMPORARY, temporary);
	(void)unlinkat(j->run, temporary, 0); /* of a killed one */
	fd = openat(j->run, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	status = write_all(fd, b->bytes, b->len);
	if (close(fd) < 0 && status == 0)
		status = -errno;
	if (status == 0 && renameat(j->run, temporary, j->run, name) < 0)
		status = -errno;
	if (status < 0)
		(void)unlinkat(j->run, temporary, 0); /* the failure before it counts */
	return status;
}

/* Nobody but root may have written it. */
static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 077);
}

static int read_all(int fd, struct buffer *b)
{
	char piece[65536];
	int status = 0;
	ssize_t n;

	while (status == 0 && (n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno != EINTR)
			status = -errno;
		if (n > 0)
			buffer_append(b, piece, (size_t)n);
		if (b->len > SIZE_MAX_READ)
			status = -EFBIG;
	}
	explicit_bzero(piece, sizeof(piece));
	return status == 0 && !buffer_ok(b) ? -ENOMEM : status;
}

int run_file_read(const struct journal *j, const char *end, struct buffer *b)
{
	char name[NAME_ROOM];
	int fd, status;

	name_of(j, end, "", name);
	fd = openat(j->run, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	status = is_ours(fd) ? read_all(fd, b) : -EPERM;
	(void)close(fd); /* only read */
	return status;
}

void run_file_remove(const struct journal *j, const char *end)
{
	static const char *const more[] = { "", TEMPORARY };
	char name[NAME_ROOM];

	for (size_t i = 0; i < ELEMENTS(more); ++i) {
		name_of(j, end, more[i], name);
		(void)unlinkat(j->run, name, 0); /* without the journal it means nothing */
	}
}

void run_file_remove_all(const struct journal *j)
{
	static const char *const ends[] = { RUN_FILE_SYNC, RUN_FILE_CONFIRM, RUN_FILE_BASE };

	for (size_t i = 0; i < ELEMENTS(ends); ++i)
		run_file_remove(j, ends[i]);
}
