#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "device/tun.h"

/* Since Linux 6.2; the headers of Debian 12 don't know them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static_assert(sizeof(struct virtio_net_hdr) == OFFLOAD_HEADER);
static_assert((int)TUN_NAME == (int)IFNAMSIZ);

static int refuse(struct diag *why, int error, const char *name, const char *words)
{
	diag_set(why, DIAG_ERROR, "tun", 0, "%s: %s", name, words);
	return error;
}

static int refuse_node(struct diag *why, int error)
{
	static const char node[] = "/dev/net/tun";

	switch (-error) {
	case ENOENT:
		return refuse(why, error, node,
			      "missing; load the driver (modprobe tun), or in a container pass the "
			      "device in "
			      "(--device /dev/net/tun)");
	case ENODEV:
	case ENXIO:
		return refuse(why, error, node,
			      "the kernel has no TUN driver; load it (modprobe tun)");
	case EPERM:
	case EACCES:
		return refuse(why, error, node,
			      "may not be opened; run as root, or have the container allow it");
	default:
		return refuse(why, error, node, strerrordesc_np(-error));
	}
}

static int refuse_name(struct diag *why, int error, const char *name)
{
	switch (-error) {
	case EPERM:
		return refuse(
			why, error, name,
			"making a TUN device needs the capability CAP_NET_ADMIN (run as root)");
	case EBUSY:
		return refuse(why, error, name,
			      "the name is taken: an engine runs on it, or another program uses "
			      "this TUN");
	case EINVAL:
		if (if_nametoindex(name))
			return refuse(why, -EBUSY, name,
				      "the name is taken by a link that is no TUN device");
		return refuse(why, error, name, "is no name for a network interface");
	default:
		return refuse(why, error, name, strerrordesc_np(-error));
	}
}

/* What the kernel is told for kinds of super-packet. An ECN one needs a mark of its own. */
static unsigned long flags_of(unsigned int kinds)
{
	unsigned long flags = 0;

	if (kinds & OFFLOAD_TCP4)
		flags |= TUN_F_TSO4 | TUN_F_TSO_ECN;
	if (kinds & OFFLOAD_TCP6)
		flags |= TUN_F_TSO6 | TUN_F_TSO_ECN;
	/* The kernel takes both or none. */
	if ((kinds & (OFFLOAD_UDP4 | OFFLOAD_UDP6)) == (OFFLOAD_UDP4 | OFFLOAD_UDP6))
		flags |= TUN_F_USO4 | TUN_F_USO6;
	return flags ? flags | TUN_F_CSUM : 0;
}

/* The wanted ones, without UDP, none: the first step that the kernel takes. */
static int set_offloads(struct tun *t, unsigned int wanted)
{
	const unsigned int steps[] = { wanted, wanted & (OFFLOAD_TCP4 | OFFLOAD_TCP6), 0 };

	for (size_t i = 0; i < ELEMENTS(steps); ++i) {
		if (ioctl(t->fd, TUNSETOFFLOAD, flags_of(steps[i])) == 0) {
			t->offloads = steps[i];
			return 0;
		}
	}
	return -errno;
}

/* A header of one known length where the descriptor has one: only then a read may be more than a
 * packet. */
static int set_up(struct tun *t, unsigned int flags, unsigned int offloads)
{
	int header = OFFLOAD_HEADER;
	const int error = set_offloads(t, flags & IFF_VNET_HDR ? offloads : 0);

	if (error)
		return error;
	t->header = 0;
	if (!(flags & IFF_VNET_HDR))
		return 0;
	if (ioctl(t->fd, TUNSETVNETHDRSZ, &header) < 0)
		return -errno;
	t->header = header;
	return 0;
}

static int set_mtu(const char *name)
{
	struct ifreq r = { .ifr_mtu = TUN_MTU_DEFAULT };
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	memcpy(r.ifr_name, name, TUN_NAME);
	if (ioctl(fd, SIOCSIFMTU, &r) < 0)
		error = -errno;
	close(fd);
	return error;
}

struct mode_request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct rtattr spec; /* IFLA_AF_SPEC { AF_INET6 { IFLA_INET6_ADDR_GEN_MODE } } */
	struct rtattr family;
	struct rtattr mode;
	uint8_t value;
	uint8_t padding[3];
};

/* Best effort: without IPv6 there is no such mode, and then no link-local address either. */
static void set_no_link_local(const char *name)
{
	const struct mode_request r = {
		.header = { .nlmsg_len = sizeof(r),
			    .nlmsg_type = RTM_NEWLINK,
			    .nlmsg_flags = NLM_F_REQUEST },
		.link = { .ifi_index = (int)if_nametoindex(name) },
		.spec = { sizeof(r) - offsetof(struct mode_request, spec),
			  IFLA_AF_SPEC | NLA_F_NESTED },
		.family = { sizeof(r) - offsetof(struct mode_request, family),
			    AF_INET6 | NLA_F_NESTED },
		.mode = { RTA_LENGTH(1), IFLA_INET6_ADDR_GEN_MODE },
		.value = IN6_ADDR_GEN_MODE_NONE,
	};
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return;
	(void)send(fd, &r, sizeof(r),
		   0); /* done when this returns: rtnetlink works in the sender */
	close(fd);
}

static int open_node(void)
{
	const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The descriptor becomes that of the device; its real name goes to t. */
static int attach(struct tun *t, int fd, const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int header = OFFLOAD_HEADER;

	if (t->queues > 1)
		r.ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(r.ifr_name, name, strlen(name));
	if (ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return -errno;
	memcpy(t->name, r.ifr_name, TUN_NAME);
	return 0;
}

static int attach_others(struct tun *t)
{
	for (int i = 0; i < t->queues - 1; ++i) {
		const int fd = open_node();
		int error;

		if (fd < 0)
			return fd;
		t->others[i] = fd;
		error = attach(t, fd, t->name);
		if (error)
			return error;
	}
	return 0;
}

static int make(struct tun *t, const struct tun_config *config, struct diag *why)
{
	int error = attach(t, t->fd, config->name);

	if (error)
		return refuse_name(why, error, config->name);
	error = set_up(t, IFF_VNET_HDR, config->offloads);
	if (!error)
		error = attach_others(t);
	if (!error)
		error = set_mtu(t->name);
	if (error)
		return refuse(why, error, t->name, strerrordesc_np(-error));
	set_no_link_local(t->name);
	return 0;
}

static struct tun closed(int queues)
{
	struct tun t = { .fd = -1, .queues = queues ? queues : 1 };

	for (size_t i = 0; i < ELEMENTS(t.others); ++i)
		t.others[i] = -1;
	return t;
}

int tun_open(const struct tun_config *config, struct diag *why, struct tun *ret)
{
	struct tun t = closed(config->queues);
	int error;

	if (strlen(config->name) >= TUN_NAME)
		return refuse(why, -EINVAL, config->name,
			      "is too long for the name of a network interface (15 bytes)");
	t.fd = open_node();
	if (t.fd < 0)
		return refuse_node(why, t.fd);
	error = make(&t, config, why);
	if (error)
		tun_close(&t);
	else
		*ret = t;
	return error;
}

static int set_flags(int fd)
{
	const int status = fcntl(fd, F_GETFL);

	if (status < 0 || fcntl(fd, F_SETFL, status | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

int tun_adopt(int fd, unsigned int offloads, struct diag *why, struct tun *ret)
{
	struct tun t = closed(1);
	struct ifreq r = { 0 };
	unsigned int flags;
	int error;

	t.fd = fd;
	if (ioctl(fd, TUNGETIFF, &r) < 0) {
		error = -errno;
		return refuse(why, error, "inherited descriptor",
			      error == -EBADFD ? "its TUN device does not exist any more"
					       : "is no TUN device");
	}
	flags = (unsigned short)r.ifr_flags;
	memcpy(t.name, r.ifr_name, TUN_NAME);
	if (!(flags & IFF_TUN))
		return refuse(why, -EINVAL, t.name,
			      "is a TAP device (Ethernet); a TUN device (IP) is needed");
	error = set_flags(fd);
	if (!error)
		error = set_up(&t, flags, offloads);
	if (error)
		return refuse(why, error, t.name, strerrordesc_np(-error));
	*ret = t;
	return 0;
}

void tun_close(struct tun *t)
{
	for (int i = 0; i < t->queues; ++i) {
		if (tun_queue(t, i) >= 0)
			close(tun_queue(t, i));
	}
	*t = closed(t->queues);
}

ssize_t tun_read(const struct tun *t, int queue, uint8_t header[static OFFLOAD_HEADER],
		 uint8_t *buf, size_t room)
{
	uint8_t beyond; /* the driver cuts what is too long without a word */
	const struct iovec parts[] = { { header, (size_t)t->header },
				       { buf, room },
				       { &beyond, 1 } };
	const ssize_t got = readv(tun_queue(t, queue), parts, (int)ELEMENTS(parts));

	if (got < 0)
		return -errno;
	if (got < t->header || (size_t)(got - t->header) > room)
		return -EMSGSIZE;
	if (!t->header)
		memset(header, 0, OFFLOAD_HEADER);
	return got - t->header;
}

int tun_write(const struct tun *t, int queue, const struct iovec *parts, int count)
{
	return writev(tun_queue(t, queue), parts, count) < 0 ? -errno : 0;
}

int tun_write_packet(const struct tun *t, int queue, const uint8_t *packet, size_t len)
{
	/* struct iovec is for both directions; writing only reads */
	const union {
		const uint8_t *given;
		void *wanted;
	} data = { .given = packet };
	uint8_t header[OFFLOAD_HEADER] = { 0 };
	const struct iovec parts[] = { { header, (size_t)t->header }, { data.wanted, len } };

	return tun_write(t, queue, parts, (int)ELEMENTS(parts));
}

bool tun_is_up(const struct tun *t)
{
	struct pollfd room = { .fd = t->fd, .events = POLLOUT };

	return poll(&room, 1, 0) == 1 && room.revents & POLLOUT;
}

/* Two segments' worth of a kind, its IP header wrong in what is looked at first. */
enum { PROBE_PAYLOAD = 32, PROBE_ROOM = OFFLOAD_V6_HEADER + OFFLOAD_TCP_HEADER + PROBE_PAYLOAD };

static size_t make_probe(enum offload_kind kind, struct offload_header *h, uint8_t *packet)
{
	const bool is_v6 = kind == OFFLOAD_TCP6 || kind == OFFLOAD_UDP6;
	const bool is_tcp = kind == OFFLOAD_TCP4 || kind == OFFLOAD_TCP6;
	const size_t start = is_v6 ? OFFLOAD_V6_HEADER : OFFLOAD_V4_HEADER;
	const size_t headers = start + (is_tcp ? OFFLOAD_TCP_HEADER : OFFLOAD_UDP_HEADER);
	const uint8_t proto = is_tcp ? OFFLOAD_PROTO_TCP : OFFLOAD_PROTO_UDP;

	memset(packet, 0, PROBE_ROOM);
	packet[0] = is_v6 ? 0x60 : 0x45; /* no length, no addresses, no checksum */
	packet[is_v6 ? 6 : 9] = proto;
	if (is_tcp)
		packet[start + 12] = 0x50;
	*h = (struct offload_header){
		.flags = OFFLOAD_NEEDS_CSUM,
		.type = !is_tcp ? OFFLOAD_GSO_UDP_L4
			: is_v6 ? OFFLOAD_GSO_TCPV6
				: OFFLOAD_GSO_TCPV4,
		.header = (uint16_t)headers,
		.size = PROBE_PAYLOAD / 2,
		.start = (uint16_t)start,
		.offset = is_tcp ? OFFLOAD_TCP_CHECKSUM : OFFLOAD_UDP_CHECKSUM,
	};
	return headers + PROBE_PAYLOAD;
}

int tun_probe(const struct tun *t, unsigned int *ret_kinds)
{
	unsigned int kinds = 0;

	for (unsigned int kind = OFFLOAD_TCP4; t->header && kind <= OFFLOAD_UDP6; kind *= 2) {
		struct offload_header header;
		uint8_t packet[PROBE_ROOM];
		const size_t len = make_probe((enum offload_kind)kind, &header, packet);
		const struct iovec parts[] = { { &header, sizeof(header) }, { packet, len } };
		const int error = tun_write(t, 0, parts, (int)ELEMENTS(parts));

		if (error == -EIO)
			return error;
		if (!error)
			kinds |= kind;
	}
	*ret_kinds = kinds;
	return 0;
}
