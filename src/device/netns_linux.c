#include "device/netns.h"

#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_ROOM = 8192 };

/* One question to rtnetlink, which answers within the call. The answer's length, or -errno. */
static ssize_t ask(const struct nlmsghdr *question, void *ret, size_t room)
{
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct nlmsghdr h;
	ssize_t len;
	int error;

	if (fd < 0)
		return -errno;
	len = send(fd, question, question->nlmsg_len, 0);
	if (len >= 0)
		len = recv(fd, ret, room, MSG_DONTWAIT);
	error = -errno;
	close(fd);
	if (len < 0)
		return error;
	if ((size_t)len < NLMSG_LENGTH(sizeof(int)))
		return -EPROTO;
	memcpy(&h, ret, sizeof(h));
	if (h.nlmsg_len > (size_t)len)
		return -EPROTO;
	if (h.nlmsg_type != NLMSG_ERROR)
		return (ssize_t)h.nlmsg_len;
	memcpy(&error, (const uint8_t *)ret + NLMSG_HDRLEN, sizeof(error));
	return error;
}

/* The value of the first attribute of that type; false: there is none of that length. */
static bool find(const uint8_t *at, size_t len, unsigned short type, void *ret, size_t want)
{
	struct rtattr a;

	while (len >= sizeof(a)) {
		memcpy(&a, at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len)
			return false;
		if (a.rta_type == type && a.rta_len == RTA_LENGTH(want)) {
			memcpy(ret, at + RTA_LENGTH(0), want);
			return true;
		}
		if (RTA_ALIGN((size_t)a.rta_len) > len)
			return false;
		at += RTA_ALIGN(a.rta_len);
		len -= RTA_ALIGN(a.rta_len);
	}
	return false;
}

struct number_question {
	struct nlmsghdr header;
	struct rtgenmsg family;
	uint8_t padding[NLMSG_ALIGNTO - sizeof(struct rtgenmsg)];
	struct rtattr fd_header;
	int fd;
	struct rtattr number_header;
	int number;
};

static ssize_t ask_number(uint16_t type, uint16_t flags, int namespace, void *ret, size_t room)
{
	struct number_question q = {
		.header = { .nlmsg_len = sizeof(q), .nlmsg_type = type, .nlmsg_flags = flags },
		.fd_header = { RTA_LENGTH(sizeof(int)), NETNSA_FD },
		.fd = namespace,
		.number_header = { RTA_LENGTH(sizeof(int)), NETNSA_NSID },
		.number = -1, /* the kernel chooses */
	};

	if (type == RTM_GETNSID)
		q.header.nlmsg_len = offsetof(struct number_question, number_header);
	return ask(&q.header, ret, room);
}

static int get_number(int namespace)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_ROOM];
	const size_t head = NLMSG_SPACE(sizeof(struct rtgenmsg));
	const ssize_t len =
		ask_number(RTM_GETNSID, NLM_F_REQUEST, namespace, answer, sizeof(answer));
	int nsid;

	if (len < 0)
		return (int)len;
	if ((size_t)len < head ||
	    !find(answer + head, (size_t)len - head, NETNSA_NSID, &nsid, sizeof(nsid)))
		return -EPROTO;
	return nsid < 0 ? -ENOENT : nsid;
}

int netns_number(int namespace)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_ROOM];
	const int number = get_number(namespace);
	ssize_t len;

	if (number != -ENOENT)
		return number;
	len = ask_number(RTM_NEWNSID, NLM_F_REQUEST | NLM_F_ACK, namespace, answer, sizeof(answer));
	if (len < 0 && len != -EEXIST)
		return (int)len;
	return get_number(namespace);
}

struct link_question {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct rtattr nsid_header;
	int nsid;
	struct rtattr name_header;
	char name[IFNAMSIZ];
};

int netns_find_link(int nsid, const char *name, struct netns_link *ret)
{
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_ROOM];
	struct link_question q = {
		.header = { .nlmsg_len = sizeof(q),
			    .nlmsg_type = RTM_GETLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.nsid_header = { RTA_LENGTH(sizeof(int)), IFLA_TARGET_NETNSID },
		.nsid = nsid,
		.name_header = { RTA_LENGTH(IFNAMSIZ), IFLA_IFNAME },
	};
	const size_t head = NLMSG_SPACE(sizeof(struct ifinfomsg));
	struct ifinfomsg m;
	uint32_t mtu;
	ssize_t len;

	memcpy(q.name, name, strnlen(name, IFNAMSIZ - 1));
	len = ask(&q.header, answer, sizeof(answer));
	if (len < 0)
		return (int)len;
	if ((size_t)len < head)
		return -EPROTO;
	memcpy(&m, answer + NLMSG_HDRLEN, sizeof(m));
	if (!find(answer + head, (size_t)len - head, IFLA_MTU, &mtu, sizeof(mtu)))
		return -EPROTO;
	*ret = (struct netns_link){ .ifindex = (unsigned int)m.ifi_index,
				    .is_up = m.ifi_flags & IFF_UP,
				    .mtu = mtu };
	return 0;
}

int netns_hear_all(int netlink)
{
	const int on = 1;

	return setsockopt(netlink, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0
		       ? -errno
		       : 0;
}
