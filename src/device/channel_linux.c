#include "device/channel.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union room {
	char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
	struct cmsghdr alignment;
};

/* struct iovec is for both directions; sending reads only. */
union constant {
	const void *given;
	void *wanted;
};

int channel_open(int ret[static 2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

static void attach(struct msghdr *m, union room *room, const int *fds, size_t count)
{
	struct cmsghdr *c;

	m->msg_control = room->bytes;
	m->msg_controllen = CMSG_SPACE(sizeof(int) * count);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * count);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * count);
}

int channel_send(int fd, const void *bytes, size_t len, const int *fds, size_t count)
{
	const union constant data = { .given = bytes };
	union room room = { 0 };
	struct iovec part = { data.wanted, len };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	assert(count <= CHANNEL_FDS_MAX);
	if (count)
		attach(&m, &room, fds, count);
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static size_t detach(struct msghdr *m, int *ret_fds, size_t room_fds)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; ++i) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (count < room_fds)
				ret_fds[count++] = fd;
			else
				close(fd);
		}
	}
	return count;
}

ssize_t channel_receive(int fd, void *buf, size_t room, int *ret_fds, size_t room_fds,
			size_t *ret_count)
{
	union room control;
	struct iovec part = { buf, room };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	size_t count;
	ssize_t n;

	do
		n = recvmsg(fd, &m, MSG_TRUNC | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	count = detach(&m, ret_fds, room_fds);
	if (m.msg_flags & MSG_CTRUNC) {
		for (size_t i = 0; i < count; ++i)
			close(ret_fds[i]);
		return -EMFILE;
	}
	*ret_count = count;
	return n;
}

ssize_t channel_take(int fd, void *buf, size_t room)
{
	ssize_t n;

	do
		n = recv(fd, buf, room, MSG_TRUNC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}
