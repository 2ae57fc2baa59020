#include "control/uapi_client.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "control/uapi.h"
#include "control/uapi_answer.h"

enum { PIECE = 64 * 1024 };

static bool is_same_socket(const char *path, const struct stat *st)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

/* A signal does not undo a connect that has begun, but one to a local socket begins anew. */
static int connect_to(int fd, const struct sockaddr_un *address)
{
	int error;

	do
		error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno
											    : 0;
	while (error == -EINTR);
	return error;
}

int uapi_client_connect(const char *dir, const char *name, int *ret_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const size_t room = sizeof(address.sun_path);
	struct stat st;
	int fd, error;

	if (strchr(name, '/') ||
	    (size_t)snprintf(address.sun_path, room, "%s/%s.sock", dir, name) >= room)
		return -EINVAL;
	if (stat(address.sun_path, &st) < 0)
		return -ENOENT; /* or may not be looked at: to wg(8) the same */
	if (!S_ISSOCK(st.st_mode))
		return -EBADF;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	error = connect_to(fd, &address);
	if (error) {
		close(fd);
		if (error == -ECONNREFUSED && is_same_socket(address.sun_path, &st))
			(void)unlink(address.sun_path); /* ours to remove or not, it is dead */
		return error;
	}
	*ret_fd = fd;
	return 0;
}

static int send_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		const ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0) {
			bytes += sent;
			len -= (size_t)sent;
		}
	}
	return 0;
}

/* Sends what has gathered, and keeps the room for the next piece. */
static int flush(int fd, struct buffer *b)
{
	const int error = buffer_ok(b) ? send_all(fd, b->bytes, b->len) : -ENOMEM;

	b->len = 0;
	return error;
}

static int send_patch(int fd, const struct model *patch)
{
	struct buffer b;
	int error = 0;

	buffer_init(&b);
	uapi_write_patch_device(&b, patch);
	for (size_t i = 0; !error && i < patch->peer_count; ++i) {
		uapi_write_patch_peer(&b, &patch->peers[i]);
		if (b.len >= PIECE)
			error = flush(fd, &b);
	}
	uapi_write_patch_end(&b);
	if (!error)
		error = flush(fd, &b);
	buffer_done(&b);
	return error;
}

/* What the daemon said, or -EPROTO if it ended before it was done; *ret_silent: without a byte. */
static int read_answer(int fd, struct uapi_answer *a, bool *ret_silent)
{
	enum uapi_answer_status status = UAPI_ANSWER_MORE;
	int error = -EPROTO;
	char piece[PIECE];
	ssize_t len;

	*ret_silent = true;
	while (status == UAPI_ANSWER_MORE) {
		do
			len = recv(fd, piece, sizeof(piece), 0);
		while (len < 0 && errno == EINTR);
		if (len <= 0)
			goto out;
		*ret_silent = false;
		status = uapi_answer_feed(a, piece, (size_t)len);
	}
	error = a->error;
out:
	explicit_bzero(piece, sizeof(piece));
	return error;
}

/*
 * A daemon that hung up while we sent may have said why: its answer goes before our error, which
 * is only a symptom of it.
 */
static int finish(int fd, struct uapi_answer *a, int sent, bool *ret_silent)
{
	int error;

	if (sent && sent != -EPIPE && sent != -ECONNRESET)
		return sent;
	error = read_answer(fd, a, ret_silent);
	return !error && sent ? -EPROTO : error;
}

static int ask(int fd, const char *request, struct uapi_answer *a, bool *ret_silent)
{
	return finish(fd, a, send_all(fd, request, strlen(request)), ret_silent);
}

int uapi_client_get(int fd, struct model *ret)
{
	struct uapi_answer a;
	bool silent;
	int error;

	uapi_answer_init(&a, UAPI_GET, ret, NULL);
	error = ask(fd, "get=1\n\n", &a, &silent);
	uapi_answer_done(&a);
	if (error)
		model_done(ret);
	return error;
}

int uapi_client_set(int fd, const struct model *patch)
{
	struct uapi_answer a;
	bool silent;
	int error;

	uapi_answer_init(&a, UAPI_SET, NULL, NULL);
	error = finish(fd, &a, send_patch(fd, patch), &silent);
	uapi_answer_done(&a);
	return error;
}

int uapi_client_diagnose(int fd, struct diagnosis *ret)
{
	bool silent = false;
	struct uapi_answer a;
	int error;

	uapi_answer_init(&a, UAPI_DIAGNOSE, NULL, ret);
	error = ask(fd, "diagnose=1\n\n", &a, &silent);
	uapi_answer_done(&a);
	if (error)
		diagnosis_done(ret);
	return error && silent ? -EOPNOTSUPP : error;
}
