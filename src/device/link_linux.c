#include <errno.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device/link.h"
#include "device/netns.h"

enum {
	EVENTS_PER_CALL = 64, /* the rest makes the socket readable again */
	EVENT_ROOM = 8192,
	CONTROL_ROOM = 128,
	NAME_TRIES = 3, /* it may be renamed between two questions */
};

static int ask(int fd, const char *name, struct netns_link *ret)
{
	struct netns_link f = { 0 };
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
static int ask_here(const char *name, struct netns_link *ret)
{
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	error = ask(fd, name, ret);
	close(fd);
	return error;
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
	struct netns_link f;
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

/* nsid -1: nothing can be learnt of the namespace. */
static int find_there(int namespace, const char *name, int *ret_nsid, struct netns_link *ret)
{
	const int nsid = namespace < 0 ? -EPERM : netns_number(namespace);
	int error;

	if (namespace >= 0)
		close(namespace);
	error = nsid < 0 ? nsid : netns_find_link(nsid, name, ret);
	*ret_nsid = error && error != -ENODEV ? -1 : nsid;
	return error;
}

static int find(struct link *l, const char *name, struct link_state *ret)
{
	struct netns_link f = { 0 };
	int moved, error, namespace;
	int nsid = -1;

	moved = is_moved(l, name, &namespace);
	if (moved < 0)
		return moved;
	ret->is_moved = moved;
	error = moved ? find_there(namespace, name, &nsid, &f) : ask_here(name, &f);
	l->nsid = nsid;
	if (error)
		return error;
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
			  .nsid = -1,
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
	(void)netns_hear_all(l.fd); /* else a link that moves counts as up there (link.h) */
	(void)link_refresh(&l);     /* everything is new */
	*ret = l;
	return 0;
}

void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

/*
 * nsid: of the namespace that the event comes from, -1 for ours. While the link lives where nothing
 * can be heard of it, any new link here may be ours come back: links are made rarely enough to ask.
 */
static bool is_of_interest(const struct link *l, int nsid, const struct nlmsghdr *h,
			   const uint8_t *body)
{
	struct ifinfomsg m;

	if (h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK)
		return false;
	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(m)))
		return false;
	memcpy(&m, body, sizeof(m));
	if (l->state.is_moved && l->nsid < 0)
		return nsid < 0 && h->nlmsg_type == RTM_NEWLINK;
	return nsid == l->nsid && (unsigned int)m.ifi_index == l->ifindex;
}

static bool has_interest(const struct link *l, int nsid, const uint8_t *buf, size_t len)
{
	struct nlmsghdr h;

	while (len >= sizeof(h)) {
		size_t step;

		memcpy(&h, buf, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
			return true;
		if (is_of_interest(l, nsid, &h, buf + NLMSG_HDRLEN))
			return true;
		step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		if (step > len)
			break;
		buf += step;
		len -= step;
	}
	return false;
}

/* Which namespace an event comes from. */
static int find_nsid(struct msghdr *m)
{
	int nsid = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID &&
		    c->cmsg_len >= CMSG_LEN(sizeof(nsid)))
			memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
	return nsid;
}

/* An event, or the loss of some. False: there is none. *ret_look: it may be about our link. */
static bool take_event(const struct link *l, bool *ret_look)
{
	_Alignas(struct nlmsghdr) uint8_t buf[EVENT_ROOM];
	_Alignas(struct cmsghdr) uint8_t control[CONTROL_ROOM];
	struct iovec part = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &part,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	const ssize_t len = recvmsg(l->fd, &m, MSG_TRUNC | MSG_DONTWAIT);

	if (len < 0 && errno == EAGAIN)
		return false;
	*ret_look = len < 0 || (size_t)len > sizeof(buf) ||
		    has_interest(l, find_nsid(&m), buf, (size_t)len);
	return true;
}

/*
 * An event is only the sign to look: so one that was lost (ENOBUFS), cut off or forged does no
 * harm, and the state never depends on their order.
 */
bool link_handle(struct link *l)
{
	bool look_now = false;
	bool is_sign;

	for (int i = 0; i < EVENTS_PER_CALL && take_event(l, &is_sign); ++i)
		look_now = look_now || is_sign;
	return look_now && link_refresh(l);
}
