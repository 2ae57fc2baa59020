#include "device/keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "crypto/crypto.h"

enum { LINES = 4, LINE = 80 };

static int refuse(struct diag *why, int error, const char *path, const char *words)
{
	diag_set(why, DIAG_ERROR, "keylog", 0, "key log %s: %s", path, words);
	return error;
}

/* The folder of the path, opened, and where the file's own name begins. Negative errno. */
static int open_folder(const char *path, const char **ret_name)
{
	const char *const slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	size_t len;
	int fd;

	*ret_name = slash ? slash + 1 : path;
	if (slash) {
		len = slash == path ? 1 : (size_t)(slash - path);
		if (len >= sizeof(folder))
			return -ENAMETOOLONG;
		memcpy(folder, path, len);
		folder[len] = '\0';
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool folder_is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool file_is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0 && st.st_nlink == 1 &&
	       (st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

static int open_in(int folder, const char *name, const char *path, struct diag *why)
{
	int fd;

	if (!folder_is_ours(folder))
		return refuse(why, -EACCES, path, "others than root can write in its directory");
	fd = openat(folder, name,
		    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return refuse(why, -errno, path, strerrordesc_np(errno));
	if (file_is_ours(fd))
		return fd;
	close(fd);
	return refuse(why, -EACCES, path,
		      "not a plain file that only root can read and write (0600)");
}

int keylog_open(const char *path, struct diag *why, struct keylog *ret)
{
	const char *name;
	int folder, fd;

	if (geteuid() != 0)
		return refuse(why, -EPERM, path, "only root may write one");
	folder = open_folder(path, &name);
	if (folder < 0)
		return refuse(why, folder, path, strerrordesc_np(-folder));
	fd = open_in(folder, name, path, why);
	close(folder);
	if (fd < 0)
		return fd;
	ret->fd = fd;
	return 0;
}

void keylog_close(struct keylog *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

static char *append(char *at, const char *word, const uint8_t key[static KEY_LEN])
{
	at = stpcpy(at, word);
	at = stpcpy(at, " = ");
	text_base64_from_key(key, at);
	at += TEXT_KEY_BASE64 - 1;
	*at++ = '\n';
	return at;
}

void keylog_handshake(const struct keylog *k, const struct key_private *local,
		      const struct key_public *remote, const struct key_private *ephemeral,
		      const struct key_shared *psk)
{
	char text[LINES * LINE];
	char *at = text;
	ssize_t n;

	if (k->fd < 0)
		return;
	/* Wireshark attaches a preshared key to the ephemeral key before it. */
	at = append(at, "LOCAL_STATIC_PRIVATE_KEY", local->bytes);
	at = append(at, "REMOTE_STATIC_PUBLIC_KEY", remote->bytes);
	at = append(at, "LOCAL_EPHEMERAL_PRIVATE_KEY", ephemeral->bytes);
	at = append(at, "PRESHARED_KEY", psk->bytes);
	/* One write: the lines of two threads never mix. */
	n = write(k->fd, text, (size_t)(at - text));
	if (n != at - text)
		log_line(LOG_WARN, "key log: a handshake was not written");
	crypto_wipe(text, sizeof(text));
}
