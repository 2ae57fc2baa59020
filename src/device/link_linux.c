#include <errno.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/link.h"

enum {
	EVENTS_PER_CALL = 64, /* the rest makes the socket readable again */
	EVENT_ROOM = 8192,
	NAME_TRIES = 3, /* it may be renamed between two questions */
	STACK = 128 << 10,
};

struct facts {
	unsigned int ifindex;
	bool is_up;
	unsigned int mtu;
};

static int ask(int fd, const char *name, struct facts *ret)
{
	struct facts f = { 0 };
	struct ifreq r = { 0 };

	memcpy(r.ifr_name, name, TUN_NAME);
	if (ioctl(fd, SIOCGIFINDEX, &r) < 0)
		return -errno;
	f.ifindex = (unsigned int)r.ifr_ifindex;
	if (ioctl(fd, SIOCGIFFLAGS, &r) < 0)
		return -errno;
	f.is_up = r.ifr_flags & IFF_UP;
	if (ioctl(fd, SIOCGIFMTU, &r) < 0)
		return -errno;
	f.mtu = (unsigned int)r.ifr_mtu;
	*ret = f;
	return 0;
}

/* Any family's socket takes these questions; this one is always there. */
static int ask_here(const char *name, struct facts *ret)
{
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = ask(fd, name, ret);
	close(fd);
	return error;
}

struct errand {
	int namespace;
	const char *name;
	struct facts facts;
	int error;
};

/* Entering a namespace changes the calling thread only, and this one ends. */
static void *run_errand(void *arg)
{
	struct errand *e = arg;

	e->error = setns(e->namespace, CLONE_NEWNET) < 0 ? -errno : ask_here(e->name, &e->facts);
	return NULL;
}

static int ask_there(int namespace, const char *name, struct facts *ret)
{
	struct errand e = { .namespace = namespace, .name = name };
	pthread_attr_t small;
	pthread_t helper;
	int error;

	error = pthread_attr_init(&small);
	if (error)
		return -error;
	(void)pthread_attr_setstacksize(&small, STACK); /* else the default: only larger */
	error = pthread_create(&helper, &small, run_errand, &e);
	(void)pthread_attr_destroy(&small); /* cannot fail here */
	if (error)
		return -error;
	(void)pthread_join(helper, NULL); /* made above, joined once */
	if (!e.error)
		*ret = e.facts;
	return e.error;
}

static bool is_same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* The host is short of something just now: no answer is no answer, not a foreign namespace. */
static bool is_shortage(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/*
 * Without the privilege to ask for namespaces: it is here if its name and index still belong
 * together. 1 moved, 0 here, or -errno.
 */
static int is_moved_by_index(const struct link *l, const char *name)
{
	struct facts f;
	const int error = ask_here(name, &f);

	if (is_shortage(-error))
		return error;
	return error || !l->ifindex || f.ifindex != l->ifindex;
}

/* The same; *ret_namespace: where it lives when that is elsewhere, -1 when that can't be told. */
static int is_moved(const struct link *l, const char *name, int *ret_namespace)
{
	const int theirs = ioctl(l->tun->fd, TUNGETDEVNETNS);
	const int their_error = theirs < 0 ? errno : 0;
	const int ours = ioctl(l->fd, SIOCGSKNS);
	const int our_error = ours < 0 ? errno : 0;
	int moved;

	*ret_namespace = -1;
	if (is_shortage(their_error) || is_shortage(our_error))
		moved = is_shortage(their_error) ? -their_error : -our_error;
	else if (theirs >= 0 && ours >= 0)
		moved = !is_same_file(theirs, ours);
	else
		moved = is_moved_by_index(l, name);
	if (ours >= 0)
		close(ours);
	if (moved == 1)
		*ret_namespace = theirs;
	else if (theirs >= 0)
		close(theirs);
	return moved;
}

static int find(struct link *l, const char *name, struct link_state *ret)
{
	struct facts f = { 0 };
	int moved, error, namespace;

	moved = is_moved(l, name, &namespace);
	if (moved < 0)
		return moved;
	ret->is_moved = moved;
	if (!ret->is_moved) {
		error = ask_here(name, &f);
	} else if (namespace >= 0) {
		error = ask_there(namespace, name, &f);
		close(namespace);
	} else {
		error = -EPERM;
	}
	if (error)
		return error;
	if (!ret->is_moved)
		l->ifindex = f.ifindex;
	ret->is_up = f.is_up;
	ret->mtu = f.mtu;
	return 0;
}

/* What cannot be learnt about a device elsewhere: taken to be up, with the MTU it had. */
static struct link_state look(struct link *l)
{
	struct link_state s = l->state;
	struct ifreq r = { 0 };
	int error = -ENODEV;

	for (int i = 0; error == -ENODEV && i < NAME_TRIES; ++i) {
		if (ioctl(l->tun->fd, TUNGETIFF, &r) < 0)
			return (struct link_state){ .is_gone = true,
						    .is_moved = s.is_moved,
						    .mtu = s.mtu };
		error = find(l, r.ifr_name, &s);
	}
	if (error && s.is_moved)
		s.is_up = true;
	return s;
}

static bool is_same_state(const struct link_state *a, const struct link_state *b)
{
	return a->is_up == b->is_up && a->is_moved == b->is_moved && a->is_gone == b->is_gone &&
	       a->mtu == b->mtu;
}

bool link_refresh(struct link *l)
{
	const struct link_state s = look(l);
	const bool changed = !is_same_state(&s, &l->state);

	l->state = s;
	return changed;
}

int link_open(const struct tun *t, struct link *ret)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	struct link l = { .tun = t,
			  .ifindex = if_nametoindex(t->name),
			  .state.mtu = TUN_MTU_DEFAULT };
	int error;

	l.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (l.fd < 0)
		return -errno;
	if (bind(l.fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		error = -errno;
		close(l.fd);
		return error;
	}
	(void)link_refresh(&l); /* everything is new */
	*ret = l;
	return 0;
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/* While it lives elsewhere any new link may be ours come back: links are made rarely enough to ask.
 */
static bool is_of_interest(const struct link *l, const struct nlmsghdr *h, const uint8_t *body)
{
	struct ifinfomsg m;

	if (h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK)
		return false;
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(m)))
		return false;
	memcpy(&m, body, sizeof(m));
	if (l->state.is_moved)
		return h->nlmsg_type == RTM_NEWLINK;
	return (unsigned int)m.ifi_index == l->ifindex;
}

static bool has_interest(const struct link *l, const uint8_t *buf, size_t len)
{
	struct nlmsghdr h;

	while (len >= sizeof(h)) {
		size_t step;

		memcpy(&h, buf, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return true;
		if (is_of_interest(l, &h, buf + NLMSG_HDRLEN))
			return true;
		step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (step > len)
			break;
		buf += step;
		len -= step;
	}
	return false;
}

/*
 * An event is only the sign to look: so one that was lost (ENOBUFS), cut off or forged does no
 * harm, and the state never depends on their order.
 */
bool link_handle(struct link *l)
{
	_Alignas(struct nlmsghdr) uint8_t buf[EVENT_ROOM];
	bool look_now = false;

	for (int i = 0; i < EVENTS_PER_CALL; ++i) {
		const ssize_t len = recv(l->fd, buf, sizeof(buf), MSG_TRUNC | MSG_DONTWAIT);

		if (len < 0 && errno == EAGAIN)
			break;
		if (len < 0 || (size_t)len > sizeof(buf))
			look_now = true;
		else if (!look_now)
			look_now = has_interest(l, buf, (size_t)len);
	}
	return look_now && link_refresh(l);
}
