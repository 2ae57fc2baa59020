#include "device/floor_file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "base/write_all.h"
#include "crypto/crypto.h"

enum { NAME = 48, NAME_NEW = 64, NAME_HASH = 16, NUMBER = 24 };

static const char prefix[] = "stamp-";
static const char suffix[] = ".new";

static void name_of(const struct key_public *key, char ret[static NAME],
		    char ret_new[static NAME_NEW])
{
	char hex[2 * NAME_HASH + 1];
	uint8_t hash[CRYPTO_HASH];

	static_assert(sizeof(prefix) + sizeof(hex) + sizeof(suffix) < NAME, "room");
	crypto_blake2s(hash, key->bytes, sizeof(key->bytes));
	text_hex_from_bytes(hash, NAME_HASH, hex);
	(void)snprintf(ret, NAME, "%s%s", prefix, hex);
	/* Two writers never share a half-written file, and nobody waits for another. */
	(void)snprintf(ret_new, NAME_NEW, "%s%s.%d%s", prefix, hex, (int)getpid(), suffix);
}

/* A directory that others can write could hold anything under our names. */
static bool is_private(int dirfd)
{
	struct stat st;

	return fstat(dirfd, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int open_dir(const char *dir)
{
	const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (is_private(fd))
		return fd;
	close(fd);
	return -EPERM;
}

static size_t count_files(int dirfd)
{
	const int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const d = fd < 0 ? NULL : fdopendir(fd);
	size_t n = 0;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return 0; /* what follows will fail too */
	}
	while (readdir(d))
		++n;
	(void)closedir(d); /* only read */
	return n;
}

static bool has_room(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       count_files(dirfd) < FLOOR_FILES_MAX;
}

/* The whole of a short regular file as text; negative errno. */
static int read_text(int dirfd, const char *name, char *ret, size_t room)
{
	const int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int error = -EINVAL;
	struct stat st;
	ssize_t len;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		goto out;
	len = read(fd, ret, room);
	if (len < 0)
		error = -errno;
	if (len < 0 || (size_t)len >= room || memchr(ret, '\0', (size_t)len))
		goto out;
	ret[len] = '\0';
	error = 0;
out:
	close(fd);
	return error;
}

static bool parse_floor(char *text, uint64_t *ret)
{
	const size_t len = strlen(text);

	if (len == 0 || text[len - 1] != '\n')
		return false;
	text[len - 1] = '\0';
	return text_to_uint(text, UINT64_MAX, ret);
}

uint64_t floor_file_read(const char *dir, const struct key_public *key)
{
	char name[NAME], unused[NAME_NEW], text[NUMBER];
	const int dirfd = open_dir(dir);
	uint64_t floor = 0;
	int error = dirfd;

	name_of(key, name, unused);
	if (dirfd >= 0) {
		error = read_text(dirfd, name, text, sizeof(text));
		close(dirfd);
	}
	if (error == -ENOENT)
		return 0;
	if (error < 0)
		log_line(LOG_WARN, "%s/%s: %s; handshake stamps start anew", dir, name,
			 strerrordesc_np(-error));
	else if (!parse_floor(text, &floor))
		log_line(LOG_WARN, "%s/%s holds no number; handshake stamps start anew", dir, name);
	return floor;
}

static int write_new(int dirfd, const char *name, const char *text)
{
	int error, fd;

	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	error = write_all(fd, text, strlen(text));
	if (!error && fsync(fd) < 0)
		error = -errno;
	if (close(fd) < 0 && !error)
		error = -errno;
	return error;
}

static int replace(int dirfd, const char *name, const char *name_new, const char *text)
{
	int error;

	error = write_new(dirfd, name_new, text);
	if (!error && renameat(dirfd, name_new, dirfd, name) < 0)
		error = -errno;
	if (error)
		(void)unlinkat(dirfd, name_new, 0); /* the first error is the one to tell */
	else if (fsync(dirfd) < 0)
		error = -errno;
	return error;
}

int floor_file_write(const char *dir, const struct key_public *key, uint64_t floor)
{
	char name[NAME], name_new[NAME_NEW], text[NUMBER];
	int error, dirfd;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	dirfd = open_dir(dir);
	if (dirfd < 0)
		return dirfd;
	name_of(key, name, name_new);
	(void)snprintf(text, sizeof(text), "%" PRIu64 "\n", floor);
	error = has_room(dirfd, name) ? replace(dirfd, name, name_new, text) : -EDQUOT;
	close(dirfd);
	return error;
}
