#include "cli/replace_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/write_all.h"

/* The access list of a file that has one: acl(5). */
#define ACCESS_LIST "system.posix_acl_access"
enum { ACCESS_LIST_ROOM = 4 + 256 * 8 };

struct target {
	char *path; /* no link */
	const char *name;
	int folder;
	struct stat was;
	uint8_t list[ACCESS_LIST_ROOM];
	ssize_t list_len; /* negative: none, or one that is too long for us */
	bool list_too_long;
	char temporary[48];
};

static int open_target(struct target *t, const char *path)
{
	char *slash;

	*t = (struct target){ .path = realpath(path, NULL), .folder = -1 };
	if (!t->path)
		return -errno;
	slash = strrchr(t->path, '/');
	t->name = slash + 1;
	*slash = '\0';
	t->folder = open(t->path[0] ? t->path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->folder < 0 ? -errno : 0;
}

static void close_target(struct target *t)
{
	if (t->folder >= 0)
		close(t->folder);
	free(t->path);
}

static bool has_bytes(int fd, const char *bytes, size_t len)
{
	char piece[4096];
	bool same = true;
	size_t at = 0;
	ssize_t got;

	while (same && (got = read(fd, piece, sizeof(piece))) > 0) {
		same = (size_t)got <= len - at && memcmp(piece, bytes + at, (size_t)got) == 0;
		at += (size_t)got;
	}
	explicit_bzero(piece, sizeof(piece));
	return same && at == len;
}

static void read_list(struct target *t, int fd)
{
	t->list_len = fgetxattr(fd, ACCESS_LIST, t->list, sizeof(t->list));
	t->list_too_long = t->list_len < 0 && errno == ERANGE;
}

static int check_old(struct target *t, const char *old, size_t len)
{
	const int fd = openat(t->folder, t->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int status = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &t->was) < 0)
		status = -errno;
	else if (!S_ISREG(t->was.st_mode))
		status = -EINVAL;
	else if (!has_bytes(fd, old, len))
		status = -ESTALE;
	read_list(t, fd);
	close(fd);
	return status;
}

#define TEMPORARY_START ".warren-"
#define TEMPORARY_END ".tmp"
enum { TEMPORARY_LEN = 8 + 16 + 4 };

static bool is_temporary(const char *name)
{
	return strlen(name) == TEMPORARY_LEN && strncmp(name, TEMPORARY_START, 8) == 0 &&
	       strspn(name + 8, "0123456789abcdef") == 16 && strcmp(name + 24, TEMPORARY_END) == 0;
}

/* Whoever makes one locks it as long as it lives: one that can be locked is of the dead. */
static void remove_stale(const struct target *t, const char *name)
{
	const int fd = openat(t->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	    flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(t->folder, name, 0); /* it was there before, too */
	close(fd);
}

/* What a killed one left: it may hold keys. */
static void sweep(const struct target *t)
{
	const int fd = openat(t->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);

	if (!folder) {
		if (fd >= 0)
			close(fd);
		return;
	}
	for (const struct dirent *e; (e = readdir(folder));)
		if (is_temporary(e->d_name))
			remove_stale(t, e->d_name);
	closedir(folder);
}

static int make_temporary(struct target *t)
{
	uint64_t number;
	int fd;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return -EIO;
	(void)snprintf(t->temporary, sizeof(t->temporary), TEMPORARY_START "%016llx" TEMPORARY_END,
		       (unsigned long long)number);
	fd = openat(t->folder, t->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	return fd < 0 ? -errno : fd;
}

/* Somebody's sweep may come between making and locking it. */
static int open_temporary(struct target *t)
{
	struct stat st;
	int fd;

	for (int i = 0; i < 8; ++i) {
		fd = make_temporary(t);
		if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &st) < 0 || st.st_nlink > 0)
			return fd; /* without a lock it may be swept, and then nothing is lost */
		close(fd);
	}
	return -EAGAIN;
}

/* The old one's list, or none: new files may get one from the folder. */
static bool take_over_list(const struct target *t, int fd)
{
	if (t->list_len > 0)
		return fsetxattr(fd, ACCESS_LIST, t->list, (size_t)t->list_len, 0) == 0;
	if (t->list_too_long)
		return false;
	return fremovexattr(fd, ACCESS_LIST) == 0 || errno == ENODATA || errno == EOPNOTSUPP;
}

/*
 * Who may not keep the owner keeps the others out. With a list, the mode's bits of the group are
 * the most that anybody of it may do: without it they would open the file to the group.
 */
static int take_over(const struct target *t, int fd, bool private)
{
	mode_t mode = t->was.st_mode & 0777;

	if (fchown(fd, t->was.st_uid, t->was.st_gid) < 0)
		mode &= 0700;
	if (!take_over_list(t, fd))
		mode &= ~(mode_t)070;
	if (private)
		mode = 0600;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

static int replace(struct target *t, const char *bytes, size_t len, bool private)
{
	int status, fd;

	sweep(t);
	fd = open_temporary(t);
	if (fd < 0)
		return fd;
	status = write_all(fd, bytes, len);
	if (status == 0)
		status = take_over(t, fd, private);
	if (status == 0 && fsync(fd) < 0)
		status = -errno;
	if (close(fd) < 0 && status == 0)
		status = -errno;
	if (status == 0 && renameat(t->folder, t->temporary, t->folder, t->name) < 0)
		status = -errno;
	if (status < 0)
		(void)unlinkat(t->folder, t->temporary, 0); /* the failure before it counts */
	else
		(void)fsync(t->folder); /* old or new, it is whole; some file systems refuse */
	return status;
}

int replace_file(const char *path, const char *old, size_t old_len, const char *bytes, size_t len,
		 bool private)
{
	struct target t;
	int status = open_target(&t, path);

	if (status == 0)
		status = check_old(&t, old, old_len);
	if (status == 0)
		status = replace(&t, bytes, len, private);
	close_target(&t);
	return status;
}

int replace_mode(const char *path)
{
	struct target t;
	int status = open_target(&t, path), fd = -1;

	if (status == 0) {
		fd = openat(t.folder, t.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		status = fd < 0 || fstat(fd, &t.was) < 0 ? -errno : 0;
	}
	if (status == 0 && !S_ISREG(t.was.st_mode)) /* /dev/null, say */
		status = -EINVAL;
	if (status == 0 && fchmod(fd, 0600) < 0)
		status = -errno;
	if (fd >= 0)
		close(fd);
	close_target(&t);
	return status;
}
