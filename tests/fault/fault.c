#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"

/*
 * Preloaded into an engine (LD_PRELOAD), this makes chosen calls fail. Which ones stands in the
 * file FAULT_FILE, an array of struct point that whoever tests may change at any time; it is mapped
 * before main() and costs no system call, so a sandbox neither notices nor forbids it.
 *
 * A call is told by its arguments, not by its descriptor: what is sent to an Internet address or
 * received in batches is UDP, what is read or written in parts is the TUN.
 */
enum which {
	UDP_SEND,
	UDP_SEND_SEGMENTED,   /* with UDP_SEGMENT; such a call is a UDP_SEND as well */
	UDP_SEND_BATCH_SHORT, /* only the first of several is sent; the error does not matter */
	UDP_RECEIVE,
	TUN_READ,
	TUN_WRITE,
	TUN_WRITE_SUPER, /* with a segmentation type in its virtio header */
	WAIT,
	CLOCK, /* no call fails: the clocks that count a suspend say skip seconds more */
	POINTS,
};

struct point {
	_Atomic uint32_t error; /* errno; 0: none */
	_Atomic uint32_t skip;  /* so many calls go well first */
	_Atomic uint32_t times; /* then so many fail */
	_Atomic uint32_t calls; /* counted here, from when error was set */
	_Atomic uint32_t failed;
};

static struct point *points;

/* Nobody is told: an engine without the file runs as ever. */
__attribute__((constructor)) static void map_points(void)
{
	const char *path = getenv("FAULT_FILE");
	const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map;

	if (fd < 0)
		return;
	map = mmap(NULL, POINTS * sizeof(struct point), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	points = map == MAP_FAILED ? NULL : map;
}

/* True: this call fails, and errno says how. */
static bool fails(enum which which)
{
	struct point *p = points ? &points[which] : NULL;
	const uint32_t error = p ? p->error : 0;
	uint32_t n;

	if (!error)
		return false;
	n = p->calls++;
	if (n < p->skip || n - p->skip >= p->times)
		return false;
	++p->failed;
	errno = (int)error;
	return true;
}

static void *next(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);

	if (!found)
		abort();
	return found;
}

/* Data pointers are function pointers here; ISO C has no cast for it. */
#define NEXT(function)                                 \
	static _Atomic(__typeof__(function) *) slot;   \
	__typeof__(function) *real = slot;             \
	if (!real) { /* twice at worst, to the same */ \
		void *found = next(#function);         \
		memcpy(&real, &found, sizeof(found));  \
		slot = real;                           \
	}

/* --- UDP ----------------------------------------------------------------------------------- */

static bool is_internet(const struct msghdr *m)
{
	const struct sockaddr *name = m->msg_name;

	return name && m->msg_namelen >= sizeof(struct sockaddr_in) &&
	       (name->sa_family == AF_INET || name->sa_family == AF_INET6);
}

static bool is_segmented(const struct msghdr *m)
{
	struct msghdr copy = *m;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&copy); c; c = CMSG_NXTHDR(&copy, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT)
			return true;
	}
	return false;
}

static bool send_fails(const struct msghdr *m)
{
	return is_internet(m) &&
	       (fails(UDP_SEND) || (is_segmented(m) && fails(UDP_SEND_SEGMENTED)));
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	NEXT(sendmsg)
	return send_fails(m) ? -1 : real(fd, m, flags);
}

/* As the kernel does it: what is before the one that fails is sent. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	NEXT(sendmmsg)
	const bool is_short =
		count > 1 && is_internet(&messages[0].msg_hdr) && fails(UDP_SEND_BATCH_SHORT);

	for (unsigned int i = 0; i < count; ++i) {
		if (send_fails(&messages[i].msg_hdr))
			return i ? real(fd, messages, i, flags) : -1;
	}
	return real(fd, messages, is_short ? 1 : count, flags);
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags,
	     struct timespec *timeout)
{
	NEXT(recvmmsg)
	return fails(UDP_RECEIVE) ? -1 : real(fd, messages, count, flags, timeout);
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	NEXT(recvmsg)
	const bool is_udp = m->msg_name && m->msg_namelen >= sizeof(struct sockaddr_in) &&
			    !(flags & MSG_ERRQUEUE);

	return is_udp && fails(UDP_RECEIVE) ? -1 : real(fd, m, flags);
}

/* --- TUN ----------------------------------------------------------------------------------- */

/* struct virtio_net_hdr stands before each packet: flags, then the type. */
static bool is_super(const struct iovec *parts, int count)
{
	const uint8_t *head = count > 0 ? parts[0].iov_base : NULL;

	return head && parts[0].iov_len >= 10 && head[1] != 0 && head[1] < 0x40;
}

ssize_t readv(int fd, const struct iovec *parts, int count)
{
	NEXT(readv)
	return fails(TUN_READ) ? -1 : real(fd, parts, count);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	NEXT(writev)
	if (fails(TUN_WRITE) || (is_super(parts, count) && fails(TUN_WRITE_SUPER)))
		return -1;
	return real(fd, parts, count);
}

int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
	NEXT(epoll_wait)
	return fails(WAIT) ? -1 : real(fd, events, count, timeout);
}

/* --- clocks -------------------------------------------------------------------------------- */

static time_t ahead(void)
{
	return points && points[CLOCK].error ? (time_t)points[CLOCK].skip : 0;
}

/* Not CLOCK_MONOTONIC, which stands still while the machine sleeps. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	NEXT(clock_gettime)
	const int error = real(clock, ret);

	if (error == 0 && (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME))
		ret->tv_sec += ahead();
	return error;
}

/* A moment told by such a clock is so much earlier for the kernel, whose clock did not jump. */
int timerfd_settime(int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
	NEXT(timerfd_settime)
	struct itimerspec moved = *value;

	if ((flags & TFD_TIMER_ABSTIME) && moved.it_value.tv_sec > ahead())
		moved.it_value.tv_sec -= ahead();
	else if ((flags & TFD_TIMER_ABSTIME) && (moved.it_value.tv_sec || moved.it_value.tv_nsec))
		moved.it_value = (struct timespec){ .tv_nsec = 1 }; /* long ago */
	return real(fd, flags, &moved, old);
}
