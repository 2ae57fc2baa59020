#include "net/dns_saved.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/write_all.h"

/* Longer than the name of any link, so that none is called so. */
#define ORIGINAL "original-resolv.conf"
#define TEMPORARY "temporary-of-warren"

enum { READ_MAX = 1024 * 1024 };

static const char *const kind_names[] = {
	[DNS_ORIGINAL_NONE] = "none",
	[DNS_ORIGINAL_FILE] = "file",
	[DNS_ORIGINAL_LINK] = "link",
};

static int read_all(int fd, struct buffer *ret)
{
	char piece[4096];
	ssize_t n = 1;

	while (n != 0 && ret->len < READ_MAX) {
		n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buffer_append(ret, piece, (size_t)n);
	}
	if (!buffer_ok(ret))
		return -ENOMEM;
	return ret->len < READ_MAX ? 0 : -EFBIG;
}

int dns_read_at(int folder, const char *name, bool follow, struct buffer *ret)
{
	const int fd =
		openat(folder, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	struct stat st;
	int status;

	if (fd < 0)
		return -errno;
	status = fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? read_all(fd, ret) : -EINVAL;
	close(fd);
	return status;
}

/* A folder of ours below one that is there. */
static int make_folder(int parent, const char *name)
{
	if (mkdirat(parent, name, 0700) < 0)
		return errno == EEXIST ? 0 : -errno;
	return fsync(parent) < 0 && errno != EINVAL ? -errno : 0;
}

static int open_folder(int parent, const char *name, bool make)
{
	int status = make ? make_folder(parent, name) : 0, fd;

	if (status < 0)
		return status;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* All of path that is missing, too: /var/lib/warren itself may not be there yet. */
static int open_path(const char *path, bool make)
{
	int at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), next;
	char *copy = strdup(path), *rest, *word;

	for (word = copy ? strtok_r(copy, "/", &rest) : NULL; word && at >= 0;
	     word = strtok_r(NULL, "/", &rest)) {
		next = openat(at, word, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (next < 0)
			next = errno == ENOENT ? open_folder(at, word, make) : -errno;
		close(at);
		at = next;
	}
	free(copy);
	return copy ? at : -ENOMEM;
}

int dns_saved_open(const char *path, const char *name, bool make, struct dns_saved *ret)
{
	const int parent = open_path(path, make);
	int fd;

	if (parent < 0)
		return parent;
	fd = open_folder(parent, name, make);
	close(parent);
	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			const int error = errno;

			close(fd);
			return -error;
		}
	ret->folder = fd;
	return 0;
}

void dns_saved_close(struct dns_saved *s)
{
	close(s->folder);
	s->folder = -1;
}

/* Whole or not at all. The lock is ours, so that the temporary's name is too. */
static int write_file(const struct dns_saved *s, const char *name, const struct buffer *b)
{
	int fd, status;

	if (!buffer_ok(b))
		return -ENOMEM;
	if (unlinkat(s->folder, TEMPORARY, 0) < 0 && errno != ENOENT) /* a killed one's */
		return -errno;
	fd = openat(s->folder, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return -errno;
	status = write_all(fd, b->bytes, b->len);
	if (status == 0 && fsync(fd) < 0)
		status = -errno;
	if (close(fd) < 0 && status == 0)
		status = -errno;
	if (status == 0 && renameat(s->folder, TEMPORARY, s->folder, name) < 0)
		status = -errno;
	if (status == 0 && fsync(s->folder) < 0)
		status = -errno;
	return status;
}

int dns_saved_keep_original(const struct dns_saved *s, const struct dns_original *o)
{
	struct buffer b;
	int status;

	buffer_init(&b);
	buffer_printf(&b, "1 %s %o %u %u\n", kind_names[o->kind], o->mode & 07777, o->uid, o->gid);
	buffer_append(&b, o->bytes.bytes, o->bytes.len);
	status = write_file(s, ORIGINAL, &b);
	buffer_done(&b);
	return status;
}

static bool parse_kind(const char *word, enum dns_original_kind *ret)
{
	for (int i = DNS_ORIGINAL_NONE; i <= DNS_ORIGINAL_LINK; ++i)
		if (strcmp(word, kind_names[i]) == 0) {
			*ret = (enum dns_original_kind)i;
			return true;
		}
	return false;
}

static bool parse_mode(const char *word, mode_t *ret)
{
	mode_t mode = 0;

	if (!word[0] || strlen(word) > 4)
		return false;
	for (; *word; ++word) {
		if (*word < '0' || *word > '7')
			return false;
		mode = mode << 3 | (mode_t)(*word - '0');
	}
	*ret = mode;
	return true;
}

/* The first line, ended by NUL, is cut into words. */
static int parse_original(char *line, struct dns_original *ret)
{
	char *words[6] = { NULL }, *rest;
	size_t count = 0;
	uint64_t uid, gid;

	for (char *word = strtok_r(line, " ", &rest); word && count < ELEMENTS(words);
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (count != 5 || strcmp(words[0], "1") != 0 || !parse_kind(words[1], &ret->kind) ||
	    !parse_mode(words[2], &ret->mode) || !text_to_uint(words[3], UINT32_MAX, &uid) ||
	    !text_to_uint(words[4], UINT32_MAX, &gid))
		return -EINVAL;
	ret->uid = (uid_t)uid;
	ret->gid = (gid_t)gid;
	return 0;
}

int dns_saved_original(const struct dns_saved *s, struct dns_original *ret)
{
	struct buffer b;
	char *end;
	int status;

	buffer_init(&b);
	status = dns_read_at(s->folder, ORIGINAL, false, &b);
	end = status == 0 && b.len ? memchr(b.bytes, '\n', b.len) : NULL;
	if (status == 0 && !end)
		status = -EINVAL;
	if (status == 0) {
		*end = '\0';
		status = parse_original(b.bytes, ret);
	}
	if (status == 0) {
		buffer_init(&ret->bytes);
		buffer_append(&ret->bytes, end + 1, b.len - (size_t)(end + 1 - b.bytes));
		status = buffer_ok(&ret->bytes) ? 0 : -ENOMEM;
	}
	buffer_done(&b);
	return status;
}

/* A tunnel's file begins with a number that grows, in a line of its own. */
static int read_entry(const struct dns_saved *s, const char *link, uint64_t *number,
		      struct buffer *ret)
{
	struct buffer b;
	char *end;
	int status;

	buffer_init(&b);
	status = dns_read_at(s->folder, link, false, &b);
	end = status == 0 && b.len ? memchr(b.bytes, '\n', b.len) : NULL;
	if (status == 0 && !end)
		status = -EINVAL;
	if (status == 0) {
		*end = '\0';
		status = text_to_uint(b.bytes, UINT64_MAX, number) ? 0 : -EINVAL;
	}
	if (status == 0) {
		buffer_append(ret, end + 1, b.len - (size_t)(end + 1 - b.bytes));
		status = buffer_ok(ret) ? 0 : -ENOMEM;
	}
	buffer_done(&b);
	return status;
}

int dns_saved_get(const struct dns_saved *s, const char *link, struct buffer *ret)
{
	uint64_t number;
	const int status = read_entry(s, link, &number, ret);

	return status == 0 ? 1 : status == -ENOENT ? 0 : status;
}

/* A damaged one counts as none, 0: there is nothing that anybody could do with it. */
static int number_of(const struct dns_saved *s, const char *link, uint64_t *ret)
{
	struct buffer b;
	int status;

	buffer_init(&b);
	status = read_entry(s, link, ret, &b);
	buffer_done(&b);
	if (status != -EINVAL && status != -ENOENT)
		return status;
	*ret = 0;
	return 0;
}

static int find_in(const struct dns_saved *s, DIR *folder, const char *but,
		   char ret_link[static HOST_NAME], uint64_t *ret)
{
	const struct dirent *entry;
	uint64_t number = 0;
	int status = 0;

	while (status == 0 && (errno = 0, entry = readdir(folder))) {
		if (!text_is_interface_name(entry->d_name) ||
		    (but && strcmp(entry->d_name, but) == 0))
			continue;
		status = number_of(s, entry->d_name, &number);
		if (status < 0 || number <= *ret)
			continue;
		*ret = number;
		memcpy(ret_link, entry->d_name, strlen(entry->d_name) + 1); /* 15 at most */
	}
	return status < 0 ? status : -errno;
}

static int find_newest(const struct dns_saved *s, const char *but, char ret_link[static HOST_NAME],
		       uint64_t *ret)
{
	const int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const folder = fd < 0 ? NULL : fdopendir(fd);
	int status = -errno;

	*ret = 0;
	if (folder) {
		status = find_in(s, folder, but, ret_link, ret);
		(void)closedir(folder); /* only read */
	} else if (fd >= 0) {
		close(fd);
	}
	return status;
}

int dns_saved_newest(const struct dns_saved *s, const char *but, char ret_link[static HOST_NAME],
		     struct buffer *ret)
{
	uint64_t number;
	const int status = find_newest(s, but, ret_link, &number);

	if (status < 0 || number == 0)
		return status;
	return dns_saved_get(s, ret_link, ret);
}

static bool says(const struct dns_saved *s, const char *link, const char *bytes, size_t len)
{
	struct buffer b;
	bool same;

	buffer_init(&b);
	same = dns_saved_get(s, link, &b) == 1 && b.len == len &&
	       (len == 0 || memcmp(b.bytes, bytes, len) == 0);
	buffer_done(&b);
	return same;
}

int dns_saved_put(const struct dns_saved *s, const char *link, const char *bytes, size_t len)
{
	char newest[HOST_NAME];
	uint64_t number;
	struct buffer b;
	int status;

	if (says(s, link, bytes, len))
		return 0;
	status = find_newest(s, NULL, newest, &number);
	if (status < 0)
		return status;
	buffer_init(&b);
	buffer_printf(&b, "%" PRIu64 "\n", number + 1);
	buffer_append(&b, bytes, len);
	status = write_file(s, link, &b);
	buffer_done(&b);
	return status;
}

static int drop_file(const struct dns_saved *s, const char *name)
{
	return unlinkat(s->folder, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int dns_saved_drop(const struct dns_saved *s, const char *link)
{
	char newest[HOST_NAME];
	uint64_t number = 0;
	int status = find_newest(s, link, newest, &number);

	if (status == 0 && number == 0)
		status = drop_file(s, ORIGINAL);
	if (status == 0)
		status = drop_file(s, link);
	if (status == 0)
		status = drop_file(s, TEMPORARY);
	if (status == 0 && fsync(s->folder) < 0)
		status = -errno;
	return status;
}
